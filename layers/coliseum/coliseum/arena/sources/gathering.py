"""The sources of a round's markets, when it opens: what the reader stored, and what a search finds.

Nothing here can stop or noticeably delay a round. What fails leaves fewer sources, and its reason in the context.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coliseum.arena.sources.catalogue import NewsFeed
from coliseum.arena.sources.choice import Question, chosen_sources
from coliseum.arena.sources.records import KnownSources, NotedFeed, SourceRecords
from coliseum.arena.sources.search import SourceSearch
from coliseum.arena.sources.source import DatedSource
from coliseum.errors import ColiseumError, InvalidInput
from coliseum.observability import logger
from coliseum.outbound.client import Outbound
from coliseum.outbound.targets import target

SEARCHES_AT_ONCE = 4
SEARCH_SECONDS = 8.0
"""For all searches of a round together. API Gateway gives an opening 29 s."""

MOST_PROBLEMS = 20
"""Reasons in one context. `GET /arena/sources` has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceQuestion:
    """A market that sources are wanted for."""

    ticker: str
    series_ticker: str
    category: str
    title: str
    text: str
    """Title, outcome and rules."""
    settlement: tuple[tuple[str, str], ...] = ()
    """Name and address of the sources by which the exchange settles the series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheredSources:
    """What the contestants of one market are shown, and what was tried for it."""

    shown: tuple[Mapping[str, str], ...] = ()
    report: Mapping[str, Any]
    """`known`: sources that there were to choose from; `problems`: what could not be read, with its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Material:
    """What there is to choose from, for all markets of a round."""

    known: KnownSources
    found: Mapping[str, list[DatedSource] | str]
    """By ticker: what a search found, or why it failed."""
    problems: tuple[str, ...]
    as_of: datetime


class SourceGatherer:
    """Gathers sources when a round opens."""

    def __init__(
        self,
        records: Callable[[], SourceRecords],
        *,
        feeds: Sequence[NewsFeed],
        clock: Callable[[], datetime],
        search: SourceSearch | None = None,
        outbound: Callable[[], Outbound] = Outbound,
    ) -> None:
        self._records = records
        self._feeds = feeds
        self._clock = clock
        self._search = search
        self._outbound = outbound

    def gather(self, questions: Sequence[SourceQuestion]) -> dict[str, GatheredSources]:
        """The sources of each market by its ticker. Never raises for a source that fails."""
        settlement = {question.ticker: _callable_addresses(question) for question in questions}
        problems: list[str] = []
        found: dict[str, list[DatedSource] | str] = {}
        if self._search is not None and questions:
            found = asyncio.run(self._search_all(questions))
        as_of = self._clock()
        known = KnownSources(sources=(), problems={})
        try:
            self._note(questions, settlement)
            wanted = {feed.url for question in questions for feed in self._feeds_of(question)}
            wanted |= {url for urls in settlement.values() for url in urls}
            known = self._records().known_sources(wanted, as_of=as_of)
        except ColiseumError as error:
            logger().warning("sources could not be read", problem=str(error))
            problems.append(f"stored sources: {error}")
        material = _Material(known=known, found=found, problems=tuple(problems), as_of=as_of)
        return {
            question.ticker: self._gathered(question, settlement[question.ticker], material) for question in questions
        }

    def _gathered(
        self, question: SourceQuestion, settlement: Mapping[str, str], material: _Material
    ) -> GatheredSources:
        feeds = self._feeds_of(question)
        named = {feed.url: feed.name for feed in feeds} | dict(settlement)
        own = {feed.url for feed in feeds if feed.names_series(question.series_ticker)} | set(settlement)
        search = set() if self._search is None else {self._search.address}
        results = material.found.get(question.ticker, [])
        found, failed = ([], [f"search: {results}"]) if isinstance(results, str) else (results, [])
        sources = [*found, *(source for source in material.known.sources if source.feed_url in named)]
        chosen = chosen_sources(
            Question(text=question.text, own_feeds=own | search, feeds=named.keys() | search),
            sources,
            as_of=material.as_of,
        )
        unread = [f"{named[url]}: {problem}" for url, problem in material.known.problems.items() if url in named]
        problems = [*material.problems, *failed, *unread][:MOST_PROBLEMS]
        report = {"known": len(sources), "problems": problems}
        return GatheredSources(shown=tuple(source.shown() for source in chosen), report=report)

    def _feeds_of(self, question: SourceQuestion) -> list[NewsFeed]:
        return [
            feed
            for feed in self._feeds
            if feed.is_for(category=question.category, series_ticker=question.series_ticker)
        ]

    def _note(self, questions: Sequence[SourceQuestion], settlement: Mapping[str, Mapping[str, str]]) -> None:
        """Tell the reader of settlement sources, so that later rounds of the series have what they publish."""
        series: dict[str, set[str]] = {}
        names: dict[str, str] = {}
        for question in questions:
            for url, name in settlement[question.ticker].items():
                series.setdefault(url, set()).add(question.series_ticker)
                names[url] = name
        self._records().note_feeds(
            NotedFeed(url=url, name=names[url], origin="settlement", series=tuple(sorted(tickers)))
            for url, tickers in series.items()
        )

    async def _search_all(self, questions: Sequence[SourceQuestion]) -> dict[str, list[DatedSource] | str]:
        """What the search finds for each market, or why it found nothing."""
        found: dict[str, list[DatedSource] | str] = {question.ticker: "no time was left" for question in questions}
        places = asyncio.Semaphore(SEARCHES_AT_ONCE)

        async def ask(question: SourceQuestion, outbound: Outbound) -> None:
            assert self._search is not None
            async with places:
                try:
                    found[question.ticker] = await self._search.search(outbound, question.title, as_of=self._clock())
                except ColiseumError as error:
                    found[question.ticker] = str(error)[:200]

        try:
            async with asyncio.timeout(SEARCH_SECONDS), self._outbound() as outbound:
                await asyncio.gather(*(ask(question, outbound) for question in questions))
        except TimeoutError:
            logger().warning("searches took too long", seconds=SEARCH_SECONDS)
        return found


def _callable_addresses(question: SourceQuestion) -> dict[str, str]:
    """Names of the settlement sources by address, without those that may not be called."""
    found: dict[str, str] = {}
    for name, url in question.settlement:
        try:
            found[target(url).url] = (name or target(url).host)[:100]
        except InvalidInput:
            continue
    return found
