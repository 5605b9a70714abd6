"""A model that is asked several times about one question: requests, money, the sealed forecast, and its noise."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from tests.functions.asked_round import MODELS, AskedRound, ask
from tests.functions.forecaster_world import World
from tests.openrouter.server import FORECAST, Reply, refusal

from coliseum.arena.agents.budget import Budget, reservation_per_decision
from coliseum.arena.agents.roster import parse, shipped_document
from coliseum.arena.forecasts import Track, seal
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import StoredForecast
from coliseum.errors import InvalidInput

D = Decimal
AGENT = MODELS[0]
SLUG = "anthropic/claude-haiku-5.5"


MODERATED = refusal(403, metadata={"reasons": ["violence"], "flagged_input": "…", "provider_name": "X"})


def says(probability: float, **more: Any) -> Reply:
    return Reply(arguments={**FORECAST, "probability": probability, **more})


def asked_three_times(world: World) -> AskedRound:
    return ask(world.store, options={"replicates": 3})


def forecast_of(world: World, decision: str) -> StoredForecast:
    (stored,) = ArenaRecords(world.store).forecasts(where=[("forecast_id", "eq", decision)])
    return stored


def test_three_answers_are_one_sealed_forecast_with_its_spread(world: World) -> None:
    asked = asked_three_times(world)
    decision = asked.decision(AGENT, "blind")
    world.openrouter.scripts[SLUG] = [says(0.26), says(0.3), says(0.46)]
    assert world.invoke(decision) == 0
    stored = forecast_of(world, decision)
    assert stored.p == D("0.3400")
    assert sorted(stored.payload["replicates"]) == ["0.26", "0.30", "0.46"]
    assert stored.seal == seal(stored.payload)
    records = ArenaRecords(world.store)
    (scored,) = records.scored_forecasts([asked.round_id], Track.BLIND)
    assert sorted(scored.replicates) == [D("0.26"), D("0.30"), D("0.46")]
    ((cost, tokens, reply),) = world.attempts("cost_usd, input_tokens, raw_reply")
    assert (cost, tokens) == (D("0.0063"), 3600)
    assert reply.count("--- replicate ") == 3


def test_no_replicate_and_no_other_agent_is_answered_from_the_cache_of_another(world: World) -> None:
    asked = asked_three_times(world)
    world.invoke(asked.decision(AGENT, "blind"), asked.decision(MODELS[1], "blind"))
    users = [request["user"] for request in world.openrouter.requests]
    assert len(set(users)) == len(users) == 6


def test_a_repeated_request_is_byte_for_byte_the_same(world: World) -> None:
    """A worker that died after it paid gets the paid answer from the cache."""
    asked = ask(world.store)
    decision = asked.decision(AGENT, "blind")
    world.openrouter.scripts[SLUG] = [refusal(503, "overloaded"), refusal(503, "overloaded"), Reply()]
    world.invoke(decision)
    world.invoke(decision, received=2)
    first, *_, last = world.openrouter.requests
    assert first == last


def test_the_money_of_all_replicates_is_reserved_and_settled(world: World) -> None:
    asked = asked_three_times(world)
    records = ArenaRecords(world.store)
    agent = records.agent(AGENT)
    Budget(records, cap=D(100)).fund([agent], records.round(asked.round_id))
    reserved, _ = world.budget()
    assert reserved == reservation_per_decision(agent) * len(agent.tracks)
    for track in ("blind", "aware"):
        world.invoke(asked.decision(AGENT, track))
    assert world.budget() == (D(0), D("0.0126"))


def test_a_forecast_stands_without_one_of_three(world: World) -> None:
    asked = asked_three_times(world)
    decision = asked.decision(AGENT, "blind")
    world.openrouter.scripts[SLUG] = [says(0.3), MODERATED, says(0.4)]
    assert world.invoke(decision) == 0
    assert forecast_of(world, decision).p == D("0.3500")
    ((repairs, error),) = world.attempts("repairs, error_class")
    assert error is None
    assert [one for one in repairs if one.startswith("replicate_failed:")] == ["replicate_failed:filtered"]


def test_without_more_than_half_there_is_no_forecast_and_everything_is_billed(world: World) -> None:
    asked = asked_three_times(world)
    decision = asked.decision(AGENT, "blind")
    world.openrouter.scripts[SLUG] = [says(0.3), *[Reply(content="No idea.", cost=0.001)] * 9]
    world.invoke(decision)
    assert ArenaRecords(world.store).forecasts(where=[("forecast_id", "eq", decision)]) == ()
    ((cost, error),) = world.attempts("cost_usd, error_class")
    assert error == "invalid_output"
    assert cost == D("0.0021") + D("0.001") * (len(world.openrouter.requests) - 1)
    assert world.budget()[1] == cost


def test_an_agent_that_abstains_mostly_abstains(world: World) -> None:
    asked = asked_three_times(world)
    decision = asked.decision(AGENT, "blind")
    silent = Reply(arguments={**FORECAST, "abstain": True, "probability": None})
    world.openrouter.scripts[SLUG] = [silent, says(0.4), silent]
    world.invoke(decision)
    stored = forecast_of(world, decision)
    assert (stored.p, stored.payload.get("replicates")) == (None, None)


@pytest.mark.parametrize("replicates", [0, 6, "3", 1.5, True])
def test_a_roster_asks_one_to_five_times(replicates: object) -> None:
    document = copy.deepcopy(shipped_document())
    document["models"][0]["replicates"] = replicates
    with pytest.raises(InvalidInput, match="replicates"):
        parse(document)
