"""RSS and Atom into dated sources. The only importer of feedparser.

feedparser gets bytes in a stream, never a text: it would open a text that names a file or an address.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

import feedparser  # type: ignore[import-untyped]  # it has no types

from coliseum.arena.sources.dates import published_date
from coliseum.arena.sources.odds import quotes_odds
from coliseum.arena.sources.source import DatedSource, cleaned
from coliseum.errors import SourceMalformed

MOST_BYTES = 1_048_576
MOST_TAGS = 40_000
"""Feeds of a hundred items have a few thousand. feedparser's time grows faster than the depth of nested tags."""
MOST_ATTRIBUTES = 5_000
"""Of one tag, counted by its signs of equality. feedparser's time grows with the square of their number."""
MOST_ITEMS = 100
"""The first ones of a feed are read: feeds have the newest first."""

_BARE = re.compile(rb"&(?![A-Za-z][A-Za-z0-9]{1,31};|#[0-9]{1,7};|#[xX][0-9A-Fa-f]{1,6};)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReading:
    """The usable items of a feed, and how many were dropped, by reason."""

    title: str
    sources: tuple[DatedSource, ...]
    dropped: Mapping[str, int]


def read_feed(
    body: bytes, *, feed_url: str, publisher: str, fetched_at: datetime, headers: Mapping[str, str] | None = None
) -> FeedReading:
    """The dated sources of a feed's bytes. `headers` may hold `content-type`, whose character set counts.

    Items are dropped without a title, without an https or http link, without a date that counts (see `published_date`),
    and where they quote odds. Raises SourceMalformed for what is no feed, is too large, or has a document type, which
    may define entities that grow without end.
    """
    _check(body, feed_url)
    known = {name: value for name, value in (headers or {}).items() if name == "content-type"}
    document = feedparser.parse(
        BytesIO(_mended(body)), response_headers=known, sanitize_html=False, resolve_relative_uris=False
    )
    if not document.get("version"):
        raise SourceMalformed(feed_url, "expected an RSS or Atom feed", field="body")
    sources: list[DatedSource] = []
    dropped: Counter[str] = Counter()
    for entry in document.entries[:MOST_ITEMS]:
        source = _source(entry, feed_url=feed_url, publisher=publisher, fetched_at=fetched_at)
        if isinstance(source, str):
            dropped[source] += 1
        else:
            sources.append(source)
    title = document.feed.get("title")
    return FeedReading(title=title if isinstance(title, str) else "", sources=tuple(sources), dropped=dict(dropped))


def _check(body: bytes, feed_url: str) -> None:
    if len(body) > MOST_BYTES or body.count(b"<") > MOST_TAGS * 2:
        raise SourceMalformed(feed_url, f"expected at most {MOST_BYTES} bytes and {MOST_TAGS} elements", field="body")
    # UTF-16 and UTF-32 have NUL bytes between the letters, and no feed has any else.
    plain = body.replace(b"\x00", b"").lower()
    if b"<!doctype" in plain or b"<!entity" in plain:
        raise SourceMalformed(feed_url, "expected no document type", field="body")
    if max(part.count(b"=") for part in plain.split(b"<")) > MOST_ATTRIBUTES:
        raise SourceMalformed(feed_url, f"expected at most {MOST_ATTRIBUTES} attributes of a tag", field="body")


def _mended(body: bytes) -> bytes:
    """With `&amp;` for every `&` that begins no entity: many feeds have such ones, and `AT&T` would become `AT&T;`."""
    return body if b"\x00" in body else _BARE.sub(b"&amp;", body)


def _source(entry: Any, *, feed_url: str, publisher: str, fetched_at: datetime) -> DatedSource | str:
    """The source, or the reason why the entry is none."""
    date = _text(entry, "published") or _text(entry, "updated")
    published = published_date(date, fetched_at=fetched_at)
    if published is None:
        return "no_date" if not date else "date_does_not_count"
    source = cleaned(
        url=_text(entry, "link"),
        title=_text(entry, "title"),
        publisher=publisher,
        text=_text(entry, "summary") or _content(entry),
        published_at=published.at,
        date_only=published.date_only,
        fetched_at=fetched_at,
        feed_url=feed_url,
    )
    if not source.title:
        return "no_title"
    if not source.url.startswith(("https://", "http://")):
        return "no_link"
    if quotes_odds(url=source.url, title=source.title, text=source.text):
        return "quotes_odds"
    return source


def _text(entry: Any, name: str) -> str:
    """A field as text. `dict.get`, because feedparser's own one answers with other fields where one is missing."""
    value = dict.get(entry, name)
    return value if isinstance(value, str) else ""


def _content(entry: Any) -> str:
    contents = dict.get(entry, "content")
    first = contents[0] if isinstance(contents, list) and contents else None
    return _text(first, "value") if isinstance(first, dict) else ""
