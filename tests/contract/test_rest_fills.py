"""The account's trade history: pages from the exchange, and what happens when it fails between two pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from functions.portfolio.app import build
from starlette.testclient import TestClient
from tests.contract.rest_world import API, check, client_of, settings_of, with_key
from tests.fixtures.exchange import Exchange, launch_standing_exchange
from tests.fixtures.postgres import PostgresServer

from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.list_query import ListQuery
from coliseum.portfolio.trades import FillsCursor
from coliseum.store.client import Store
from coliseum.trading.pages import Page
from coliseum.trading.trades import Fill

URL = f"{API}/portfolio/fills"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An account that traded seven times, a second apart, on two markets, and sold once."""
    running = launch_standing_exchange(tmp_path_factory.mktemp("fills"))
    first, second = (market["ticker"] for market in running.get("/markets", status="open", limit=2)["markets"])
    for number in range(6):
        running.admin("clock", seconds=1)
        running.order(first if number % 2 else second, "bid", "1.50", "0.9900")
    running.admin("clock", seconds=1)
    running.order(first, "ask", "1.00", "0.0100")
    yield running
    running.stop()


@pytest.fixture
def client(exchange: Exchange, postgres_server: PostgresServer) -> Iterator[TestClient]:
    settings = settings_of(exchange=exchange, postgres=postgres_server, **with_key(exchange))
    with client_of(build(settings)) as client:
        yield client


def pages(client: TestClient, query: str) -> list[str]:
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        response = client.get(f"{URL}?{query}" + (f"&cursor={cursor}" if cursor else ""))
        page = response.json()
        check("/portfolio/fills", response.status_code, page)
        assert (page["source"], page["stale"]) == ("kalshi", False)
        ids += [trade["trade_id"] for trade in page["items"]]
        cursor = page["next_cursor"]
    return ids


def test_pages_hold_every_fill_once_newest_first_and_show_sales_as_sales(
    client: TestClient, exchange: Exchange
) -> None:
    fills = exchange.get("/portfolio/fills", limit=1000)["fills"]
    expected = [fill["fill_id"] for fill in fills]
    assert len(expected) >= 7
    assert pages(client, "limit=2") == pages(client, "limit=1000") == expected
    ticker = fills[0]["ticker"]
    assert pages(client, f"limit=2&ticker={ticker}") == [fill["fill_id"] for fill in fills if fill["ticker"] == ticker]
    third = fills[2]["created_time"]
    assert pages(client, f"limit=2&since={third}") == expected[:3]
    newest = client.get(f"{URL}?limit=1").json()["items"][0]
    assert (newest["side"], newest["outcome"], newest["quantity"], newest["source"]) == (
        "SELL",
        "yes",
        "1.00",
        "kalshi",
    )


def test_a_page_without_fills_of_this_account_is_not_the_end_of_the_list(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key without a subaccount of its own gets the fills of all; a whole page may belong to others."""
    every = pages(client, "limit=1000")
    fills = Kalshi.fills

    def thinned(self: Kalshi, **filters: Any) -> Page[Fill]:
        page = fills(self, **filters)
        return page if page.cursor is None else Page((), page.cursor)

    monkeypatch.setattr(Kalshi, "fills", thinned)
    assert pages(client, "limit=2") == every[-(len(every) % 2 or 2) :]


def test_postgres_continues_when_the_exchange_fails_between_two_pages(
    client: TestClient, exchange: Exchange, store: Store
) -> None:
    fills = exchange.get("/portfolio/fills", limit=1000)["fills"]
    rows = [
        {
            "epoch": "e",
            "seq": len(fills) - number,
            "ms": 1,
            "trade_id": fill["fill_id"],
            "ticker": fill["ticker"],
            "side": "BUY",
            "outcome": "yes",
            "quantity": fill["count_fp"],
            "price": fill["yes_price_dollars"],
            "executed_at": fill["created_time"],
            "source": "kalshi",
        }
        for number, fill in enumerate(fills)
    ]
    store.insert("trades", rows)
    first = client.get(f"{URL}?limit=3").json()
    exchange.admin("outage", active=True)
    second = client.get(f"{URL}?limit=3&cursor={first['next_cursor']}").json()
    assert (second["source"], second["stale"]) == ("postgres", True)
    assert [failure["source"] for failure in second["failures"]] == ["kalshi"]
    exchange.admin("outage", active=False)
    third = client.get(f"{URL}?limit=100&cursor={second['next_cursor']}").json()
    assert (third["source"], third["failures"]) == ("postgres", [])
    shown = [trade["trade_id"] for page in (first, second, third) for trade in page["items"]]
    assert shown == [fill["fill_id"] for fill in fills]


def test_a_cursor_that_the_exchange_no_longer_knows_is_an_error(client: TestClient) -> None:
    query = ListQuery(limit=2, ticker=None, since=None, cursor=None)
    forgotten = FillsCursor(at="2026-11-01T00:00:00+00:00", cursor="forgotten", fill_id="x").text(query)
    response = client.get(f"{URL}?limit=2&cursor={forgotten}")
    assert response.status_code == 400
    assert "begin again" in response.json()["detail"]
