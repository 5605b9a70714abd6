"""A whole round of ten models, four of them in random trouble: the healthy ones answer everything.

`COLISEUM_SOAK=200 pytest tests/functions/test_troubled_round.py` plays 200 rounds. Each prints its coverage by model.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.functions.asked_round import AskedRound, ask
from tests.functions.forecaster_world import World
from tests.openrouter.server import FORECAST, JSON, Reply, refusal

from coliseum import config
from coliseum.arena.agents.backoff import wait_seconds
from coliseum.arena.agents.budget import Budget
from coliseum.arena.agents.circuits import Circuits
from coliseum.arena.agents.decisions import DecisionPostponed, DecisionRunner
from coliseum.arena.agents.models import Models
from coliseum.arena.agents.roster import roster
from coliseum.arena.paper.records import PaperRecords
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.feed.feed import Feed
from coliseum.llm.failures import ModelFailed

ROUNDS = int(os.environ.get("COLISEUM_SOAK", "1"))
MODELS = [row["agent_id"] for row in roster().models][:10]
SLUGS = {row["agent_id"]: row["model"] for row in roster().models}
TICKERS = ("A-1", "A-2", "A-3")
NOW = 1_795_000_000.0
TROUBLES = (
    refusal(429, headers={"Retry-After": "0"}),
    refusal(429, "Provider returned error", metadata={"provider_name": "DeepInfra"}),
    refusal(401, "No auth credentials found"),
    refusal(402, "This request requires more credits, or fewer max_tokens."),
    refusal(402, "Provider returned error", metadata={"provider_name": "X", "raw": "Insufficient Balance"}),
    refusal(403, metadata={"reasons": ["violence"], "flagged_input": "…", "provider_name": "X"}),
    refusal(404, "No endpoints available matching your guardrail restrictions and data policy"),
    refusal(503, "overloaded"),
    Reply(status=403, headers={"Content-Type": "text/html"}, body=b"<html>no</html>"),
    Reply(status=502, headers={"Content-Type": "text/html"}, body=b"<html>bad gateway</html>"),
    Reply(headers=JSON, body=b'{"choices": []}'),
    Reply(body=b""),
    Reply(content="No idea."),
    Reply(content="Half a sen", finish_reason="error"),
    Reply(content="I cann", finish_reason="content_filter"),
    Reply(cost=None, tokens=(0, 0)),
    Reply(arguments={**FORECAST, "abstain": True, "probability": None}),
    Reply(),
)


class Clock:
    """The time of the circuits, which moves from one message to the next."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def runner(world: World, clock: Clock) -> DecisionRunner:
    world.patch.setattr(config, "settings", config.load(world.settings), raising=False)
    records = ArenaRecords(world.store)
    prefix = world.settings["redis_key_prefix"]
    models = Models(
        config.settings,
        circuits=Circuits(world.redis, prefix=prefix),
        budget=Budget(records, cap=Decimal(1000)),
        clock=clock,
    )
    return DecisionRunner(
        records=records,
        paper=PaperRecords(world.store),
        feed=Feed(world.redis, prefix=prefix, maxlen=1000),
        models=models,
        nonce=lambda: random.Random().randbytes(16).hex(),
    )


def play(world: World, asked: AskedRound, rng: random.Random, *, open_seconds: float) -> None:
    """Deliver the decisions as the queue does, until the round is over by the clock of the circuits."""
    clock, order = Clock(), itertools.count()
    decisions = runner(world, clock)
    first = [one.decision_id for one in asked.records.decisions(asked.round_id) if one.agent_id in MODELS]
    rng.shuffle(first)
    queue = [(NOW + number / 10, next(order), decision, 1) for number, decision in enumerate(first)]
    with asyncio.Runner() as loop:
        while queue:
            clock.now, _, decision, received = heapq.heappop(queue)
            if clock.now >= NOW + open_seconds:
                continue
            try:
                loop.run(decisions.decide(decision, seconds=60))
            except DecisionPostponed as postponed:
                heapq.heappush(queue, (clock.now + postponed.seconds, next(order), decision, 1))
            except ModelFailed as failed:
                wait = wait_seconds(attempt=received, retry_after=failed.retry_after, jitter=rng.random())
                heapq.heappush(queue, (clock.now + wait, next(order), decision, received + 1))


def coverage(asked: AskedRound) -> Iterator[tuple[str, float, Counter[str]]]:
    """(agent, share of its decisions that are done, how the others ended)."""
    rows = [one for one in asked.records.decisions(asked.round_id) if one.agent_id in MODELS]
    for agent in MODELS:
        own = [one for one in rows if one.agent_id == agent]
        ends = Counter(f"{one.status}:{one.reason}" for one in own if one.status != "done")
        yield agent, sum(one.status == "done" for one in own) / len(own), ends


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_no_healthy_model_loses_a_decision_to_anothers_trouble(
    world: World, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(seed)
    troubled = set(rng.sample(MODELS, 4))
    for agent in troubled:
        world.openrouter.script(SLUGS[agent], *(rng.choice(TROUBLES) for _ in range(400)))
    asked = ask(world.store, models=MODELS, tickers=TICKERS, open_for=timedelta(minutes=40))
    play(world, asked, rng, open_seconds=2400)
    with capsys.disabled():
        for agent, share, ends in coverage(asked):
            print(f"{'troubled' if agent in troubled else 'healthy ':8} {agent:24} {share:6.0%} {json.dumps(ends)}")
    assert {agent: share for agent, share, _ in coverage(asked) if agent not in troubled and share < 1} == {}
    assert world.rows("select count(*) from arena_decisions where status = 'running'") == [(0,)]
    ((counted,),) = world.rows("select coalesce(sum(cost_usd), 0) from arena_attempts")
    assert world.budget()[1] == counted
