"""Profit by group, lots and deposits over REST, against what the sandbox exchange really paid."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from functions.portfolio.app import build
from starlette.testclient import TestClient
from tests.contract.rest_world import API, check, client_of, settings_of, with_key
from tests.fixtures.exchange import Exchange, launch_standing_exchange
from tests.fixtures.postgres import PostgresServer

from coliseum.kalshi.client import Kalshi
from coliseum.portfolio import account
from coliseum.store.client import Store

EMPTY = (
    "truncate trades, account_books, account_fills, account_bookings, account_holdings, account_settlements,"
    " history_owner"
)
GROUPINGS = ("market", "event", "series", "category", "day", "strategy")


@pytest.fixture(scope="module", autouse=True)
def _generous() -> Iterator[None]:
    """Time for slow machines."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_FIRST_SECONDS", "_LOADING_SECONDS", "_BOOKS_SECONDS"):
            patch.setattr(account, name, 60.0)
        yield


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Four markets: one closed by a sale, one settled, one half sold and then settled, one still held."""
    running = launch_standing_exchange(tmp_path_factory.mktemp("gains"))
    listed = [
        row
        for row in running.get("/markets", status="open", limit=1000)["markets"]
        if float(row["yes_bid_dollars"]) > 0.05 and float(row["yes_ask_dollars"]) < 0.95
    ]
    listed.sort(key=lambda row: row["close_time"], reverse=True)  # none of them may close while the clock is moved
    touched = {row["ticker"] for row in running.get("/portfolio/orders", limit=1000)["orders"]}
    sold, settled, both, held = [row["ticker"] for row in listed if row["ticker"] not in touched][:4]
    for ticker, side, count, hours in (
        (sold, "bid", "5.00", 1),
        (settled, "bid", "4.00", 10),
        (both, "ask", "6.00", 10),
        (sold, "ask", "5.00", 1),
        (both, "bid", "2.50", 1),
        (held, "bid", "3.00", 1),
    ):
        running.order(ticker, side, count, "0.9900" if side == "bid" else "0.0100")
        running.admin("clock", seconds=hours * 3600)
    running.admin(f"markets/{settled}/settle", result="yes")
    running.admin(f"markets/{both}/settle", result="scalar", value="0.37")
    yield running
    running.stop()


@pytest.fixture
def client(exchange: Exchange, postgres_server: PostgresServer) -> Iterator[TestClient]:
    postgres_server.execute(EMPTY)
    settings = settings_of(exchange=exchange, postgres=postgres_server, **with_key(exchange))
    with client_of(build(settings)) as client:
        yield client
    postgres_server.execute(EMPTY)


def pages(client: TestClient, route: str, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        response = client.get(f"{API}{route}?{query}" + (f"&cursor={cursor}" if cursor else ""))
        page = response.json()
        check(route, response.status_code, page)
        assert response.status_code == 200, page
        found.append(page)
        cursor = page["next_cursor"]
    return found


def rows(client: TestClient, route: str, query: str) -> list[dict[str, Any]]:
    return [row for page in pages(client, route, query) for row in page["items"]]


def total(items: list[dict[str, Any]], field: str) -> Decimal:
    return sum((Decimal(row[field]) for row in items if row[field] is not None), Decimal(0))


def traded(number: int, trade_id: str, ticker: str) -> dict[str, object]:
    """A row of `trades`."""
    return {
        "epoch": "e",
        "seq": number,
        "ms": number,
        "trade_id": trade_id,
        "ticker": ticker,
        "side": "BUY",
        "outcome": "yes",
        "quantity": 1,
        "price": "0.5",
        "executed_at": "2026-11-21T12:00:00Z",
        "source": "bot_live",
        "strategy": "reversion",
    }


@pytest.mark.parametrize("by", GROUPINGS)
def test_the_groups_add_up_to_the_totals_and_to_those_of_the_summary(client: TestClient, by: str) -> None:
    summary = client.get(f"{API}/portfolio/summary").json()["totals"]
    (page,) = pages(client, "/portfolio/pnl", f"by={by}")
    for field, known in (("realized_pnl", "realized_pnl"), ("fees", "fees")):
        assert total(page["items"], field) == Decimal(page["totals"][field]) == Decimal(summary[known])
    assert sum(row["fills"] for row in page["items"]) == page["totals"]["fills"]
    if by != "day":
        assert total(page["items"], "net_pnl") == Decimal(page["totals"]["net_pnl"]) == Decimal(summary["net_pnl"])


def test_a_new_process_asks_the_exchange_once_for_its_profit(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("positions", "fills", "settlements"):
        call = getattr(Kalshi, name)

        def counted(*arguments: Any, name: str = name, call: Any = call, **named: Any) -> Any:
            calls.append(name)
            return call(*arguments, **named)

        monkeypatch.setattr(Kalshi, name, counted)
    assert client.get(f"{API}/portfolio/pnl").json()["totals"]["net_pnl"] is not None  # the books are loaded
    calls.clear()
    with client_of(build(client.app.state.settings)) as another:  # type: ignore[attr-defined]  # FastAPI's
        assert another.get(f"{API}/portfolio/pnl").json()["totals"]["net_pnl"] is not None
    assert sorted(calls) == ["fills", "positions", "settlements"]


def test_closed_and_settled_markets_are_rows_too(client: TestClient, exchange: Exchange) -> None:
    every = {row["group"]: row for row in rows(client, "/portfolio/pnl", "by=market")}
    settlements = {row["ticker"]: row for row in exchange.get("/portfolio/settlements", limit=1000)["settlements"]}
    fills = exchange.get("/portfolio/fills", limit=1000)["fills"]
    assert set(every) == {fill["ticker"] for fill in fills}
    for ticker, settlement in settlements.items():
        spent = sum(
            (Decimal(row["count_fp"]) * Decimal(row[f"{row['outcome_side']}_price_dollars"]))
            for row in fills
            if row["ticker"] == ticker
        )
        bought = [Decimal(settlement[f"{side}_count_fp"]) for side in ("yes", "no")]
        paid = Decimal(settlement["revenue"]) / 100 + min(bought)
        assert Decimal(every[ticker]["realized_pnl"]) == paid - spent
        assert Decimal(every[ticker]["settled_pnl"]) != 0


def test_events_and_categories_come_from_the_exchange(client: TestClient, exchange: Exchange) -> None:
    markets = {row["group"]: row for row in rows(client, "/portfolio/pnl", "by=market")}
    events = {ticker: exchange.get(f"/markets/{ticker}")["market"]["event_ticker"] for ticker in markets}
    assert {row["group"] for row in rows(client, "/portfolio/pnl", "by=event")} == set(events.values())
    series = {ticker.partition("-")[0] for ticker in markets}
    assert {row["group"] for row in rows(client, "/portfolio/pnl", "by=series")} == series
    categories = {exchange.get(f"/series/{name}")["series"]["category"] for name in series}
    assert {row["group"] for row in rows(client, "/portfolio/pnl", "by=category")} == categories


def test_days_are_those_of_the_callers_zone_newest_first_without_unrealised_profit(client: TestClient) -> None:
    utc = rows(client, "/portfolio/pnl", "by=day")
    assert [row["group"] for row in utc] == ["2026-11-22", "2026-11-21"]
    tokyo = rows(client, "/portfolio/pnl", "by=day&tz=Asia/Tokyo&limit=1")
    assert [row["group"] for row in tokyo] == ["2026-11-22", "2026-11-21"]
    assert total(tokyo, "realized_pnl") == total(utc, "realized_pnl")
    assert [row["fills"] for row in tokyo] != [row["fills"] for row in utc]
    assert {(row["unrealized_pnl"], row["net_pnl"]) for row in utc} == {(None, None)}
    assert all("belongs to no day" in row["reasons"][0] for row in utc)


def test_a_span_and_a_market_can_be_asked_for(client: TestClient) -> None:
    every = rows(client, "/portfolio/pnl", "by=market")
    early = rows(client, "/portfolio/pnl", "by=market&until=2026-11-21T12:30:00Z")
    late = rows(client, "/portfolio/pnl", "by=market&since=2026-11-21T12:30:00Z")
    assert total(early, "realized_pnl") + total(late, "realized_pnl") == total(every, "realized_pnl")
    assert sum(row["fills"] for row in [*early, *late]) == sum(row["fills"] for row in every)
    assert {row["unrealized_pnl"] for row in early} == {None}
    only = rows(client, "/portfolio/pnl", f"by=market&ticker={every[0]['group']}")
    assert only == every[:1]


def test_strategies_come_from_the_stored_trades(
    client: TestClient, exchange: Exchange, postgres_server: PostgresServer
) -> None:
    fills = exchange.get("/portfolio/fills", limit=1000)["fills"]
    first = fills[-1]["ticker"]
    mine = [fill["fill_id"] for fill in fills if fill["ticker"] == first]
    store = Store(postgres_server.url, postgres_server.secret_key)
    store.insert("trades", [traded(number, fill_id, first) for number, fill_id in enumerate(mine, 1)])
    store.close()
    groups = {row["group"]: row for row in rows(client, "/portfolio/pnl", "by=strategy")}
    (market,) = rows(client, "/portfolio/pnl", f"by=market&ticker={first}")
    assert set(groups) == {"reversion", "unknown"}
    assert (groups["reversion"]["realized_pnl"], groups["reversion"]["fills"]) == (market["realized_pnl"], len(mine))


def test_the_lots_are_the_cash_of_the_whole_history_and_come_in_pages(client: TestClient) -> None:
    (page,) = pages(client, "/portfolio/lots", "limit=1000")
    assert "no tax advice" in page["notice"]
    assert rows(client, "/portfolio/lots", "limit=2") == page["items"]
    totals = client.get(f"{API}/portfolio/pnl").json()["totals"]
    assert total(page["items"], "gain") == Decimal(page["total_gain"])
    cash = Decimal(totals["closed_pnl"]) - Decimal(totals["open_cost"])
    assert Decimal(page["total_gain"]) - Decimal(page["total_open_cost"]) == cash
    assert (page["total_lots"], page["unmatched"], page["reasons"]) == (len(page["items"]), [], [])


def test_lots_are_closed_by_sales_and_by_settlements(client: TestClient) -> None:
    closed = rows(client, "/portfolio/lots", "status=closed")
    assert {row["closed_by"] for row in closed} == {"trade", "settlement"}
    assert {row["result"] for row in closed if row["closed_by"] == "settlement"} == {"yes", "scalar"}
    for row in closed:
        parts = {name: Decimal(row[name]) for name in ("proceeds", "cost", "open_fees", "close_fees", "gain")}
        assert parts["gain"] == parts["proceeds"] - parts["cost"] - parts["open_fees"] - parts["close_fees"]
        assert row["held_seconds"] > 0
    times = [row["closed_at"] for row in closed]
    assert times == sorted(times)
    still_open = rows(client, "/portfolio/lots", "status=open")
    assert {(row["status"], row["gain"], row["closed_at"]) for row in still_open} == {("open", None, None)}


def test_lots_of_a_span_know_what_was_bought_before_it(client: TestClient) -> None:
    closed = rows(client, "/portfolio/lots", "status=closed")
    cut = closed[len(closed) // 2]["closed_at"]
    later = rows(client, "/portfolio/lots", f"status=closed&since={cut}")
    assert later == [row for row in closed if row["closed_at"] >= cut]


def test_lots_until_a_moment_are_as_they_were_then(client: TestClient, exchange: Exchange) -> None:
    """What was sold later was open at the end of the year, and belongs into that year's list."""
    closed = rows(client, "/portfolio/lots", "status=closed")
    cut = closed[-1]["closed_at"]
    (then,) = pages(client, "/portfolio/lots", f"until={cut}&limit=1000")
    late = {row["opening_fill_id"] for row in closed if row["closed_at"] >= cut}
    assert late <= {row["opening_fill_id"] for row in then["items"] if row["status"] == "open"}
    cash = Decimal(then["total_gain"]) - Decimal(then["total_open_cost"])
    assert cash == cash_until(datetime.fromisoformat(cut), exchange)


