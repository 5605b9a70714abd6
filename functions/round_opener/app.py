"""The round opener: opens the round of the present slot, sets its money aside, and queues its decisions."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from coliseum import config
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.rounds.opener import RoundOpener
from coliseum.aws import load_secrets
from coliseum.observability import logger, metrics
from coliseum.store.client import Store


@cache
def opener() -> RoundOpener:
    """Built once per container. Raises ConfigurationError without DECISIONS_QUEUE_URL."""
    load_secrets()
    resources = ExitStack()

    def records() -> ArenaRecords:
        return ArenaRecords(resources.enter_context(closing(Store.from_settings(config.settings))))

    built = RoundOpener.from_settings(config.settings, records)
    built.on_close(resources.close)
    return built


@metrics().log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    report = opener().open()
    metrics().add_metric(name="RoundsOpened", unit=MetricUnit.Count, value=int(report.new))
    metrics().add_metric(name="DecisionsHandedOut", unit=MetricUnit.Count, value=report.handed_out)
    summary: dict[str, Any] = {"round_id": report.round_id, "new": report.new, "handed_out": report.handed_out}
    logger().info("round", **summary)
    return summary
