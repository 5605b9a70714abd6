"""The scheduled poller: one minute of ticks, bot to log; then the projection, log to Postgres; then the history."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from coliseum import config
from coliseum.aws.client import load_secrets
from coliseum.bot.client import Bot
from coliseum.cache.breaker import Breaker
from coliseum.cache.service import Cache
from coliseum.errors import ColiseumError
from coliseum.feed.service import Feed
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger, metrics
from coliseum.polling.service import Poller
from coliseum.polling.tally import Minute
from coliseum.portfolio.snapshots.service import Retention, Snapshots
from coliseum.projection.service import Projected, Projector
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

MINUTE_SECONDS = 58.0
MARGIN_SECONDS = 10.0
"""Of the function's time, for the last tick and the projection."""


@cache
def redis() -> Redis:
    return Redis.from_settings(config.settings)


@cache
def parts() -> tuple[Poller, Projector | None]:
    """Built once per container."""
    load_secrets()
    settings = config.settings
    feed = Feed(redis(), prefix=settings.redis_key_prefix, maxlen=settings.feed_maxlen)
    exchange = None if settings.kalshi_api_key is None else Kalshi.from_settings(settings)
    bot = Bot.from_settings(settings)
    poller = Poller(bot=bot, feed=feed, exchange=exchange, interval=settings.poll_interval_seconds)
    if settings.supabase_url is None or settings.supabase_service_role_key is None:
        logger().warning("SUPABASE_URL or SUPABASE_SERVICE_ROLE_KEY is not set: trades are streamed, not kept")
        return poller, None
    return poller, Projector(feed=feed, store=Store.from_settings(settings))


@cache
def snapshots() -> Snapshots | None:
    """The account's history needs a key and a database."""
    settings = config.settings
    if None in {settings.kalshi_api_key, settings.supabase_url, settings.supabase_service_role_key}:
        return None
    shared = Cache(redis(), prefix=settings.redis_key_prefix, breaker=Breaker())
    return Snapshots(Kalshi.from_settings(settings), Store.from_settings(settings), shared)


@cache
def retention() -> Retention | None:
    settings = config.settings
    if None in {settings.supabase_url, settings.supabase_service_role_key}:
        return None
    return Retention(Store.from_settings(settings))


def keep_history(time_left: Callable[[], float]) -> None:
    """A snapshot every five minutes, thinning once a day. A failure costs one point of a curve, or waits a minute."""
    keeper, pruner = snapshots(), retention()
    try:
        if keeper is not None and time_left() > 1:
            keeper.take(time.time(), patience_seconds=min(5.0, time_left()))
    except ColiseumError as error:
        logger().warning("no snapshot of the account", problem=str(error))
    try:
        deleted = {} if pruner is None else pruner.run(time.time(), time_left=time_left) or {}
        if any(deleted.values()):
            logger().info("history thinned", extra=deleted)
    except ColiseumError as error:
        logger().warning("the history was not thinned", problem=str(error))


@metrics().log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    poller, projector = parts()
    end = time.monotonic() + context.get_remaining_time_in_millis() / 1000

    def clock() -> float:
        """Monotonic, and at the end where the environment is about to go: then the lease is given back in time."""
        return max(time.monotonic(), end - context.get_remaining_time_in_millis() / 1000)

    done = poller.minute(until=min(time.monotonic() + MINUTE_SECONDS, end - MARGIN_SECONDS), clock=clock)
    projected = Projected(problem="Supabase is not configured")
    if projector is not None:
        projected = projector.run(poller.head, time_left=lambda: end - time.monotonic() - 1)
    keep_history(lambda: end - time.monotonic() - 2)
    return summary(done, projected)


def summary(done: Minute, projected: Projected) -> dict[str, Any]:
    """Counted as metrics, logged and returned."""
    counts = {
        "Ticks": done.ticks,
        "TradesPublished": done.trades,
        "SourceGaps": done.source_gaps,
        "RejectedTrades": done.rejected,
        "RedisErrors": done.redis_errors,
        "ProjectionFailures": int(projected.problem is not None),
    }
    for name, value in counts.items():
        metrics().add_metric(name=name, unit=MetricUnit.Count, value=value)
    if done.lag_ms is not None:
        metrics().add_metric(name="PollLagMs", unit=MetricUnit.Milliseconds, value=done.lag_ms)
    told = {**asdict(done), "projection": asdict(projected)}
    logger().info("minute done", **told)
    return told
