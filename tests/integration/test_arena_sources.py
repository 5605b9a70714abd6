"""Sources against a real database: what is known when, and which laws no writer can break."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from tests.fixtures.postgres import PostgresServer
from tests.integration.arena_world import enrolled, open_round

from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.sources.records import FeedResult, NotedFeed, SourceRecords
from coliseum.arena.sources.source import DatedSource
from coliseum.errors import SourceRefused
from coliseum.store.client import Store

FEED = "https://f.example/rss?key=secret"


@pytest.fixture
def records(store: Store) -> SourceRecords:
    return SourceRecords(store)


@pytest.fixture(scope="module")
def public(postgres_server: PostgresServer) -> Iterator[Store]:
    """The database as anyone with the publishable key sees it."""
    door = Store(postgres_server.url, postgres_server.publishable_key)
    yield door
    door.close()


def source(title: str = "Prices rise", *, hours: float = 1, text: str = "They rose.", **more: Any) -> DatedSource:
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "url": "https://a.example/1",
        "publisher": "Bureau",
        "published_at": now - timedelta(hours=hours),
        "date_only": False,
        "fetched_at": now,
        "feed_url": FEED,
    }
    return DatedSource(title=title, text=text, **(values | more))


def noted(records: SourceRecords, url: str = FEED) -> None:
    records.note_feeds([NotedFeed(url=url, name="Bureau", origin="list")])


def titles(records: SourceRecords, *, seconds: float = 5.0) -> list[str]:
    known = records.known_sources([FEED], as_of=datetime.now(UTC) + timedelta(seconds=seconds))
    return [one.title for one in known.sources]


def test_what_was_read_is_known_from_then_on_and_stored_once(records: SourceRecords) -> None:
    noted(records)
    before = datetime.now(UTC)
    result = FeedResult(url=FEED, status="read", etag='"1"', sources=(source(),))
    assert (records.store_reading(result), records.store_reading(result)) == (1, 0)
    (known,) = records.known_sources([FEED], as_of=datetime.now(UTC) + timedelta(seconds=5)).sources
    assert known.sha256 == source().sha256
    assert known.fetched_at > before
    assert records.known_sources([FEED], as_of=before).sources == ()


def test_a_text_that_changes_is_a_second_source_with_its_own_time(records: SourceRecords) -> None:
    noted(records)
    for text in ("They rose.", "They fell, we now say."):
        records.store_reading(FeedResult(url=FEED, status="read", sources=(source(text=text),)))
    known = records.known_sources([FEED], as_of=datetime.now(UTC) + timedelta(seconds=5)).sources
    assert [one.text for one in known] == ["They rose.", "They fell, we now say."]
    assert known[0].fetched_at < known[1].fetched_at


def test_a_day_without_a_time_is_stored_at_once_and_known_when_it_is_over(records: SourceRecords) -> None:
    noted(records)
    records.store_reading(FeedResult(url=FEED, status="read", sources=(source(hours=-20, date_only=True),)))
    assert titles(records) == []
    assert titles(records, seconds=21 * 3600) == ["Prices rise"]


def test_what_is_published_later_than_it_was_read_is_not_stored(records: SourceRecords) -> None:
    noted(records)
    late = FeedResult(url=FEED, status="read", sources=(source(hours=-1), source("Now", url="https://a.example/2")))
    assert records.store_reading(late) == 1
    assert titles(records, seconds=7200) == ["Now"]


def test_a_failed_reading_keeps_its_reason_and_takes_nothing_away(records: SourceRecords) -> None:
    noted(records)
    records.store_reading(FeedResult(url=FEED, status="read", etag='"1"', sources=(source(),)))
    records.store_reading(FeedResult(url=FEED, status="failed", problem="answered 503"))
    known = records.known_sources([FEED], as_of=datetime.now(UTC) + timedelta(seconds=5))
    assert (len(known.sources), known.problems) == (1, {FEED: "answered 503"})
    (feed,) = records.noted_feeds()
    assert (feed.etag, feed.status) == ('"1"', "failed")


def test_settlement_sources_gather_their_series_and_the_list_wins(records: SourceRecords) -> None:
    for series in ("KXA", "KXB", "KXA"):
        records.note_feeds([NotedFeed(url=FEED, name="Desk", origin="settlement", series=(series,))])
    (feed,) = records.noted_feeds()
    assert (feed.name, feed.origin, feed.series) == ("Desk", "settlement", ("KXA", "KXB"))
    noted(records)
    records.note_feeds([NotedFeed(url=FEED, name="Desk", origin="settlement", series=("KXC",))])
    (feed,) = records.noted_feeds()
    assert (feed.name, feed.origin, feed.series) == ("Bureau", "list", ("KXA", "KXB", "KXC"))


def test_a_feed_that_left_the_list_is_forgotten_unless_it_settles_a_series(records: SourceRecords) -> None:
    for url in (FEED, "https://b.example/rss", "https://c.example/rss"):
        noted(records, url)
    records.store_reading(FeedResult(url=FEED, status="read", sources=(source(),)))
    records.note_feeds([NotedFeed(url="https://b.example/rss", name="Desk", origin="settlement", series=("KXA",))])
    records.keep_listed(["https://c.example/rss"])
    assert [(feed.url, feed.origin) for feed in records.noted_feeds()] == [
        ("https://b.example/rss", "settlement"),
        ("https://c.example/rss", "list"),
    ]
    assert titles(records) == []
    records.keep_listed([])
    assert [feed.origin for feed in records.noted_feeds()] == ["settlement"]


def test_only_the_last_settlement_sources_are_kept(records: SourceRecords) -> None:
    noted(records)
    for part in range(3):
        urls = [f"https://s{part}-{number}.example/" for number in range(100)]
        records.note_feeds(NotedFeed(url=url, name="S", origin="settlement") for url in urls)
    kept = [feed.url for feed in records.noted_feeds()]
    assert len(kept) == 201
    assert FEED in kept
    assert not any(url.startswith("https://s0-") for url in kept)


def test_old_sources_are_forgotten(records: SourceRecords, postgres_server: PostgresServer) -> None:
    noted(records)
    records.store_reading(FeedResult(url=FEED, status="read", sources=(source(),)))
    assert records.forget_old_sources() == 0
    postgres_server.execute(
        "set session_replication_role = replica;"
        " update public.arena_sources"
        " set fetched_at = now() - interval '31 days', published_at = now() - interval '32 days'"
    )
    assert records.forget_old_sources() == 1


def test_a_stored_source_is_never_changed(records: SourceRecords, postgres_server: PostgresServer) -> None:
    noted(records)
    records.store_reading(FeedResult(url=FEED, status="read", sources=(source(),)))
    with pytest.raises(psycopg.Error, match="never changed"):
        postgres_server.execute("update public.arena_sources set fetched_at = fetched_at - interval '1 day'")


def test_the_public_sees_how_feeds_stand_but_neither_keys_nor_texts(records: SourceRecords, public: Store) -> None:
    noted(records)
    records.store_reading(FeedResult(url=FEED, status="read", sources=(source(),), dropped={"no_date": 2}))
    (row,) = public.select("public_arena_source_feeds", "url,name,status,items,dropped", order=("url",))
    assert row == {
        "url": "https://f.example/rss",
        "name": "Bureau",
        "status": "read",
        "items": 1,
        "dropped": {"no_date": 2},
    }
    for table in ("arena_sources", "arena_source_feeds"):
        with pytest.raises(SourceRefused):
            public.select(table, "url", order=("url",))


SHOWN = {
    "title": "T",
    "url": "https://a.example/1",
    "publisher": "P",
    "text": "X",
    "published_at": "2026-11-21T06:00:00Z",
    "fetched_at": "2026-11-21T06:30:00Z",
    "sha256": hashlib.sha256(b"T\nX").hexdigest(),
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"published_at": "2026-11-21T07:00:01Z"}, "was not known"),
        ({"fetched_at": "2026-11-21T07:00:01Z"}, "was not known"),
        ({"published_at": None}, "was not known"),
        ({"text": "Y"}, "another hash"),
        ({"sha256": None}, "another hash"),
    ],
)
def test_the_database_refuses_a_context_with_a_source_from_later_or_with_another_hash(
    records: SourceRecords, postgres_server: PostgresServer, change: dict[str, Any], problem: str | None
) -> None:
    arena = ArenaRecords(records.store)
    enrolled(arena)
    open_round(arena)
    context = {"as_of": "2026-11-21T07:00:00Z", "sources": [{**SHOWN, **change}]}
    values = json.dumps({"ticker": "B", "context": context})
    copy = (
        f"insert into public.arena_round_markets select (jsonb_populate_record(m, $values${values}$values$)).*"  # noqa: S608 - our own values
        " from public.arena_round_markets m where m.ticker = 'A'"
    )
    if problem is None:
        postgres_server.execute(copy)
    else:
        with pytest.raises(psycopg.errors.CheckViolation, match=problem):
            postgres_server.execute(copy)
