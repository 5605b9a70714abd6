"""What contestants of one market are shown, from what was stored and what a search finds; and that nothing delays."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.unit.arena.sources.web import Web

from coliseum.arena.sources import gathering
from coliseum.arena.sources.catalogue import NewsFeed
from coliseum.arena.sources.gathering import GatheredSources, SourceGatherer, SourceQuestion
from coliseum.arena.sources.records import KnownSources, NotedFeed
from coliseum.arena.sources.source import DatedSource
from coliseum.errors import SourceUnavailable
from coliseum.outbound.client import Outbound

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
ECON = NewsFeed(name="Bureau", url="https://econ.example/rss", categories=("Economics",))
OWN = NewsFeed(name="CPI Desk", url="https://cpi.example/rss", series=("KXCPI*",))
SPORT = NewsFeed(name="Court", url="https://sport.example/rss", categories=("Sports",))
QUESTION = SourceQuestion(
    ticker="KXCPI-1",
    series_ticker="KXCPI",
    category="Economics",
    title="Will inflation exceed 3 %?",
    text="Will inflation exceed 3 %? Inflation of the Consumer Price Index",
    settlement=(("BLS", "https://bls.example/cpi"), ("Plain", "http://bls.example/"), ("Inside", "https://10.0.0.1/")),
)


def news(title: str, feed_url: str, *, hours: float = 1.0) -> DatedSource:
    at = NOW - timedelta(hours=hours)
    return DatedSource(
        url=f"https://news.example/{title}",
        title=title,
        publisher="P",
        text="",
        published_at=at,
        date_only=False,
        fetched_at=at,
        feed_url=feed_url,
    )


@dataclass
class Stored:
    """The records in memory."""

    sources: tuple[DatedSource, ...] = ()
    problems: dict[str, str] = field(default_factory=dict)
    noted: list[NotedFeed] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def note_feeds(self, feeds: Iterable[NotedFeed]) -> None:
        self.noted += feeds

    def known_sources(self, feed_urls: Collection[str], *, as_of: datetime) -> KnownSources:
        self.asked |= set(feed_urls)
        return KnownSources(sources=self.sources, problems=self.problems)


@dataclass
class Search:
    """A search provider of the test's own."""

    found: list[DatedSource] | Exception | float
    """Results, an error, or the seconds that it takes to find nothing."""
    address: str = "https://search.example/"

    async def search(self, outbound: Outbound, query: str, *, as_of: datetime) -> list[DatedSource]:
        if isinstance(self.found, float):
            await asyncio.sleep(self.found)
            return []
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def gather(stored: Stored, search: Search | None = None) -> GatheredSources:
    records: Any = stored
    gatherer = SourceGatherer(
        lambda: records,
        feeds=(ECON, OWN, SPORT),
        clock=lambda: NOW,
        search=search,
        outbound=lambda: Web({}).outbound(),
    )
    return gatherer.gather([QUESTION])[QUESTION.ticker]


def titles(gathered: GatheredSources) -> list[str]:
    return [source["title"] for source in gathered.shown]


def test_sources_come_from_feeds_of_category_and_series_and_from_settlement_sources() -> None:
    stored = Stored(
        (
            news("Inflation rises", ECON.url),
            news("Release calendar", OWN.url),
            news("Table 1", "https://bls.example/cpi"),
            news("Inflation of sports salaries", SPORT.url),
            news("Snow in the Alps", ECON.url),
        )
    )
    gathered = gather(stored)
    assert set(titles(gathered)) == {"Inflation rises", "Release calendar", "Table 1"}
    assert stored.asked == {ECON.url, OWN.url, "https://bls.example/cpi"}
    assert gathered.report == {"known": 4, "problems": []}


def test_settlement_sources_that_may_be_called_are_noted_for_the_reader() -> None:
    stored = Stored()
    gather(stored)
    assert [(feed.url, feed.name, feed.origin, feed.series) for feed in stored.noted] == [
        ("https://bls.example/cpi", "BLS", "settlement", ("KXCPI",))
    ]


def test_a_feed_that_could_not_be_read_is_named_with_its_reason() -> None:
    gathered = gather(Stored(problems={ECON.url: "answered 503", SPORT.url: "answered 404"}))
    assert gathered.report["problems"] == ["Bureau: answered 503"]


def test_a_context_names_a_limited_number_of_feeds_that_fail() -> None:
    many = tuple(NewsFeed(name=f"F{n}", url=f"https://f{n}.example/", categories=("Economics",)) for n in range(90))
    records: Any = Stored(problems={feed.url: "answered 503" for feed in many})
    gatherer = SourceGatherer(lambda: records, feeds=many, clock=lambda: NOW)
    assert len(gatherer.gather([QUESTION])[QUESTION.ticker].report["problems"]) == 20


def test_what_a_search_finds_is_cut_by_our_own_dates() -> None:
    search = Search([news("Found", "https://search.example/"), news("Ahead", "https://search.example/", hours=-1)])
    assert titles(gather(Stored(), search)) == ["Found"]


def test_a_search_that_fails_is_a_reason_and_leaves_what_is_stored() -> None:
    stored = Stored((news("Inflation rises", ECON.url),))
    gathered = gather(stored, Search(SourceUnavailable("exa", "answered 500")))
    assert titles(gathered) == ["Inflation rises"]
    assert gathered.report["problems"] == ["search: exa: answered 500"]


def test_a_search_that_hangs_is_left_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "SEARCH_SECONDS", 0.05)
    gathered = gather(Stored((news("Inflation rises", ECON.url),)), Search(3600.0))
    assert titles(gathered) == ["Inflation rises"]
    assert gathered.report["problems"] == ["search: no time was left"]
