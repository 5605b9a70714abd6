"""The alerts: looks at the log, the books and the exchange once a minute, and tells people what they must know."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from coliseum import config
from coliseum.alerts.client import AlertSender
from coliseum.alerts.probe import ExchangeProbe
from coliseum.alerts.records import AlertRecords
from coliseum.alerts.sending import OutboxSender, Sends
from coliseum.alerts.watch import AlertWatch
from coliseum.aws import load_secrets
from coliseum.feed.feed import Feed
from coliseum.kalshi.client import Kalshi
from coliseum.observability import add_metrics, logger, metrics
from coliseum.store.client import Store
from coliseum.upstash.client import Redis


@dataclass(frozen=True, slots=True)
class AlertContainer:
    """What one container keeps between calls."""

    watch: AlertWatch
    clients: ExitStack
    """Closes the connections. Lambda ends a container without notice, so only tests do."""


@cache
def container() -> AlertContainer:
    """Built once per container. Raises ConfigurationError that names a wrong setting and never shows it."""
    load_secrets()
    return build(config.settings)


def build(
    settings: config.Settings,
    *,
    clock: Callable[[], float] = time.time,
    records_of: Callable[..., AlertRecords] = AlertRecords,
    sender: Callable[[], Sends] = AlertSender,
) -> AlertContainer:
    """The clients and services of these settings. `clock` gives unix seconds; `sender` is built with the first message.

    `records_of` builds the records: tests give one that stops at a step.
    """
    clients = ExitStack()
    redis = None if settings.upstash_redis_rest_url is None else Redis.from_settings(settings)
    store, kalshi = Store.from_settings(settings), Kalshi.from_settings(settings)
    for client in (redis, store, kalshi):
        if client is not None:
            clients.callback(client.close)
    feed = None if redis is None else Feed.from_settings(settings, redis)
    limits, services = settings.alert_limits, settings.alert_services
    records = records_of(
        store,
        settings.identity,
        exchange=settings.exchange,
        fill_minutes=limits.fills_differ_minutes or 15,
    )
    outbox = OutboxSender(records, feed, services, sender=cache(sender), clock=clock, quiet=settings.quiet_hours)
    watch = AlertWatch(
        records,
        feed,
        ExchangeProbe(kalshi, has_key=settings.kalshi_api_key is not None, clock=clock),
        outbox,
        services=services,
        limits=limits,
        quiet=settings.quiet_hours,
        digest=settings.digest_time,
        clock=clock,
    )
    return AlertContainer(watch, clients)


@metrics().log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """One look. Returns what was done, and logs it where anything was."""
    report = container().watch.run(time_left=lambda: context.get_remaining_time_in_millis() / 1000)
    add_metrics(AlertsRaised=report.raised, AlertsSent=report.sent, AlertsFailed=report.failed)
    add_metrics(AlertsUndelivered=report.given_up)
    summary = asdict(report)
    if any(summary.values()):
        logger().info("alerts", **summary)
    return summary
