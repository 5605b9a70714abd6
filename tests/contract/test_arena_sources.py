"""The feeds of the informed track over HTTP: how each was last read, without keys and texts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from functions.arena.app import build
from starlette.testclient import TestClient
from tests.contract.rest_world import API, check, client_of, settings_of
from tests.fixtures.postgres import PostgresServer

from coliseum.arena.sources.records import FeedResult, NotedFeed, SourceRecords
from coliseum.arena.sources.source import DatedSource
from coliseum.store.client import Store

GOOD, BROKEN = "https://a.example/rss?key=s3cret", "https://b.example/rss"


@pytest.fixture
def client(postgres_server: PostgresServer, store: Store) -> Iterator[TestClient]:
    records = SourceRecords(store)
    records.note_feeds([NotedFeed(url=GOOD, name="Bureau", origin="list")])
    records.note_feeds([NotedFeed(url=BROKEN, name="Desk", origin="settlement", series=("KXCPI",))])
    now = datetime.now(UTC)
    source = DatedSource(
        url="https://a.example/1",
        title="Prices rise",
        publisher="Bureau",
        text="A text of others",
        published_at=now - timedelta(hours=1),
        date_only=False,
        fetched_at=now,
        feed_url=GOOD,
    )
    records.store_reading(FeedResult(url=GOOD, status="read", sources=(source,), dropped={"quotes_odds": 2}))
    records.store_reading(FeedResult(url=BROKEN, status="failed", problem="answered 503"))
    with client_of(build(settings_of(postgres=postgres_server))) as client:
        yield client


def test_every_feed_says_how_it_was_last_read(client: TestClient) -> None:
    body = client.get(f"{API}/arena/sources").json()
    check("/arena/sources", 200, body)
    bureau, desk = body["items"]
    assert (bureau["name"], bureau["status"], bureau["items"], bureau["dropped"]) == (
        *("Bureau", "read", 1),
        {"quotes_odds": 2},
    )
    assert (desk["origin"], desk["series"], desk["problem"]) == ("settlement", ["KXCPI"], "answered 503")
    assert (desk["read_at"], desk["checked_at"] is not None) == (None, True)


def test_neither_a_key_in_an_address_nor_a_stored_text_is_shown(client: TestClient) -> None:
    text = client.get(f"{API}/arena/sources").text
    assert "s3cret" not in text
    assert "A text of others" not in text


def test_feeds_are_filtered_by_how_they_ended_and_paged(client: TestClient) -> None:
    failed = client.get(f"{API}/arena/sources", params={"status": "failed"}).json()
    first = client.get(f"{API}/arena/sources", params={"limit": 1}).json()
    following = client.get(f"{API}/arena/sources", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [item["name"] for item in failed["items"]] == ["Desk"]
    assert [item["name"] for item in (*first["items"], *following["items"])] == ["Bureau", "Desk"]