def cash_until(moment: datetime, exchange: Exchange) -> Decimal:
    """What trading changed, from the exchange's own rows: each pair of YES and NO pays a dollar when it meets."""
    cash, bought = Decimal(0), dict[tuple[str, str], Decimal]()
    for row in exchange.get("/portfolio/fills", limit=1000)["fills"]:
        if datetime.fromisoformat(row["created_time"]) < moment:
            key, count = (row["ticker"], row["outcome_side"]), Decimal(row["count_fp"])
            bought[key] = bought.get(key, Decimal(0)) + count
            cash -= count * Decimal(row[f"{row['outcome_side']}_price_dollars"]) + Decimal(row["fee_cost"])
    for ticker in {ticker for ticker, _ in bought}:
        cash += min(bought.get((ticker, side), Decimal(0)) for side in ("yes", "no"))
    for row in exchange.get("/portfolio/settlements", limit=1000)["settlements"]:
        if datetime.fromisoformat(row["settled_time"]) < moment:
            cash += Decimal(row["revenue"]) / 100
    return cash


def test_profit_and_lots_are_files_for_spreadsheets(client: TestClient) -> None:
    answer = client.get(f"{API}/portfolio/lots?format=csv&limit=2")
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert (len(table), list(table[0])[:4]) == (2, ["ticker", "outcome", "contracts", "status"])
    assert 'rel="next"' in answer.headers["link"]
    assert answer.headers["content-disposition"] == 'attachment; filename="lots.csv"'
    assert client.get(f"{API}/portfolio/pnl?format=csv&by=day").text.startswith("group,realized_pnl,settled_pnl,fees")


