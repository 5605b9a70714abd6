"""The scheduled poller. Each call is a minute: poll the bot, copy the log to Postgres, maintain history and books."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from coliseum import config
from coliseum.aws import load_secrets
from coliseum.bot.client import Bot
from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import Cache
from coliseum.feed.exchange_changes import ExchangeChanges
from coliseum.feed.feed import Feed, now_ms
from coliseum.kalshi.client import Kalshi
from coliseum.observability import add_metrics, logger, metrics
from coliseum.polling.poller import Poller
from coliseum.portfolio.books_records import stored_books
from coliseum.portfolio.snapshots import HistoryMaintenance
from coliseum.projection.projector import Projector
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

MINUTE_SECONDS = 58.0
MARGIN_SECONDS = 10.0
"""Of the function's time, for the last tick, the projection and the history."""


@dataclass(frozen=True, slots=True)
class Container:
    """What the function keeps between two calls."""

    poller: Poller
    projector: Projector
    history: HistoryMaintenance
    clients: ExitStack
    """Closes the connections. Lambda ends a container without notice, so only tests do."""


@cache
def container() -> Container:
    """Built by the container's first call."""
    load_secrets()
    return build(config.settings)


def build(settings: config.Settings, *, clock: Callable[[], int] = now_ms) -> Container:
    """The clients and services of these settings. `clock` gives unix milliseconds to the poller."""
    clients = ExitStack()
    redis, bot = Redis.from_settings(settings), Bot.from_settings(settings)
    exchange = None if settings.kalshi_api_key is None else Kalshi.from_settings(settings)
    store = Store.from_settings_if_configured(settings)
    for client in (redis, bot, exchange, store):
        if client is not None:
            clients.callback(client.close)
    feed = Feed.from_settings(settings, redis)
    if exchange is not None:
        exchange.on_change(ExchangeChanges.from_settings(settings, redis, feed).announce)
    cache_of_account = Cache(redis, prefix=settings.cache_prefix, breaker=CircuitBreaker())
    return Container(
        Poller(
            bot=bot,
            feed=feed,
            exchange=exchange,
            interval=settings.poll_interval_seconds,
            clock=clock,
            exchange_name=settings.exchange_name,
            interval_with_push=settings.poll_interval_with_push_seconds,
        ),
        Projector(feed=feed, store=store),
        HistoryMaintenance(
            store,
            exchange,
            cache_of_account,
            books=None if store is None else stored_books(lambda: store, settings.account_label),
        ),
        clients,
    )


@metrics().log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Poll for a minute, then project, then maintain the history. Returns and logs what was done."""
    services = container()
    end = time.monotonic() + context.get_remaining_time_in_millis() / 1000

    def clock() -> float:
        """Monotonic seconds, which jump to the end when Lambda is about to stop the environment.

        The poller then ends its minute early and releases its lease, so that the next one need not wait.
        """
        return max(time.monotonic(), end - context.get_remaining_time_in_millis() / 1000)

    minute = services.poller.minute(until=min(time.monotonic() + MINUTE_SECONDS, end - MARGIN_SECONDS), clock=clock)
    projection = services.projector.run(services.poller.head, time_left=lambda: end - time.monotonic() - 1)
    services.history.run(time_left=lambda: end - clock() - 2)
    add_metrics(**minute.counts(), ProjectionFailures=int(projection.problem is not None))
    summary = {**asdict(minute), "projection": asdict(projection)}
    logger().info("minute done", **summary)
    return summary
