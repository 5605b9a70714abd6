"""The reader against a small web: each way in which a feed can end, and that none of them stops another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.unit.arena.sources.test_parse import item, rss
from tests.unit.arena.sources.web import Page, Web

from coliseum.arena.sources.catalogue import NewsFeed
from coliseum.arena.sources.reading import ReadingReport, read_feeds
from coliseum.arena.sources.records import FeedResult, NotedFeed

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
GOOD: Page = (200, {"etag": '"v1"', "last-modified": "Mon, 30 Nov 2026 09:00:00 GMT"}, rss(item()).encode())


@dataclass
class Shelf:
    """The records in memory."""

    feeds: dict[str, NotedFeed] = field(default_factory=dict)
    results: list[FeedResult] = field(default_factory=list)

    def note_feeds(self, feeds: Iterable[NotedFeed]) -> None:
        for feed in feeds:
            self.feeds.setdefault(feed.url, feed)

    def keep_listed(self, urls: Iterable[str]) -> None:
        listed = set(urls)
        self.feeds = {url: one for url, one in self.feeds.items() if one.origin == "settlement" or url in listed}

    def noted_feeds(self) -> tuple[NotedFeed, ...]:
        return tuple(self.feeds.values())

    def store_reading(self, result: FeedResult) -> int:
        self.results.append(result)
        return len(result.sources)

    def forget_old_sources(self) -> int:
        return 0

    @property
    def by_url(self) -> dict[str, FeedResult]:
        return {result.url: result for result in self.results}


def feed(url: str) -> NewsFeed:
    return NewsFeed(name="Bureau", url=url, categories=("Economics",))


def read(web: Web, shelf: Shelf, *urls: str, now: datetime = NOW, seconds: float = 60.0) -> ReadingReport:
    async def no_sleep(seconds: float) -> None:
        return None

    async def run() -> ReadingReport:
        async with web.outbound() as outbound:
            return await read_feeds(
                shelf, [feed(url) for url in urls], outbound, clock=lambda: now, seconds=seconds, sleep=no_sleep
            )

    return asyncio.run(run())


def test_a_feed_is_read_with_what_the_next_conditional_request_needs() -> None:
    shelf = Shelf()
    report = read(Web({"a.example/rss": GOOD}), shelf, "https://a.example/rss")
    (result,) = shelf.results
    assert (result.status, result.etag, result.last_modified) == ("read", '"v1"', "Mon, 30 Nov 2026 09:00:00 GMT")
    assert (report.feeds, report.new_sources, report.problems) == (1, 1, {})


def test_an_unchanged_feed_costs_one_conditional_request() -> None:
    shelf = Shelf(
        {"https://a.example/rss": NotedFeed(url="https://a.example/rss", name="B", origin="list", etag='"v1"')}
    )
    web = Web({"a.example/rss": (304, {}, b"")})
    report = read(web, shelf, "https://a.example/rss")
    assert (shelf.results[0].status, report.unchanged) == ("unchanged", 1)
    assert web.headers[-1]["if-none-match"] == '"v1"'


BAD: dict[str, tuple[Page | Exception, str]] = {
    "gone": ((410, {}, b""), "failed"),
    "broken": ((500, {}, b""), "failed"),
    "silent": (httpx.ReadTimeout("slow"), "failed"),
    "no-feed": ((200, {}, b"<html>hello</html>"), "failed"),
    "doctype": ((200, {}, b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + rss(item()).encode()), "failed"),
    "large": ((200, {}, b"<rss>" + b"x" * 1_048_577), "failed"),
    "gzip": ((200, {"content-encoding": "gzip"}, b"\x1f\x8b"), "failed"),
    "plain": ((302, {"location": "http://a.example/"}, b""), "refused"),
    "inside": ((302, {"location": "https://inside.example/"}, b""), "refused"),
    "metadata": ((302, {"location": "https://169.254.169.254/"}, b""), "refused"),
    "circle": ((302, {"location": "/circle"}, b""), "refused"),
    "fault": (RuntimeError("a library broke"), "failed"),
}


def test_every_failure_is_a_result_with_its_reason_and_stops_no_other_feed() -> None:
    pages: dict[str, Page | Exception] = {f"{name}.example/{name}": page for name, (page, _) in BAD.items()}
    web = Web({**pages, "good.example/rss": GOOD}, private=frozenset({"inside.example", "private.example"}))
    shelf = Shelf()
    urls = {f"https://{name}.example/{name}": status for name, (_, status) in BAD.items()}
    urls["https://private.example/rss"] = "refused"
    report = read(web, shelf, *urls, "https://good.example/rss")
    found = {url: result.status for url, result in shelf.by_url.items()}
    assert found == {**urls, "https://good.example/rss": "read"}
    assert report.problems.keys() == urls.keys()
    assert report.new_sources == 1
    assert not any("inside.example" in address or "private" in address for address in web.asked)


def test_a_run_without_time_reads_nothing_and_says_nothing_wrong_of_any_feed() -> None:
    shelf = Shelf()
    report = read(Web({"a.example/rss": GOOD}), shelf, "https://a.example/rss", seconds=0)
    assert (report.feeds, shelf.results) == (0, [])


@pytest.mark.parametrize(
    ("status", "minutes", "due"),
    [("read", 3, False), ("read", 5, True), ("failed", 5, False), ("failed", 15, True), ("refused", 600, False)],
)
def test_a_feed_is_tried_again_after_a_time_that_depends_on_how_it_ended(status: str, minutes: int, due: bool) -> None:
    url = "https://a.example/rss"
    known = NotedFeed(url=url, name="B", origin="list", status=status, checked_at=NOW - timedelta(minutes=minutes))
    shelf = Shelf({url: known})
    read(Web({"a.example/rss": GOOD}), shelf, url)
    assert bool(shelf.results) is due


def test_a_feed_that_left_the_list_is_not_read_any_more() -> None:
    shelf = Shelf({"https://old.example/rss": NotedFeed(url="https://old.example/rss", name="B", origin="list")})
    read(Web({"a.example/rss": GOOD}), shelf, "https://a.example/rss")
    assert [result.url for result in shelf.results] == ["https://a.example/rss"]


SETTLEMENT = NotedFeed(url="https://desk.example/", name="Desk", origin="settlement", series=("KXCPI",))


def test_the_feed_that_a_settlement_source_names_is_found_read_and_remembered() -> None:
    page = b'<html><link rel="alternate" type="application/rss+xml" href="/feed.xml"></html>'
    shelf = Shelf({SETTLEMENT.url: SETTLEMENT})
    web = Web({"desk.example/": (200, {}, page), "desk.example/feed.xml": GOOD})
    read(web, shelf)
    (result,) = shelf.results
    assert (result.status, result.feed_url, len(result.sources)) == ("read", "https://desk.example/feed.xml", 1)
    assert result.sources[0].feed_url == SETTLEMENT.url
    known = replace(SETTLEMENT, feed_url=result.feed_url)
    read(web, Shelf({known.url: known}))
    assert web.asked[-1] == "desk.example/feed.xml"


def test_a_settlement_source_without_a_feed_is_looked_at_once_a_day() -> None:
    web = Web({"desk.example/": (200, {}, b"<html>a table</html>")})
    shelf = Shelf({SETTLEMENT.url: SETTLEMENT})
    read(web, shelf)
    assert (shelf.results[0].status, shelf.results[0].problem) == ("failed", "its page names no feed")
    for hours, due in ((23, False), (25, True)):
        tried = replace(SETTLEMENT, status="failed", checked_at=NOW - timedelta(hours=hours))
        again = Shelf({tried.url: tried})
        read(web, again)
        assert bool(again.results) is due
