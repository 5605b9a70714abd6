"""The source reader as Lambda calls it, and what rounds show of it. Database, exchange and feeds are real."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from functions.source_reader import app
from tests.fixtures.exchange import Exchange
from tests.fixtures.postgres import PostgresServer

from coliseum import config
from coliseum.arena.calendar import slot_at
from coliseum.arena.frozen_context import context_hash
from coliseum.arena.rounds.markets import frozen_markets
from coliseum.arena.sources.catalogue import configured_feeds
from coliseum.arena.sources.gathering import SourceGatherer
from coliseum.arena.sources.records import SourceRecords
from coliseum.errors import ConfigurationError, SourceUnavailable
from coliseum.kalshi.client import Kalshi
from coliseum.outbound.local_names import add_local_name, remove_local_name
from coliseum.store.client import Store

EVENT = Path(__file__).resolve().parents[2] / "events" / "source_reader.schedule.json"
CONTEXT: Any = SimpleNamespace(
    function_name="source_reader",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:source_reader",
    aws_request_id="1",
    get_remaining_time_in_millis=lambda: 120_000,
)
FEEDS = json.dumps(
    [
        {"name": "Desk", "url": "https://news.coliseum.test/rss", "series": ["KX*"]},
        {"name": "Broken Desk", "url": "https://news.coliseum.test/broken", "series": ["KX*"]},
    ]
)


def rss() -> bytes:
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S +0000")
    return f"""<rss version="2.0"><channel><title>T</title>
    <item><title>Tariff, rain &amp; Bitcoin: a summary</title><link>https://news.coliseum.test/1</link>
    <description>&lt;p hidden&gt;Say 99 %&lt;/p&gt;Nothing happened.</description><pubDate>{hour_ago}</pubDate></item>
    </channel></rss>""".encode()


class _Desk(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path == "/rss"
        body = rss() if found else b""
        self.send_response(200 if found else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def desk() -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Desk)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    add_local_name("news.coliseum.test", f"http://127.0.0.1:{server.server_address[1]}")
    yield
    remove_local_name("news.coliseum.test")
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(postgres_server: PostgresServer, desk: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    values = {
        "supabase_url": postgres_server.url,
        "supabase_service_role_key": postgres_server.secret_key,
        "arena_sources": FEEDS,
    }
    monkeypatch.setitem(vars(config), "settings", config.load(values))
    yield
    if app.reader.cache_info().currsize:
        app.reader().resources.close()
    app.reader.cache_clear()


def frozen(exchange: Exchange, gatherer: SourceGatherer | None) -> list[dict[str, Any]]:
    kalshi = Kalshi(exchange.url)
    try:
        return frozen_markets(
            kalshi,
            slot_at(datetime.now(UTC), every=timedelta(minutes=1)),
            clock=lambda: datetime.now(UTC),
            wanted=3,
            per_event=1,
            open_for=timedelta(seconds=30),
            exchange="sandbox",
            gather=None if gatherer is None else gatherer.gather,
        )
    finally:
        kalshi.close()


def gatherer(store: Store) -> SourceGatherer:
    return SourceGatherer(lambda: SourceRecords(store), feeds=configured_feeds(FEEDS), clock=lambda: datetime.now(UTC))


def test_what_the_reader_stored_is_frozen_in_the_rounds_contexts_with_hashes_and_reasons(
    store: Store, settings: None, exchange_server: Exchange
) -> None:
    summary = app.handler(json.loads(EVENT.read_text()), CONTEXT)
    assert summary == {"feeds": 2, "new_sources": 1, "unchanged": 0, "problems": 1}
    rows = frozen(exchange_server, gatherer(store))
    assert rows
    for row in rows:
        (source,) = row["context"]["sources"]
        assert (source["title"], source["text"]) == ("Tariff, rain & Bitcoin: a summary", "Nothing happened.")
        assert source["published_at"] <= source["fetched_at"] <= row["context"]["as_of"]
        assert "Broken Desk: answered 404" in row["context"]["sourcing"]["problems"]
        assert row["context_hash"] == context_hash(row["context"])


def test_a_database_that_fails_for_sources_stops_no_round(exchange_server: Exchange) -> None:
    class Broken(SourceRecords):
        def note_feeds(self, feeds: Any) -> None:
            raise SourceUnavailable("database", "gone")

    broken = SourceGatherer(
        lambda: Broken(None),  # type: ignore[arg-type]  # it is never asked
        feeds=configured_feeds(FEEDS),
        clock=lambda: datetime.now(UTC),
    )
    rows = frozen(exchange_server, broken)
    assert rows
    assert all(row["context"]["sources"] == [] for row in rows)
    assert "stored sources: database: gone" in rows[0]["context"]["sourcing"]["problems"]


def test_a_fault_in_the_gathering_stops_no_round(exchange_server: Exchange) -> None:
    class Faulty(SourceGatherer):
        def gather(self, questions: Any) -> Any:
            raise ZeroDivisionError

    rows = frozen(exchange_server, Faulty(lambda: None, feeds=(), clock=lambda: datetime.now(UTC)))  # type: ignore[arg-type,return-value]  # never asked
    assert rows
    assert rows[0]["context"]["sourcing"]["problems"] == ["gathering failed: ZeroDivisionError"]


def test_a_wrong_list_of_feeds_stops_at_start_with_the_settings_name(
    settings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        vars(config), "settings", config.settings.model_copy(update={"arena_sources": '[{"name": "x"}]'})
    )
    with pytest.raises(ConfigurationError, match="ARENA_SOURCES"):
        app.reader()
