"""Reads and writes of the sources' tables: the feeds, and what was read from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from coliseum.arena.records.batches import StoreRecords
from coliseum.arena.sources.source import DatedSource

Origin = Literal["list", "settlement"]
ReadingStatus = Literal["read", "unchanged", "failed", "refused"]
_FEED_COLUMNS = "url,name,origin,series,feed_url,etag,last_modified,status,checked_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedFeed:
    """A feed as it is stored, with what a conditional request needs."""

    url: str
    name: str
    origin: Origin
    series: tuple[str, ...] = ()
    feed_url: str | None = None
    """Of a settlement source: the feed that its page names, once it was found."""
    etag: str | None = None
    last_modified: str | None = None
    status: str = "new"
    checked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedResult:
    """How a reading of a feed ended, and what it found."""

    url: str
    status: ReadingStatus
    problem: str | None = None
    feed_url: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    sources: tuple[DatedSource, ...] = ()
    dropped: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSources:
    """What was known at a time from some feeds, and what is wrong with which of them."""

    sources: tuple[DatedSource, ...]
    problems: Mapping[str, str]
    """By the feed's address: why it was not read at its last try."""


class SourceRecords(StoreRecords):
    """The feeds and the sources. The database sets the time of a reading by its own clock."""

    def note_feeds(self, feeds: Iterable[NotedFeed]) -> None:
        """Make feeds known to the reader. Known ones keep their state."""
        rows = [
            {"url": feed.url, "name": feed.name, "origin": feed.origin, "series": list(feed.series)} for feed in feeds
        ]
        if rows:
            self._store.rpc("arena_note_feeds", {"p_feeds": rows})

    def keep_listed(self, urls: Iterable[str]) -> None:
        """Forget the listed feeds beyond these, with their sources. Settlement sources among them stay as such."""
        self._store.rpc("arena_unlist_feeds", {"p_listed": sorted(urls)})

    def noted_feeds(self) -> tuple[NotedFeed, ...]:
        rows = self._store.select("arena_source_feeds", _FEED_COLUMNS, order=("url",))
        return tuple(_noted_feed(row) for row in rows)

    def store_reading(self, result: FeedResult) -> int:
        """Store a reading. Returns how many of its sources are new."""
        feed = {
            "url": result.url,
            "status": result.status,
            "problem": result.problem,
            "feed_url": result.feed_url,
            "etag": result.etag,
            "last_modified": result.last_modified,
            "items": len(result.sources),
            "dropped": dict(result.dropped or {}),
        }
        rows = [
            {
                "url": source.url,
                "title": source.title,
                "publisher": source.publisher,
                "text": source.text,
                "sha256": source.sha256,
                "published_at": source.published_at.isoformat(),
                "date_only": source.date_only,
            }
            for source in result.sources
        ]
        return int(self._store.rpc("arena_store_reading", {"p_feed": feed, "p_sources": rows}))

    def known_sources(self, feed_urls: Collection[str], *, as_of: datetime) -> KnownSources:
        """What was published and read by `as_of` from these feeds in the last 14 days, the newest 60 of each."""
        if not feed_urls:
            return KnownSources(sources=(), problems={})
        answer = self._store.rpc("arena_known_sources", {"p_feeds": sorted(feed_urls), "p_as_of": as_of.isoformat()})
        unread = {
            row["url"]: row["problem"] or "not read yet"
            for row in answer["feeds"]
            if row["status"] not in {"read", "unchanged"}
        }
        unread |= dict.fromkeys(set(feed_urls) - {row["url"] for row in answer["feeds"]}, "not read yet")
        return KnownSources(sources=tuple(_source(row) for row in answer["sources"]), problems=unread)

    def forget_old_sources(self) -> int:
        """Delete sources that were read 30 days ago. Rounds have copies of what they showed."""
        return int(self._store.rpc("arena_forget_sources", {}))


def _noted_feed(row: Mapping[str, Any]) -> NotedFeed:
    checked = row["checked_at"]
    return NotedFeed(
        url=row["url"],
        name=row["name"],
        origin=row["origin"],
        series=tuple(row["series"]),
        feed_url=row["feed_url"],
        etag=row["etag"],
        last_modified=row["last_modified"],
        status=row["status"],
        checked_at=None if checked is None else datetime.fromisoformat(checked),
    )


def _source(row: Mapping[str, Any]) -> DatedSource:
    return DatedSource(
        url=row["url"],
        title=row["title"],
        publisher=row["publisher"],
        text=row["text"],
        published_at=datetime.fromisoformat(row["published_at"]),
        date_only=row["date_only"],
        fetched_at=datetime.fromisoformat(row["fetched_at"]),
        feed_url=row["feed_url"],
    )
