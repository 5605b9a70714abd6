"""The round opener: opens the round of the present slot, pays for it, and hands its decisions to the queue."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from coliseum import config
from coliseum.arena.agents.budget import Budget
from coliseum.arena.agents.enrollment import enroll_roster
from coliseum.arena.records.arena import ArenaRecords
from coliseum.arena.rounds.opening import OpeningReport, RoundPlan, open_round
from coliseum.aws import load_secrets, send_batch
from coliseum.feed.feed import Feed, now_ms
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger, metrics
from coliseum.store.client import Store
from coliseum.upstash.client import Redis


@cache
def parts() -> tuple[partial[OpeningReport], Feed]:
    """Built once per container."""
    load_secrets()
    settings = config.settings
    settings.require("decisions_queue_url")
    records = ArenaRecords(Store.from_settings(settings))
    opening = partial(
        open_round,
        RoundPlan.from_settings(settings),
        clock=lambda: datetime.now(UTC),
        kalshi=Kalshi.from_settings(settings),
        records=records,
        enqueue=partial(send_batch, str(settings.decisions_queue_url)),
        field=partial(enroll_roster, records, has_key=settings.openrouter_api_key is not None),
        fund=Budget(records, cap=settings.arena_daily_budget_usd).fund,
    )
    return opening, Feed.from_settings(settings, Redis.from_settings(settings))


@metrics().log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    opening, feed = parts()
    opened = opening()
    if opened.entries:
        feed.publish(opened.entries, now_ms=now_ms())
    metrics().add_metric(name="RoundsOpened", unit=MetricUnit.Count, value=int(opened.new))
    metrics().add_metric(name="DecisionsHandedOut", unit=MetricUnit.Count, value=opened.handed_out)
    told: dict[str, Any] = {"round_id": opened.round_id, "new": opened.new, "handed_out": opened.handed_out}
    logger().info("round", **told)
    return told
