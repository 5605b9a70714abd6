"""Changes of the exchange's interface, from the answer to the log and to /health; and no false alarm."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from functions.markets.app import build as build_markets
from functions.poller.app import build as build_poller
from functions.portfolio.app import build as build_portfolio
from httpx_sse import connect_sse
from pydantic import SecretStr
from tests.contract.rest_world import API, check, client_of, settings_of
from tests.fixtures.exchange import Exchange, launch_standing_exchange
from tests.fixtures.redis import RedisServer
from tests.fixtures.waiting import PATIENCE_SECONDS
from tests.integration.stream_servers import serving
from tests.unit.kalshi import payloads
from tests.unit.kalshi.stage import Asked, Reply, Stage, reply

from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.rounds.opener import RoundOpener
from coliseum.feed.entries import EntryKind
from coliseum.feed.exchange_changes import ExchangeChanges
from coliseum.feed.feed import Feed
from coliseum.kalshi.client import Kalshi
from coliseum.kalshi.drift import Sentinel
from coliseum.store.client import Store
from coliseum.trading.exchange import ChangeKind, ExchangeChange
from coliseum.upstash.client import Redis

BASE = "/trade-api/v2"
CHANGE = ExchangeChange(
    key="Market.result new_value maybe",
    endpoint="GET /markets",
    shape="Market",
    field="result",
    change=ChangeKind.NEW_VALUE,
    detail="maybe",
    depends_on="the arena's results",
    first_seen="2026-12-01T00:00:00Z",
)


@contextmanager
def _renamed_prices() -> Iterator[Stage]:
    """An exchange that renamed the YES bid."""
    market = {("yes_bid" if name == "yes_bid_dollars" else name): v for name, v in payloads.market().items()}

    def script(asked: Asked) -> Reply:
        path = asked.path.removeprefix(BASE)
        return reply({"markets": [market], "cursor": ""} if path == "/markets" else payloads.BODIES[path])

    with Stage(script).open() as stage:
        yield stage


def _published(server: RedisServer, prefix: str) -> list[dict[str, Any]]:
    redis = Redis(server.url, server.token)
    entries = Feed(redis, prefix=prefix, maxlen=100).latest(100).reading.entries
    redis.close()
    return [entry.data for entry in entries if entry.kind is EntryKind.EXCHANGE_CHANGED]


def test_a_change_of_the_exchange_is_published_once_and_kept_for_health(redis_server: RedisServer, prefix: str) -> None:
    """SSE-038: two processes see it; a third, which sees nothing, shows it on /health."""
    with _renamed_prices() as stage:
        settings = settings_of(prefix=prefix, redis=redis_server, kalshi_api_base=stage.url + BASE)
        for status in ("open", "closed"):
            with client_of(build_markets(settings)) as client:
                body = client.get(f"{API}/markets/?status={status}").json()
                assert (body["items"], len(body["failures"])) == ([], 1)
        with client_of(build_portfolio(settings)) as client:
            answer = client.get(f"{API}/health")
            check("/health", answer.status_code, answer.json())
            shown = answer.json()["exchange_changes"]
    assert [(row["object"], row["field"], row["change"]) for row in shown] == [
        ("Market", "yes_bid_dollars", "renamed_field")
    ]
    assert "marks" in shown[0]["depends_on"]
    assert _published(redis_server, prefix) == shown


@pytest.mark.parametrize("stream", ["status", "trading"])
def test_a_change_arrives_at_an_open_connection(redis_server: RedisServer, prefix: str, stream: str) -> None:
    """SSE-038: over the running server, seen by an SSE client of others."""
    with _renamed_prices() as stage, ExitStack() as stack:
        settings = settings_of(prefix=prefix, redis=redis_server, kalshi_api_base=stage.url + BASE)
        server = stack.enter_context(serving(settings))
        http = stack.enter_context(httpx.Client(timeout=PATIENCE_SECONDS))
        source = stack.enter_context(connect_sse(http, "GET", f"{server.url}/api/python/sse/{stream}"))
        events = source.iter_sse()
        assert next(event.event for event in events) == "ready"
        client = stack.enter_context(client_of(build_markets(settings)))
        assert client.get(f"{API}/markets/").status_code == 200
        changed = next(event for event in events if event.event == "exchange_changed")
    assert changed.id
    data = changed.json()
    assert (data["object"], data["field"], data["change"]) == ("Market", "yes_bid_dollars", "renamed_field")
    assert "marks" in data["depends_on"]


def test_a_process_that_was_killed_before_it_kept_a_change_publishes_it_once_all_the_same(
    redis_server: RedisServer, prefix: str
) -> None:
    redis = Redis(redis_server.url, redis_server.token)
    changes = ExchangeChanges(redis, Feed(redis, prefix=prefix, maxlen=100), key=f"{prefix}exchange-changes")
    assert changes.announce(CHANGE)
    redis.command("DEL", f"{prefix}exchange-changes")
    assert changes.announce(CHANGE)
    assert not changes.announce(CHANGE)
    assert [row["field"] for row in changes.known()] == ["result"]
    redis.close()
    assert len(_published(redis_server, prefix)) == 1


def test_every_function_that_asks_the_exchange_passes_its_changes_on(
    redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening: list[object] = []
    monkeypatch.setattr(Kalshi, "on_change", lambda self, listener: listening.append(listener))
    settings = settings_of(
        prefix=prefix,
        redis=redis_server,
        decisions_queue_url="http://127.0.0.1:1/q",
        kalshi_api_key=SecretStr("key-id"),
    )
    for build in (build_markets, build_portfolio):
        with client_of(build(settings)):
            pass
    build_poller(settings).clients.close()
    RoundOpener.from_settings(settings, lambda: ArenaRecords(Store.from_settings(settings))).close()
    assert len(listening) == 4


def test_without_redis_health_shows_what_this_process_saw() -> None:
    with Stage(lambda asked: reply(payloads.STATUS | {"brand_new": 1})).open() as stage:
        settings = settings_of(kalshi_api_base=stage.url + BASE)
        with client_of(build_portfolio(settings)) as client:
            client.get(f"{API}/health")
            shown = client.get(f"{API}/health").json()["exchange_changes"]
    assert [(row["object"], row["field"]) for row in shown] == [("ExchangeStatus", "brand_new")]


ENDPOINTS = (
    *("/exchange/status", "/historical/cutoff", "/portfolio/balance", "/portfolio/fills", "/historical/fills"),
    *("/portfolio/settlements", "/portfolio/orders", "/historical/orders", "/portfolio/deposits"),
    "/portfolio/withdrawals",
)


def _look_at_all(exchange: Exchange, market: dict[str, Any]) -> int:
    """Ask the sandbox for everything that we know, and look at each answer completely. Returns their number."""
    count = 0

    def look(template: str, path: str | None = None, **query: Any) -> None:
        nonlocal count
        answer = exchange.call("GET", path or template, params=query)
        if answer.status_code == 200:
            sentinel = Sentinel()
            sentinel.look(f"GET {template}", answer.content, everything=True)
            assert sentinel.take_new() == ()
            count += 1

    for path in ENDPOINTS:
        look(path)
    for status in ("unsettled", "settled"):
        look("/portfolio/positions", settlement_status=status)
    look("/historical/positions")
    for status in ("open", "closed", "settled", "unopened", "paused"):
        look("/markets", status=status, limit=200)
    look("/historical/markets")
    look("/events", with_nested_markets="true", limit=50)
    ticker, event, series = market["ticker"], market["event_ticker"], market["event_ticker"].partition("-")[0]
    look("/markets/{ticker}", f"/markets/{ticker}")
    look("/markets/{ticker}/orderbook", f"/markets/{ticker}/orderbook")
    look("/markets/orderbooks", tickers=ticker)
    look("/events/{event_ticker}", f"/events/{event}")
    look("/series/{series_ticker}", f"/series/{series}")
    end = int(exchange.get("/portfolio/balance")["updated_ts"]) + 3600
    template = "/series/{series_ticker}/markets/{ticker}/candlesticks"
    path = f"/series/{series}/markets/{ticker}/candlesticks"
    look(template, path, start_ts=end - 90_000, end_ts=end, period_interval=60)
    return count


@pytest.mark.slow
@pytest.mark.timeout(7200)  # `make soak` looks at a hundred thousand
def test_ordinary_answers_are_no_change(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The sandbox's, while time passes, markets settle and orders fill: 100,000 of them in `make soak`."""
    exchange = launch_standing_exchange(tmp_path_factory.mktemp("ordinary"))
    exchange.admin("simulation", enabled=True)
    wanted = 100_000 if os.environ.get("COLISEUM_SOAK") else 150
    count, rounds = 0, 0
    try:
        while count < wanted:
            if rounds % 10 in {0, 1, 2}:
                exchange.admin("clock", seconds=1800)
                exchange.admin("legacy-fields", enabled=rounds % 3 != 2)
                market = exchange.get("/markets", status="open", limit=1)["markets"][0]
                side, price = ("bid", "0.99") if rounds % 2 else ("ask", "0.01")
                exchange.order(market["ticker"], side, "1.00", price)
            count += _look_at_all(exchange, market)
            rounds += 1
    finally:
        exchange.stop()
