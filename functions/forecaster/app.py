"""The forecaster: SQS messages, one decision each, several at a time. Alone among the functions it asks models."""

from __future__ import annotations

import asyncio
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
from coliseum.arena.records.arena import ArenaRecords
from coliseum.aws import load_secrets
from coliseum.feed.feed import Feed
from coliseum.llm import tracing
from coliseum.llm.client import check_base_url
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

MARGIN_SECONDS = 15.0
"""Of the function's time, for writing down and trading."""
NONCE_BYTES = 16
"""In a sealed payload: a probability alone could be found by trying."""


@cache
def parts() -> tuple[DecisionRunner, asyncio.Runner]:
    """Built once per container, with one event loop for its whole life."""
    load_secrets()
    settings = config.settings
    check_base_url(settings)
    tracing.start(settings)
    store, redis = Store.from_settings(settings), Redis.from_settings(settings)
    records = ArenaRecords(store)
    budget = Budget(records, cap=settings.arena_daily_budget_usd)
    models = Models(settings, circuits=Circuits(redis, prefix=settings.redis_key_prefix), budget=budget)
    feed = Feed.from_settings(settings, redis)
    desk = DecisionRunner(
        records=records, paper=PaperRecords(store), feed=feed, models=models, nonce=partial(token_hex, NONCE_BYTES)
    )
    return desk, asyncio.Runner()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    desk, runner = parts()
    seconds = context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS
    queue_url = config.settings.decisions_queue_url
    try:
        return runner.run(decide_all(desk, event["Records"], seconds=seconds, queue_url=queue_url))
    finally:
        tracing.flush()
