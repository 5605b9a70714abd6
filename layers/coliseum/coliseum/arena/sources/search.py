"""News by a search provider, once per market. The first adapter is Exa's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from coliseum.arena.calendar import time_text
from coliseum.arena.sources.choice import OLDEST
from coliseum.arena.sources.dates import published_date
from coliseum.arena.sources.odds import quotes_odds
from coliseum.arena.sources.source import DatedSource, cleaned
from coliseum.errors import SourceMalformed, SourceRateLimited, SourceRefused, SourceUnavailable
from coliseum.outbound.client import Outbound, OutboundRequest

EXA_ADDRESS = "https://api.exa.ai/search"
RESULTS = 10
SECONDS = 6.0
MOST_BYTES = 1_048_576
LONGEST_QUERY = 400


class SourceSearch(Protocol):
    """A search provider. What it finds is cut again by our own rules: its dates are estimates."""

    address: str
    """Stands for the provider where a source names its feed."""

    async def search(self, outbound: Outbound, query: str, *, as_of: datetime) -> list[DatedSource]:
        """Sources for a question that were published by `as_of`. Raises SourceError."""
        ...


class ExaSearch:
    """Exa's `/search`: one request per market, about 0.7 US cents each in November 2026."""

    address = EXA_ADDRESS

    def __init__(self, key: str, *, clock: Callable[[], datetime]) -> None:
        self._key = key
        self._clock = clock

    async def search(self, outbound: Outbound, query: str, *, as_of: datetime) -> list[DatedSource]:
        """Raises SourceError: unavailable, refused, rate limited, or malformed."""
        body = {
            "query": query[:LONGEST_QUERY],
            "type": "auto",
            "numResults": RESULTS,
            "startPublishedDate": time_text(as_of - OLDEST),
            "endPublishedDate": time_text(as_of),
            "contents": {"text": {"maxCharacters": 1000}},
        }
        answer = await outbound.send(
            OutboundRequest(
                url=EXA_ADDRESS,
                method="POST",
                headers={"content-type": "application/json", "accept": "application/json", "x-api-key": self._key},
                body=json.dumps(body).encode(),
                seconds=SECONDS,
                most_bytes=MOST_BYTES,
            )
        )
        if answer.status == 429:
            raise SourceRateLimited("exa", "answered 429", status=429)
        if answer.status >= 500:
            raise SourceUnavailable("exa", f"answered {answer.status}", status=answer.status)
        if answer.status != 200:
            raise SourceRefused("exa", f"answered {answer.status}", status=answer.status)
        return exa_sources(answer.body, fetched_at=self._clock())


def exa_sources(body: bytes, *, fetched_at: datetime) -> list[DatedSource]:
    """The usable results of an answer of Exa. Pure. Raises SourceMalformed.

    Results are dropped without title, address or a date that counts, and where they quote odds.
    """
    try:
        results = json.loads(body)["results"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SourceMalformed("exa", 'expected {"results": […]}', field="results") from None
    if not isinstance(results, list):
        raise SourceMalformed("exa", "expected a list", field="results")
    found = (_source(result, fetched_at) for result in results[:RESULTS] if isinstance(result, Mapping))
    return [source for source in found if source is not None]


def _source(result: Mapping[str, Any], fetched_at: datetime) -> DatedSource | None:
    fields = {name: result.get(name) for name in ("url", "title", "text", "publishedDate", "author")}
    texts = {name: value if isinstance(value, str) else "" for name, value in fields.items()}
    published = published_date(_day_or_time(texts["publishedDate"]), fetched_at=fetched_at)
    if published is None or not texts["url"].startswith(("https://", "http://")):
        return None
    source = cleaned(
        url=texts["url"],
        title=texts["title"],
        publisher=texts["author"] or _host(texts["url"]),
        text=texts["text"],
        published_at=published.at,
        date_only=published.date_only,
        fetched_at=fetched_at,
        feed_url=EXA_ADDRESS,
    )
    odds = quotes_odds(url=source.url, title=source.title, text=source.text)
    return source if source.title and not odds else None


def _day_or_time(date: str) -> str:
    """Exa estimates dates from pages. Midnight sharp means that it found a day without a time."""
    day, _, rest = date.partition("T")
    return day if rest in {"00:00:00.000Z", "00:00:00Z", "00:00:00.000", "00:00:00"} else date


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
