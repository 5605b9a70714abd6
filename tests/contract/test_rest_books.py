"""The summary over the account's books: archived markets, long histories, Postgres and the poller, on the sandbox."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from functions.poller.app import build as build_poller
from functions.portfolio.app import build
from tests.contract.rest_world import API, check, client_of, settings_of, with_key
from tests.fixtures.exchange import START, Exchange, launch_standing_exchange, quoted_market
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer
from tests.fixtures.waiting import until

from coliseum.kalshi.client import Kalshi
from coliseum.portfolio import account
from coliseum.store.client import Store
from coliseum.trading.pages import Page

DAY = 86_400


@pytest.fixture
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    running = launch_standing_exchange(tmp_path_factory.mktemp("books"))
    yield running
    running.stop()


def summary_of(exchange: Exchange, **servers: Any) -> dict[str, Any]:
    """The summary that a new process answers."""
    with client_of(build(settings_of(exchange=exchange, **servers, **with_key(exchange)))) as client:
        answer = client.get(f"{API}/portfolio/summary")
        body: dict[str, Any] = answer.json()
        check("/portfolio/summary", answer.status_code, body)
        return body


def bought_in_june(exchange: Exchange) -> str:
    """50 YES that won and left the live tier: the fill is in the archive, the settlement is listed nowhere."""
    ticker = str(quoted_market(exchange)["ticker"])
    exchange.order(ticker, "bid", "50.00", "0.9900")
    exchange.admin(f"markets/{ticker}/settle", result="yes")
    far = START + 10 * DAY
    exchange.admin("cutoff", market_settled=far, trades_created=far, orders_updated=far)
    assert exchange.get("/portfolio/settlements", limit=1000)["settlements"] == []
    assert exchange.get("/portfolio/fills", limit=1000)["fills"] == []
    return ticker


@pytest.fixture
def generous(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time for slow machines."""
    for name in ("_FIRST_SECONDS", "_LOADING_SECONDS", "_BOOKS_SECONDS"):
        monkeypatch.setattr(account, name, 60.0)


@pytest.mark.usefixtures("generous")
def test_what_the_live_tier_forgot_is_in_the_totals(
    exchange: Exchange, store: Store, postgres_server: PostgresServer
) -> None:
    ticker = bought_in_june(exchange)
    fills = exchange.get("/historical/fills", ticker=ticker)["fills"]
    count = sum((Decimal(fill["count_fp"]) for fill in fills), Decimal(0))
    cost = sum((Decimal(fill["count_fp"]) * Decimal(fill["yes_price_dollars"]) for fill in fills), Decimal(0))
    body = summary_of(exchange, postgres=postgres_server)
    assert body["books"]["status"] == "complete"
    assert body["books"]["unknown"] == []
    assert Decimal(body["totals"]["realized_pnl"]) == count - cost
    assert store.select("account_settlements", "ticker,source") == [{"ticker": ticker, "source": "market"}]


