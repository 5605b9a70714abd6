"""Settlements, stored trades and resting orders: paged, filtered, as CSV, and across their sources."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from functions.portfolio.app import build
from starlette.testclient import TestClient
from tests.contract.rest_world import API, check, client_of, settings_of, with_key
from tests.fixtures.exchange import Exchange, launch_standing_exchange
from tests.fixtures.postgres import PostgresServer

KEPT = (
    "truncate settlements, trades;"
    "insert into settlements (ticker, event_ticker, result, yes_count, yes_cost, no_count, no_cost, revenue, value,"
    " fee, settled_at) select 'KXOLD-' || n, 'KXOLD', 'yes', 5, 2.5, 2, 0.4, 3, 1, 0.07,"
    " timestamptz '2026-06-01T00:00:00Z' + (n / 3) * interval '1 hour' from generate_series(0, 7) n"
)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An account with three settled markets, and resting orders in a fourth one."""
    running = launch_standing_exchange(tmp_path_factory.mktemp("lists"))
    touched = {row["ticker"] for row in running.get("/portfolio/orders", limit=1000)["orders"]}
    listed = [
        row
        for row in running.get("/markets", status="open", limit=1000)["markets"]
        if float(row["yes_bid_dollars"]) > 0.05 and float(row["yes_ask_dollars"]) < 0.95
    ]
    listed.sort(key=lambda row: row["close_time"], reverse=True)  # none of them may close while the clock is moved
    tickers = [row["ticker"] for row in listed if row["ticker"] not in touched][:4]
    for ticker in tickers:
        running.order(ticker, "bid", "2.50", "0.9900")
        running.admin("clock", seconds=60)
    for ticker in tickers[:3]:
        running.admin(f"markets/{ticker}/settle", result="yes")
        running.admin("clock", seconds=60)
    for price, side in (("0.0100", "bid"), ("0.9900", "ask"), ("0.9800", "ask")):
        placed = running.order(tickers[3], side, "2.00", price, time_in_force="good_till_canceled")
        assert placed.json()["remaining_count"] == "2.00", placed.text
        running.admin("clock", seconds=1)
    yield running
    running.stop()


@pytest.fixture
def client(exchange: Exchange, postgres_server: PostgresServer) -> Iterator[TestClient]:
    postgres_server.execute(KEPT)
    settings = settings_of(exchange=exchange, postgres=postgres_server, **with_key(exchange))
    with client_of(build(settings)) as client:
        yield client
    postgres_server.execute("truncate settlements, trades")


