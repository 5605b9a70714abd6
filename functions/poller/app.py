"""The scheduled poller: one minute of ticks, bot to log; then the projection, log to Postgres; then the history."""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from coliseum import config
from coliseum.aws import load_secrets
from coliseum.bot.client import Bot
from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import Cache
from coliseum.feed.feed import Feed
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger, metrics, record
from coliseum.polling.poller import Poller
from coliseum.portfolio.snapshots import HistoryMaintenance
from coliseum.projection.projector import Projector
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

MINUTE_SECONDS = 58.0
MARGIN_SECONDS = 10.0  # of the function's time, for the last tick, the projection and the history


@cache
def parts() -> tuple[Poller, Projector, HistoryMaintenance]:
    """Built once per container."""
    load_secrets()
    settings = config.settings
    redis = Redis.from_settings(settings)
    feed = Feed.from_settings(settings, redis)
    exchange = None if settings.kalshi_api_key is None else Kalshi.from_settings(settings)
    store = Store.from_settings_if_configured(settings)
    bot, paced = Bot.from_settings(settings), Cache(redis, prefix=settings.cache_prefix, breaker=CircuitBreaker())
    poller = Poller(bot=bot, feed=feed, exchange=exchange, interval=settings.poll_interval_seconds)
    return poller, Projector(feed=feed, store=store), HistoryMaintenance(store, exchange, paced)


@metrics().log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    poller, projector, history = parts()
    end = time.monotonic() + context.get_remaining_time_in_millis() / 1000

    def clock() -> float:
        """Monotonic, and at the end where the environment is about to go: then the next poller need not wait."""
        return max(time.monotonic(), end - context.get_remaining_time_in_millis() / 1000)

    done = poller.minute(until=min(time.monotonic() + MINUTE_SECONDS, end - MARGIN_SECONDS), clock=clock)
    projected = projector.run(poller.head, time_left=lambda: end - time.monotonic() - 1)
    history.keep(time_left=lambda: end - clock() - 2)
    record(**done.counts(), ProjectionFailures=int(projected.problem is not None))
    told = {**asdict(done), "projection": asdict(projected)}
    logger().info("minute done", **told)
    return told