@pytest.mark.usefixtures("generous")
def test_profit_of_a_market_that_was_settled_with_fills_that_nobody_lists_is_unknown_until_they_come(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticker = str(quoted_market(exchange)["ticker"])
    exchange.order(ticker, "bid", "5.00", "0.9900")
    exchange.admin(f"markets/{ticker}/settle", result="yes")
    listed = Kalshi.fills
    monkeypatch.setattr(Kalshi, "fills", lambda *_, **__: Page((), None))
    with client_of(build(settings_of(exchange=exchange, **with_key(exchange)))) as client:
        told = client.get(f"{API}/portfolio/pnl").json()
        (row,) = told["items"]
        assert (row["realized_pnl"], told["totals"]["realized_pnl"]) == (None, None)
        reason = f"{ticker}: it was settled with 5.00 contracts, and its fills leave 0.00"
        assert row["reasons"][0].startswith(reason)
        body = client.get(f"{API}/portfolio/summary").json()
        assert body["totals"]["realized_pnl"] is None
        assert body["books"]["unknown"][0].startswith(reason)
        monkeypatch.setattr(Kalshi, "fills", listed)
        assert client.get(f"{API}/portfolio/pnl").json()["items"][0]["realized_pnl"] is not None


@pytest.mark.usefixtures("generous")
def test_deposits_come_from_the_exchanges_own_lists(exchange: Exchange) -> None:
    exchange.admin("deposits", amount="250")
    exchange.admin("deposits", amount="99", status="pending")
    exchange.admin("withdrawals", amount="50")
    told = summary_of(exchange)["reconciliation"]
    assert (told["deposits"], told["deposits_source"], told["implied_deposits"]) == ("10200.00", "exchange", None)


@pytest.mark.usefixtures("generous")
def test_a_subaccounts_deposits_are_implied_because_the_lists_are_of_the_whole_member(exchange: Exchange) -> None:
    exchange.admin("deposits", amount="250")
    told = summary_of(exchange, kalshi_subaccount=0)["reconciliation"]
    assert (told["deposits"], told["deposits_source"], told["implied_deposits"]) == ("10250.00", "implied", "10250.00")


@pytest.mark.usefixtures("generous")
def test_a_new_process_goes_on_with_the_stored_books(
    exchange: Exchange, store: Store, postgres_server: PostgresServer
) -> None:
    ticker = quoted_market(exchange)["ticker"]
    exchange.admin("past-fills", ticker=ticker, pairs=1500, first=START - 90_000, every=20)
    first = summary_of(exchange, postgres=postgres_server)
    assert first["books"] == first["books"] | {"status": "complete", "fills_loaded": 3000}
    before = store.rpc("account_books_read", {"p_account": _label(store)})["version"]
    second = summary_of(exchange, postgres=postgres_server)
    assert (second["totals"], second["books"]) == (first["totals"], first["books"])
    assert store.rpc("account_books_read", {"p_account": _label(store)})["version"] == before
    assert second["reconciliation"]["status"] == "agrees"


def _label(store: Store) -> str:
    (row,) = store.select("account_books", "account")
    return str(row["account"])


@pytest.mark.parametrize("stored", [True, False])
def test_a_busy_accounts_positions_are_there_at_once_and_its_books_say_how_far_they_are(
    exchange: Exchange, store: Store, postgres_server: PostgresServer, stored: bool
) -> None:
    """In Postgres, and in the process where Postgres does not answer."""
    del store
    settings = settings_of(exchange=exchange, postgres=postgres_server if stored else None, **with_key(exchange))
    ticker = quoted_market(exchange)["ticker"]
    exchange.order(ticker, "bid", "5.00", "0.9900")
    other = quoted_market(exchange, lambda market: market["ticker"] != ticker)["ticker"]
    exchange.admin("past-fills", ticker=other, pairs=10_000, first=START - 900_000, every=20)
    exchange.admin("latency", seconds=0.4)
    with client_of(build(settings)) as client:
        begun = time.monotonic()
        positions = client.get(f"{API}/portfolio/positions").json()
        assert time.monotonic() - begun < 12
        assert [row["ticker"] for row in positions["items"]] == [ticker]
        body = client.get(f"{API}/portfolio/summary").json()
        books = body["books"]
        assert books["status"] == "loading"
        assert 0 < books["fills_loaded"] < 20_001
        assert body["positions"]["data"][0]["ticker"] == ticker
        assert (body["totals"]["realized_pnl"], body["totals"]["net_pnl"]) == (None, None)
        assert f"{books['fills_loaded']} fills are known so far" in body["reconciliation"]["error"]
        exchange.admin("latency", seconds=0)

        def complete() -> dict[str, Any]:
            told: dict[str, Any] = client.get(f"{API}/portfolio/summary").json()
            return told if told["books"]["status"] == "complete" else {}

        told = until(complete)
    assert told["books"]["fills_loaded"] > 20_000
    assert told["reconciliation"]["status"] == "agrees"


def test_the_poller_goes_on_with_the_load_at_the_end_of_its_minute(
    exchange: Exchange, store: Store, postgres_server: PostgresServer, redis_server: RedisServer
) -> None:
    ticker = quoted_market(exchange)["ticker"]
    exchange.admin("past-fills", ticker=ticker, pairs=1500, first=START - 90_000, every=20)
    settings = settings_of(
        prefix="test:books:", exchange=exchange, postgres=postgres_server, redis=redis_server, **with_key(exchange)
    )
    poller = build_poller(settings)
    poller.history.run(time_left=lambda: 60.0, clock=lambda: START)
    poller.clients.close()
    told = store.rpc("account_books_read", {"p_account": settings.account_label})
    assert (told["fills"], told["progress"]["complete"], told["progress"]["walk"]) == (3000, True, None)
