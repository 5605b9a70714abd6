"""The forecaster: takes decisions from the queue, several at a time. Only this function asks models."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from secrets import token_hex
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from coliseum import config
from coliseum.arena.agents.budget import Budget
from coliseum.arena.agents.circuits import Circuits
from coliseum.arena.agents.decisions import DecisionRunner
from coliseum.arena.agents.messages import decide_all
from coliseum.arena.agents.models import Models
from coliseum.arena.paper.records import PaperRecords
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.aws import load_secrets
from coliseum.feed.feed import Feed
from coliseum.llm import tracing
from coliseum.llm.client import check_base_url
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

MARGIN_SECONDS = 15.0
"""Part of the function's time that is kept for storing the answer and trading."""
NONCE_BYTES = 16
"""Random bytes in a sealed payload: without them a probability could be found behind its seal by trying all values."""


@dataclass(frozen=True, slots=True)
class Forecaster:
    """What one container keeps between calls: the runner of decisions, and one event loop."""

    decisions: DecisionRunner
    loop: asyncio.Runner
    resources: ExitStack


@cache
def forecaster() -> Forecaster:
    """Built once per container. Raises ConfigurationError for an OpenRouter address that is not allowed."""
    load_secrets()
    settings = config.settings
    check_base_url(settings)
    tracing.start(settings)
    store, redis = Store.from_settings(settings), Redis.from_settings(settings)
    records = ArenaRecords(store)
    budget = Budget(records, cap=settings.arena_daily_budget_usd)
    decisions = DecisionRunner(
        records=records,
        paper=PaperRecords(store),
        feed=Feed.from_settings(settings, redis),
        models=Models(settings, circuits=Circuits(redis, prefix=settings.redis_key_prefix), budget=budget),
        nonce=partial(token_hex, NONCE_BYTES),
    )
    loop, resources = asyncio.Runner(), ExitStack()
    for resource in (store, redis, loop):
        resources.callback(resource.close)
    return Forecaster(decisions, loop, resources)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    parts = forecaster()
    seconds = context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    queue_url = config.settings.decisions_queue_url
    try:
        return parts.loop.run(decide_all(parts.decisions, event["Records"], seconds=seconds, queue_url=queue_url))
    finally:
        tracing.flush()
