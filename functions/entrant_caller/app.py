"""The entrant caller: asks the endpoints of outside agents for their proof and for forecasts, every minute."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from secrets import token_bytes
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from coliseum import __version__, config
from coliseum.arena.calling.caller import CALL_SECONDS, CallingReport, EndpointCaller
from coliseum.arena.calling.records import CallRecords
from coliseum.aws import load_secrets
from coliseum.observability import logger, metrics
from coliseum.outbound.client import Outbound
from coliseum.store.client import Store

RUN_SECONDS = 50.0
"""How long a run begins calls. The next run comes a minute later."""
SECONDS_TO_SPARE = 15.0
"""Before the function's time is over: what was answered is stored until then."""


@dataclass(frozen=True, slots=True)
class EntrantCaller:
    """What one container keeps between calls."""

    records: CallRecords
    resources: ExitStack


@cache
def caller() -> EntrantCaller:
    """Built once per container."""
    load_secrets()
    store, resources = Store.from_settings(config.settings), ExitStack()
    resources.callback(store.close)
    return EntrantCaller(CallRecords(store), resources)


async def call(records: CallRecords, *, seconds: float) -> CallingReport:
    async with Outbound(user_agent=f"coliseum/{__version__}") as outbound:
        return await EndpointCaller(records, outbound, random=token_bytes).run(seconds=seconds)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return {} if config.settings.arena_entry == "off" else call_endpoints(event, context)


@metrics().log_metrics
def call_endpoints(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    left = context.get_remaining_time_in_millis() / 1000 - CALL_SECONDS - SECONDS_TO_SPARE
    records = caller().records
    report = asyncio.run(call(records, seconds=min(RUN_SECONDS, left)))
    if datetime.now(UTC).minute == 0:
        records.forget()
    metrics().add_metric(name="EndpointCalls", unit=MetricUnit.Count, value=report.calls + report.challenges)
    metrics().add_metric(name="EndpointProblems", unit=MetricUnit.Count, value=report.problems)
    metrics().add_metric(name="CalledForecasts", unit=MetricUnit.Count, value=report.forecasts)
    summary = asdict(report)
    if report.calls or report.challenges:
        logger().info("endpoints called", **summary)
    return summary
