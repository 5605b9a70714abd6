"""Read the feeds and store what is new. The only part that loads feedparser; a function of its own runs it.

Rounds use what is stored. So a feed that fails or is slow takes nothing from a round but its newest items.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from coliseum.arena.sources.catalogue import NewsFeed
from coliseum.arena.sources.discovery import feed_link
from coliseum.arena.sources.fetching import PoliteFetcher, Sleep
from coliseum.arena.sources.parse import read_feed
from coliseum.arena.sources.records import FeedResult, NotedFeed
from coliseum.errors import ColiseumError, InvalidInput, SourceMalformed, SourceRefused
from coliseum.observability import logger
from coliseum.outbound.client import Outbound, OutboundAnswer

RUN_SECONDS = 90.0
FEEDS_AT_ONCE = 8
AGAIN_AFTER: Mapping[str, timedelta] = {
    "new": timedelta(0),
    "read": timedelta(minutes=4),
    "unchanged": timedelta(minutes=4),
    "failed": timedelta(minutes=14),
    "refused": timedelta(days=1),
}
"""How long after its last try a feed is tried again, by how that one ended."""
SETTLEMENT_AGAIN_AFTER = timedelta(days=1)
"""The same for a settlement source without a known feed."""


class ReadingRecords(Protocol):
    """What the reader needs of `SourceRecords`."""

    def note_feeds(self, feeds: Iterable[NotedFeed]) -> None: ...

    def keep_listed(self, urls: Iterable[str]) -> None: ...

    def noted_feeds(self) -> tuple[NotedFeed, ...]: ...

    def store_reading(self, result: FeedResult) -> int: ...

    def forget_old_sources(self) -> int: ...


@dataclass(slots=True)
class ReadingReport:
    """What one run did. `problems` is by the feed's address."""

    feeds: int = 0
    new_sources: int = 0
    unchanged: int = 0
    problems: dict[str, str] = field(default_factory=dict)


async def read_feeds(
    records: ReadingRecords,
    feeds: Iterable[NewsFeed],
    outbound: Outbound,
    *,
    clock: Callable[[], datetime],
    seconds: float = RUN_SECONDS,
    sleep: Sleep = asyncio.sleep,
) -> ReadingReport:
    """Read every feed that is due, store its items, and say how each ended. No feed's failure stops another.

    Feeds that `seconds` do not reach are read by the next run. Raises SourceError where the database fails.
    """
    listed = {feed.url: feed for feed in feeds}
    records.note_feeds(NotedFeed(url=feed.url, name=feed.name, origin="list") for feed in listed.values())
    records.keep_listed(listed)
    due = [feed for feed in records.noted_feeds() if _is_due(feed, clock())]
    fetcher = PoliteFetcher(outbound, sleep=sleep)
    report = ReadingReport()
    places = asyncio.Semaphore(FEEDS_AT_ONCE)
    end = time.monotonic() + seconds

    async def read(feed: NotedFeed) -> None:
        async with places:
            if time.monotonic() >= end:
                return
            result = await _result(feed, fetcher, clock=clock, seconds=end - time.monotonic())
            new = await asyncio.to_thread(records.store_reading, result)
        _count(report, result, new)

    # The longest wait goes first, so that no feed is left out run after run.
    due.sort(key=lambda feed: (feed.checked_at is not None, feed.checked_at, feed.url))
    outcomes = await asyncio.gather(*(read(feed) for feed in due), return_exceptions=True)
    records.forget_old_sources()
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return report


def _is_due(feed: NotedFeed, now: datetime) -> bool:
    if feed.checked_at is None:
        return True
    without_feed = feed.origin == "settlement" and feed.feed_url is None and feed.status != "read"
    return now - feed.checked_at >= (SETTLEMENT_AGAIN_AFTER if without_feed else AGAIN_AFTER[feed.status])


def _count(report: ReadingReport, result: FeedResult, new: int) -> None:
    report.feeds += 1
    report.new_sources += new
    report.unchanged += result.status == "unchanged"
    if result.problem is not None:
        report.problems[result.url] = result.problem
        logger().warning("a feed could not be read", feed=result.url.partition("?")[0], problem=result.problem)


async def _result(
    feed: NotedFeed, fetcher: PoliteFetcher, *, clock: Callable[[], datetime], seconds: float
) -> FeedResult:
    """How the feed answers. Never raises: whatever a feed does is a result."""
    try:
        async with asyncio.timeout(seconds):
            return await _read(feed, fetcher, clock)
    except TimeoutError:
        return FeedResult(url=feed.url, status="failed", problem="no time was left in this run")
    except (SourceRefused, InvalidInput) as error:
        return FeedResult(url=feed.url, status="refused", problem=_short(error))
    except ColiseumError as error:
        return FeedResult(url=feed.url, status="failed", problem=_short(error))
    except Exception as error:  # noqa: BLE001 - a feed that breaks a library must not stop the others
        logger().exception("a feed broke its reader", feed=feed.url.partition("?")[0])
        return FeedResult(url=feed.url, status="failed", problem=f"the reader failed: {type(error).__name__}")


async def _read(feed: NotedFeed, fetcher: PoliteFetcher, clock: Callable[[], datetime]) -> FeedResult:
    url = feed.feed_url or feed.url
    validators = {"if-none-match": feed.etag, "if-modified-since": feed.last_modified}
    answer = await fetcher.get(url, headers={name: value for name, value in validators.items() if value})
    if answer.status == 304:
        return FeedResult(url=feed.url, status="unchanged")
    if answer.status != 200:
        return FeedResult(url=feed.url, status="failed", problem=f"answered {answer.status}")
    try:
        return await _parsed(feed, answer, clock())
    except SourceMalformed:
        if feed.origin == "list" or feed.feed_url is not None:
            raise
    link = feed_link(answer.body, page_url=answer.url)
    if link is None:
        return FeedResult(url=feed.url, status="failed", problem="its page names no feed")
    answer = await fetcher.get(link)
    if answer.status != 200:
        return FeedResult(url=feed.url, status="failed", problem=f"its feed answered {answer.status}")
    return await _parsed(feed, answer, clock(), found=link)


async def _parsed(
    feed: NotedFeed, answer: OutboundAnswer, fetched_at: datetime, *, found: str | None = None
) -> FeedResult:
    reading = await asyncio.to_thread(
        read_feed,
        answer.body,
        feed_url=feed.url,
        publisher=feed.name,
        fetched_at=fetched_at,
        headers=answer.headers,
    )
    return FeedResult(
        url=feed.url,
        status="read",
        feed_url=found,
        etag=_header(answer, "etag"),
        last_modified=_header(answer, "last-modified"),
        sources=reading.sources,
        dropped=reading.dropped,
    )


def _header(answer: OutboundAnswer, name: str) -> str | None:
    """A validator to send back; None for one that is absurdly long."""
    value = answer.headers.get(name, "")
    return value if 0 < len(value) <= 500 and value.isascii() and value.isprintable() else None


def _short(error: ColiseumError) -> str:
    return str(error)[:300]
