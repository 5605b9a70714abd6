"""The settler: results in, pay-outs and marks out, rounds closed, lost decisions handed out again, boards made anew."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from coliseum import config
from coliseum.arena.agents.budget import warn_when_nearly_spent
from coliseum.arena.paper.records import PaperRecords
from coliseum.arena.records.arena import ArenaRecords
from coliseum.arena.records.public import PublicRecords
from coliseum.arena.rounds.opening import RoundPlan
from coliseum.arena.settling.leaderboards import make_due_leaderboards
from coliseum.arena.settling.run import SettlingReport, publish, run_settler
from coliseum.arena.trade_context.publishing import publish_trade_contexts
from coliseum.aws import load_secrets, send_batch
from coliseum.feed.feed import Feed
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger, metrics
from coliseum.store.client import Store
from coliseum.upstash.client import Redis


@cache
def parts() -> tuple[partial[SettlingReport], ArenaRecords, Feed, PublicRecords]:
    """Built once per container."""
    load_secrets()
    settings = config.settings
    settings.require("decisions_queue_url")
    store = Store.from_settings(settings)
    records = ArenaRecords(store)
    feed = Feed.from_settings(settings, Redis.from_settings(settings))
    plan, kalshi = RoundPlan.from_settings(settings), Kalshi.from_settings(settings)
    enqueue = partial(send_batch, str(settings.decisions_queue_url))
    settle = partial(run_settler, records, PaperRecords(store), kalshi, feed, plan=plan, enqueue=enqueue)
    return settle, records, feed, PublicRecords(lambda: store)


@metrics().log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    settle, records, feed, shown = parts()
    done = settle(now=datetime.now(UTC))
    now = datetime.now(UTC)  # later than the results that were just recorded: this run's boards know them
    boards = make_due_leaderboards(records, now=now)
    publish(feed, boards, now)
    contexts = publish_trade_contexts(feed, shown, now=now)
    warn_when_nearly_spent(records)
    metrics().add_metric(name="MarketsSettled", unit=MetricUnit.Count, value=done.results)
    metrics().add_metric(name="RoundsClosed", unit=MetricUnit.Count, value=done.rounds_closed)
    metrics().add_metric(name="SettlerProblems", unit=MetricUnit.Count, value=len(done.problems))
    told = {**asdict(done), "boards": len(boards), "trade_contexts": contexts}
    logger().info("settled", **told)
    return told
