"""The source reader: reads the feeds of the informed track and stores what is new, between the rounds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from coliseum import __version__, config
from coliseum.arena.sources.catalogue import NewsFeed, configured_feeds
from coliseum.arena.sources.reading import RUN_SECONDS, ReadingReport, read_feeds
from coliseum.arena.sources.records import SourceRecords
from coliseum.aws import load_secrets
from coliseum.observability import logger, metrics
from coliseum.outbound.client import Outbound
from coliseum.store.client import Store

SECONDS_TO_SPARE = 15.0
"""Before the function's time is over: what was read is stored until then."""


@dataclass(frozen=True, slots=True)
class SourceReader:
    """What one container keeps between calls."""

    records: SourceRecords
    feeds: Sequence[NewsFeed]
    user_agent: str
    resources: ExitStack


@cache
def reader() -> SourceReader:
    """Built once per container. Raises ConfigurationError for a list of feeds that cannot be read."""
    load_secrets()
    settings = config.settings
    feeds = configured_feeds(settings.arena_sources)
    store, resources = Store.from_settings(settings), ExitStack()
    resources.callback(store.close)
    # Some publishers want to know whom to ask.
    contact = f" (+{settings.openrouter_app_url})" if settings.openrouter_app_url else ""
    return SourceReader(SourceRecords(store), feeds, f"coliseum/{__version__}{contact}", resources)


async def read(parts: SourceReader, *, seconds: float) -> ReadingReport:
    async with Outbound(user_agent=parts.user_agent) as outbound:
        return await read_feeds(parts.records, parts.feeds, outbound, clock=lambda: datetime.now(UTC), seconds=seconds)


@metrics().log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    left = context.get_remaining_time_in_millis() / 1000 - SECONDS_TO_SPARE
    report = asyncio.run(read(reader(), seconds=min(RUN_SECONDS, left)))
    metrics().add_metric(name="FeedsRead", unit=MetricUnit.Count, value=report.feeds)
    metrics().add_metric(name="FeedProblems", unit=MetricUnit.Count, value=len(report.problems))
    metrics().add_metric(name="NewSources", unit=MetricUnit.Count, value=report.new_sources)
    summary = {**asdict(report), "problems": len(report.problems)}
    logger().info("feeds read", **summary)
    return summary