def pages(client: TestClient, route: str, query: str) -> list[dict[str, Any]]:
    """Every page of the list."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        response = client.get(f"{API}{route}?{query}" + (f"&cursor={cursor}" if cursor else ""))
        page = response.json()
        check(route, response.status_code, page)
        found.append(page)
        cursor = page["next_cursor"]
    return found


def rows(client: TestClient, route: str, query: str) -> list[dict[str, Any]]:
    return [row for page in pages(client, route, query) for row in page["items"]]


def test_settlements_begin_on_the_exchange_and_go_on_in_postgres(client: TestClient) -> None:
    every = rows(client, "/portfolio/settlements", "limit=1000")
    assert [row["source"] for row in every] == ["kalshi"] * 3 + ["postgres"] * 8
    assert [row["settled_at"] for row in every] == sorted((row["settled_at"] for row in every), reverse=True)
    assert every[-1] == {
        "ticker": "KXOLD-2",
        "event_ticker": "KXOLD",
        "result": "yes",
        "yes_bought": "5.00",
        "yes_cost": "2.50",
        "no_bought": "2.00",
        "no_cost": "0.40",
        "held": "3.00",
        "revenue": "3.00",
        "fees": "0.07",
        "settled_at": "2026-06-01T00:00:00Z",
        "source": "postgres",
    }


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_settlements_of_any_page_size_are_the_same_rows(client: TestClient, limit: int) -> None:
    every = rows(client, "/portfolio/settlements", "limit=1000")
    assert rows(client, "/portfolio/settlements", f"limit={limit}") == every


def test_settlements_of_one_market_and_of_a_span(client: TestClient) -> None:
    assert len(rows(client, "/portfolio/settlements", "ticker=KXOLD-4")) == 1
    span = "since=2026-06-01T01:00:00Z&until=2026-06-01T02:00:00Z&limit=2"
    assert {row["ticker"] for row in rows(client, "/portfolio/settlements", span)} == {"KXOLD-3", "KXOLD-4", "KXOLD-5"}


def test_postgres_goes_on_when_the_exchange_fails_between_two_pages(client: TestClient, exchange: Exchange) -> None:
    live = [row for row in rows(client, "/portfolio/settlements", "limit=1000") if row["source"] == "kalshi"]
    first = client.get(f"{API}/portfolio/settlements?limit=1").json()
    exchange.admin("outage", active=True)
    try:
        second = client.get(f"{API}/portfolio/settlements?limit=1000&cursor={first['next_cursor']}").json()
    finally:
        exchange.admin("outage", active=False)
    assert (second["source"], second["stale"]) == ("postgres", True)
    assert [failure["source"] for failure in second["failures"]] == ["kalshi"]
    # Postgres never saw the exchange's three settlements here; what it has comes whole.
    assert [row["ticker"] for row in first["items"]] == [live[0]["ticker"]]
    assert len(second["items"]) == 8


def test_without_postgres_the_exchanges_settlements_come_with_the_failure(exchange: Exchange) -> None:
    with client_of(build(settings_of(exchange=exchange, **with_key(exchange)))) as alone:
        page = alone.get(f"{API}/portfolio/settlements").json()
    assert (page["source"], len(page["items"])) == ("kalshi", 3)
    assert [failure["source"] for failure in page["failures"]] == ["postgres"]
    assert page["next_cursor"] is not None


def test_every_list_is_a_file_for_spreadsheets_with_the_next_page_in_a_header(client: TestClient) -> None:
    answer = client.get(f"{API}/portfolio/settlements?format=csv&limit=4")
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert (len(table), table[3]["ticker"], table[3]["held"]) == (4, "KXOLD-6", "3.00")
    assert 'rel="next"' in answer.headers["link"]
    assert client.get(f"{API}/portfolio/orders?format=csv").text.startswith("order_id,client_order_id,ticker,outcome")
    assert client.get(f"{API}/portfolio/trades?format=csv").text.startswith("trade_id,ticker,side,outcome,quantity")


def test_stored_trades_come_in_their_last_version_newest_first(
    client: TestClient, postgres_server: PostgresServer
) -> None:
    postgres_server.execute(
        "insert into trades (epoch, seq, ms, trade_id, ticker, side, outcome, quantity, price, executed_at, source,"
        " correction, corrected_by) select 'e', n, n, 't' || n, case when n % 2 = 0 then 'KXA-1' else 'KXB-1' end,"
        " 'BUY', 'yes', 1, 0.5, timestamptz '2026-11-01T00:00:00Z' + (n / 4) * interval '1 second', 'bot_live',"
        " n = 12, case when n = 3 then 'e/12-12' end from generate_series(1, 12) n"
    )
    every = rows(client, "/portfolio/trades", "limit=1000")
    assert [row["trade_id"] for row in rows(client, "/portfolio/trades", "limit=2")] == [
        row["trade_id"] for row in every
    ]
    assert len(every) == 11
    assert "t3" not in {row["trade_id"] for row in every}
    assert [row["correction"] for row in every[:2]] == [True, False]
    span = "since=2026-11-01T00:00:01Z&until=2026-11-01T00:00:02Z&ticker=KXA-1&limit=1"
    assert [row["trade_id"] for row in rows(client, "/portfolio/trades", span)] == ["t6", "t4"]


def test_a_cursor_of_another_list_is_refused(client: TestClient) -> None:
    cursor = client.get(f"{API}/portfolio/settlements?limit=1").json()["next_cursor"]
    for route in ("/portfolio/trades", "/portfolio/orders", "/portfolio/fills", "/portfolio/history"):
        answer = client.get(f"{API}{route}?cursor={cursor}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "cursor"), route


def test_resting_orders_say_what_they_bind_and_what_they_close(client: TestClient, exchange: Exchange) -> None:
    every = rows(client, "/portfolio/orders", "limit=1000")
    mine = [row for row in every if row["price"] in {"0.0100", "0.0200"}][:3]
    # The last sale finds half a contract left to close: the one before it closes two of the two and a half held.
    assert [(row["outcome"], row["price"], row["closing"], row["collateral"]) for row in mine] == [
        ("no", "0.0200", "0.50", "0.03"),
        ("no", "0.0100", "2.00", "0.00"),
        ("yes", "0.0100", "0.00", "0.02"),
    ]
    assert rows(client, "/portfolio/orders", "limit=1") == every
    page = client.get(f"{API}/portfolio/orders?limit=1").json()
    assert page["total_orders"] == len(every)


def test_resting_orders_can_be_asked_for_by_market_and_time(client: TestClient) -> None:
    every = rows(client, "/portfolio/orders", "limit=1000")
    newest = every[0]
    of_market = rows(client, "/portfolio/orders", f"ticker={newest['ticker']}")
    assert of_market == [row for row in every if row["ticker"] == newest["ticker"]]
    assert rows(client, "/portfolio/orders", f"since={newest['created_at']}")[0] == newest
    assert newest not in rows(client, "/portfolio/orders", f"until={newest['created_at']}")


def test_fills_take_an_end(client: TestClient) -> None:
    every = rows(client, "/portfolio/fills", "limit=1000")
    third = every[2]["timestamp"]
    assert rows(client, "/portfolio/fills", f"limit=1000&until={third}") == [
        row for row in every if row["timestamp"] < third
    ]
    refused = client.get(f"{API}/portfolio/fills?since={third}&until={third}")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "since")
