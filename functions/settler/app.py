"""The settler: records results, pays accounts, closes rounds, hands out lost decisions again, makes leaderboards."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from coliseum import config
from coliseum.arena.agents.budget import warn_when_nearly_spent
from coliseum.arena.paper.records import PaperRecords
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.public import PublicRecords
from coliseum.arena.rounds.opening import RoundPlan
from coliseum.arena.settling.leaderboards import make_due_leaderboards
from coliseum.arena.settling.run import SettlingReport, publish, run_settler
from coliseum.arena.trade_context.publishing import publish_trade_contexts
from coliseum.aws import load_secrets, send_batch
from coliseum.feed.exchange_changes import ExchangeChanges
from coliseum.feed.feed import Feed
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger, metrics
from coliseum.store.client import Store
from coliseum.upstash.client import Redis


@dataclass(frozen=True, slots=True)
class Settler:
    """What one container keeps between calls."""

    records: ArenaRecords
    public: PublicRecords
    feed: Feed
    settle: partial[SettlingReport]
    resources: ExitStack


@cache
def settler() -> Settler:
    """Built once per container. Raises ConfigurationError without DECISIONS_QUEUE_URL."""
    load_secrets()
    settings = config.settings
    settings.require("decisions_queue_url")
    store, redis, kalshi = Store.from_settings(settings), Redis.from_settings(settings), Kalshi.from_settings(settings)
    records, feed, resources = ArenaRecords(store), Feed.from_settings(settings, redis), ExitStack()
    kalshi.on_change(ExchangeChanges.from_settings(settings, redis, feed).announce)
    for client in (store, redis, kalshi):
        resources.callback(client.close)
    settle = partial(
        run_settler,
        records,
        PaperRecords(store),
        kalshi,
        feed,
        plan=RoundPlan.from_settings(settings),
        enqueue=partial(send_batch, str(settings.decisions_queue_url)),
    )
    return Settler(records, PublicRecords(lambda: store), feed, settle, resources)


@metrics().log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    parts = settler()
    report = parts.settle(now=datetime.now(UTC))
    # Read the clock again: a leaderboard only knows results that were recorded before its own time.
    now = datetime.now(UTC)
    leaderboards = make_due_leaderboards(parts.records, now=now)
    publish(parts.feed, leaderboards, now)
    contexts = publish_trade_contexts(parts.feed, parts.public, now=now)
    warn_when_nearly_spent(parts.records)
    metrics().add_metric(name="MarketsSettled", unit=MetricUnit.Count, value=report.results)
    metrics().add_metric(name="RoundsClosed", unit=MetricUnit.Count, value=report.rounds_closed)
    metrics().add_metric(name="SettlerProblems", unit=MetricUnit.Count, value=len(report.problems))
    summary = {**asdict(report), "boards": len(leaderboards), "trade_contexts": contexts}
    logger().info("settled", **summary)
    return summary