@pytest.mark.parametrize("route", ["/portfolio/pnl", "/portfolio/lots"])
def test_kept_books_answer_while_the_exchange_does_not(client: TestClient, exchange: Exchange, route: str) -> None:
    before = client.get(API + route).json()
    exchange.admin("outage", active=True)
    try:
        during = client.get(API + route).json()
    finally:
        exchange.admin("outage", active=False)
    assert (during["source"], during["stale"]) == ("postgres", True)
    assert during["failures"][0]["source"] == "kalshi"
    assert during["count"] == before["count"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("by=day&cursor=x", "cursor"),
        ("by=month", "by"),
        ("tz=Europe", "tz"),
        ("since=2026-11-22T00:00:00Z&until=2026-11-21T00:00:00Z", "since"),
        ("By=day", "By"),
    ],
)
def test_bad_questions_are_refused_by_name(client: TestClient, query: str, field: str) -> None:
    answer = client.get(f"{API}/portfolio/pnl?{query}")
    assert answer.status_code in {400, 422}
    assert answer.json()["errors"][0]["field"] == field


def test_deposits_and_withdrawals_are_paged_with_the_sums_of_the_applied_ones(
    client: TestClient, exchange: Exchange
) -> None:
    (whole,) = pages(client, "/portfolio/deposits", "limit=1000")
    before = Decimal(whole["net"])
    exchange.admin("deposits", amount="250")
    exchange.admin("deposits", amount="99", status="pending")
    exchange.admin("withdrawals", amount="50.25")
    with client_of(build(settings_of(exchange=exchange, **with_key(exchange)))) as fresh:
        (page,) = pages(fresh, "/portfolio/deposits", "limit=1000")
        assert rows(fresh, "/portfolio/deposits", "limit=1") == page["items"]
        totals = fresh.get(f"{API}/portfolio/summary").json()["totals"]
    assert Decimal(page["net"]) == before + Decimal("199.75") == Decimal(page["deposited"]) - Decimal(page["withdrawn"])
    assert len(page["items"]) == len(whole["items"]) + 3
    assert {(row["kind"], row["status"]) for row in page["items"]} >= {
        ("withdrawal", "applied"),
        ("deposit", "pending"),
    }
    assert Decimal(totals["equity_less_deposits"]) == Decimal(totals["equity"]) - Decimal(page["net"])
