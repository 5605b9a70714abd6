"""The sandbox exchange answers as the recorded one does, oddities and error bodies included."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.exchange import START, Exchange, launch_standing_exchange, quoted_market


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """One standing exchange for this file; each test leaves the switches as they were."""
    exchange = launch_standing_exchange(tmp_path_factory.mktemp("quirks"))
    yield exchange
    exchange.stop()


@pytest.fixture
def exchange(private: Exchange) -> Iterator[Exchange]:
    yield private
    private.reset()


@pytest.fixture(scope="module")
def observed(shared_data: Path) -> dict[str, Any]:
    rows: dict[str, Any] = json.loads((shared_data / "kalshi-samples" / "errors-observed.json").read_text())
    return rows


# Errors


def _errors(exchange: Exchange) -> dict[str, Any]:
    """Each recorded situation, provoked: name -> (status, body)."""
    ticker = quoted_market(exchange, lambda each: each["price_level_structure"] == "linear_cent")["ticker"]
    path = "/portfolio/balance"
    good = exchange.sign("GET", path)
    taken = exchange.order(ticker, "bid", "1.00", "0.01", client_order_id="taken")
    assert taken.status_code in {201, 409}
    balance = exchange.http
    answers = {
        "auth__bad_signature": balance.get(path, headers=good | {"KALSHI-ACCESS-SIGNATURE": "AAAA"}),
        "auth__unknown_key_id": balance.get(path, headers=good | {"KALSHI-ACCESS-KEY": "nobody"}),
        "auth__missing_signature_header": balance.get(path),
        "auth__skew_minus30s": balance.get(path, headers=exchange.sign("GET", path, at_ms=_ago(30))),
        "markets__limit_over_max": balance.get("/markets", params={"limit": 1001}),
        "orders__numeric_field_types": exchange.order(ticker, "bid", 1, "0.50"),  # type: ignore[arg-type]  # on purpose
        "orders__insufficient_balance": exchange.order(ticker, "bid", "100000.00", "0.99"),
        "orders__invalid_price_structure": exchange.order(ticker, "bid", "1.00", "0.505"),
        "orders__post_only_cross": exchange.order(
            ticker, "bid", "1.00", "0.99", post_only=True, time_in_force="good_till_canceled"
        ),
        "orders__duplicate_client_order_id": exchange.order(ticker, "bid", "1.00", "0.01", client_order_id="taken"),
        "orders__cancel_unknown_id": exchange.call("DELETE", "/portfolio/events/orders/nothing"),
        "bad_status_filter_observed_2026-09-17": balance.get("/markets", params={"status": "active"}),
        "two_status_filters_observed_2026-09-17": balance.get("/markets", params={"status": "open,closed"}),
        "historical_market_not_found_observed_2026-09-17": balance.get("/historical/markets/KXNOPE"),
    }
    return {name: (answer.status_code, answer.json()) for name, answer in answers.items()}


def _ago(seconds: float) -> int:
    return int((time.time() - seconds) * 1000)


def test_errors_have_the_recorded_status_and_body(exchange: Exchange, observed: dict[str, Any]) -> None:
    for name, (status, body) in _errors(exchange).items():
        assert (status, body) == (observed[name]["status"], observed[name]["body"]), name


def test_too_many_requests_come_as_documented_and_without_any_hint_when_to_return(
    exchange: Exchange, observed: dict[str, Any]
) -> None:
    exchange.admin("too-many-requests", requests=2)
    first, second, third = (exchange.call("GET", "/portfolio/fills") for _ in range(3))
    assert [first.status_code, second.status_code, third.status_code] == [429, 429, 200]
    assert first.json() == observed["rate_limit_documented"]["body"]
    assert not [name for name in first.headers if name.startswith(("retry", "x-ratelimit"))]


def test_the_balance_has_one_call_a_second_and_a_bucket_of_its_own(exchange: Exchange) -> None:
    exchange.admin("rate-limits", enabled=True)
    answers = [exchange.call("GET", "/portfolio/balance").status_code for _ in range(3)]
    assert answers.count(429) >= 1
    assert exchange.call("GET", "/portfolio/positions").status_code == 200


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"limit": "many"}, "limit"),
        ({"limit": -1}, "gte"),
        ({"min_close_ts": 1, "min_settled_ts": 1}, "mutually exclusive"),
        ({"min_close_ts": 1, "status": "settled"}, "do not go with"),
        ({"min_settled_ts": 1, "status": "open"}, "do not go with"),
        ({"min_created_ts": 1, "status": "closed"}, "do not go with"),
        ({"min_updated_ts": 1, "status": "open"}, "no other filter"),
        ({"min_updated_ts": 1, "series_ticker": "KXBTC5M"}, "requires mve_filter=exclude"),
        ({"mve_filter": "some"}, "mve_filter"),
        ({"event_ticker": "A,B"}, "one event_ticker"),
    ],
)
def test_filters_that_do_not_go_together_are_refused(exchange: Exchange, params: dict[str, Any], word: str) -> None:
    answer = exchange.http.get("/markets", params=params)
    assert answer.status_code == 400
    assert word in answer.text


# Markets


@pytest.mark.parametrize(
    ("word", "statuses"),
    [
        ("unopened", {"initialized"}),
        ("open", {"active"}),
        ("paused", {"inactive"}),
        ("closed", {"determined"}),
        ("settled", {"finalized"}),
    ],
)
def test_filters_and_answers_speak_different_words_for_a_status(
    exchange: Exchange, word: str, statuses: set[str]
) -> None:
    halted = None
    if word == "paused":
        halted = quoted_market(exchange)["ticker"]
        exchange.admin(f"markets/{halted}/halt", halted=True)
    if word == "closed":
        ended = quoted_market(exchange, lambda each: each["event_ticker"].startswith("KXTENNISSET"))
        exchange.admin("clock", seconds=_unix(ended["close_time"]) - _unix(exchange.admin_state()["now"]) + 3)
    markets = exchange.get("/markets", status=word, limit=1000)["markets"]
    assert {market["status"] for market in markets} == statuses
    if halted:
        exchange.admin(f"markets/{halted}/halt", halted=False)


def _unix(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def test_at_least_two_dozen_markets_in_six_categories_are_open(exchange: Exchange) -> None:
    assert len(exchange.get("/markets", status="open", limit=1000)["markets"]) >= 24
    assert len({series["category"] for series in exchange.get("/series")["series"]}) >= 6


def test_pages_end_with_an_empty_cursor_and_garbage_is_the_first_page(exchange: Exchange) -> None:
    tickers: list[str] = []
    cursor = ""
    while True:
        body = exchange.get("/markets", limit=17, **({"cursor": cursor} if cursor else {}))
        tickers += [market["ticker"] for market in body["markets"]]
        cursor = body["cursor"]
        if not cursor:
            break
    assert len(tickers) == len(set(tickers)) == len(exchange.get("/markets", limit=1000)["markets"])
    garbage = exchange.get("/markets", limit=17, cursor="no-such-cursor")
    assert [market["ticker"] for market in garbage["markets"]] == tickers[:17]


def test_combos_are_excluded_or_absent(exchange: Exchange) -> None:
    assert exchange.get("/markets", mve_filter="only")["markets"] == []
    assert exchange.get("/markets", mve_filter="exclude")["markets"]


def test_an_order_book_shows_bids_only_best_last_and_fits_the_market(exchange: Exchange) -> None:
    market = quoted_market(exchange)
    book = exchange.get(f"/markets/{market['ticker']}/orderbook")["orderbook_fp"]
    yes, no = book["yes_dollars"], book["no_dollars"]
    assert [float(price) for price, _ in yes] == sorted(float(price) for price, _ in yes)
    assert yes[-1] == [market["yes_bid_dollars"], market["yes_bid_size_fp"]]
    assert f"{1 - float(no[-1][0]):.4f}" == market["yes_ask_dollars"]
    top = exchange.get(f"/markets/{market['ticker']}/orderbook", depth=1)["orderbook_fp"]
    assert top == {"yes_dollars": yes[-1:], "no_dollars": no[-1:]}


def test_an_empty_side_is_zero_or_one(exchange: Exchange) -> None:
    settled = exchange.get("/markets", status="settled", limit=1)["markets"][0]
    assert (settled["yes_bid_dollars"], settled["yes_ask_dollars"]) == ("0.0000", "1.0000")


def test_every_open_market_with_a_past_has_a_day_of_candles(exchange: Exchange) -> None:
    now = int(START)
    old = [
        each
        for each in exchange.get("/markets", status="open", limit=1000)["markets"]
        if _unix(each["open_time"]) < now - 90_000
    ]
    assert len(old) >= 10
    tickers = ",".join(each["ticker"] for each in old)
    body = exchange.get(
        "/markets/candlesticks", market_tickers=tickers, start_ts=now - 86_400, end_ts=now, period_interval=60
    )
    assert {len(row["candlesticks"]) for row in body["markets"]} <= {24, 25}
    quiet = [candle for row in body["markets"] for candle in row["candlesticks"] if candle["volume_fp"] == "0.00"]
    assert all(set(candle["price"]) <= {"previous_dollars"} for candle in quiet)


@pytest.mark.parametrize(
    "params",
    [
        {"start_ts": 0, "end_ts": 86_400 * 10, "period_interval": 1},
        {"start_ts": 10, "end_ts": 0, "period_interval": 60},
        {"start_ts": 0, "end_ts": 60, "period_interval": 7},
        {"start_ts": 0, "end_ts": 60},
    ],
)
def test_candles_nobody_can_give_are_refused(exchange: Exchange, params: dict[str, Any]) -> None:
    market = quoted_market(exchange)
    path = f"/series/{market['event_ticker'].split('-')[0]}/markets/{market['ticker']}/candlesticks"
    assert exchange.http.get(path, params=params).status_code == 400


def test_a_nested_event_without_live_markets_has_no_markets_key(exchange: Exchange) -> None:
    settled = exchange.get("/markets", status="settled", limit=1)["markets"][0]["event_ticker"]
    exchange.admin("cutoff", market_settled=START + 10 * 86_400)
    assert "markets" not in exchange.get(f"/events/{settled}", with_nested_markets="true")["event"]
    exchange.admin("cutoff")
    assert exchange.get(f"/events/{settled}", with_nested_markets="true")["event"]["markets"]


@pytest.mark.parametrize(
    "path", ["/markets/KXNOPE", "/markets/KXNOPE/orderbook", "/events/KXNOPE", "/series/KXNOPE", "/nothing/here"]
)
def test_what_is_not_there_is_not_found_in_the_usual_shape(exchange: Exchange, path: str) -> None:
    answer = exchange.http.get(path)
    assert (answer.status_code, answer.json()) == (404, {"error": {"code": "not_found", "message": "not found"}})


# The account


def test_fills_come_newest_first_and_min_ts_includes_its_second(exchange: Exchange) -> None:
    ticker = quoted_market(exchange)["ticker"]
    for _ in range(2):
        exchange.order(ticker, "bid", "1.00", "0.99")
        exchange.admin("clock", seconds=2)
    fills = exchange.get("/portfolio/fills")["fills"]
    times = [fill["ts"] for fill in fills]
    assert times == sorted(times, reverse=True)
    assert [fill["fill_id"] for fill in exchange.get("/portfolio/fills", min_ts=times[0])["fills"]] == [
        fill["fill_id"] for fill in fills if fill["ts"] == times[0]
    ]
    assert exchange.get("/portfolio/fills", order_id=fills[0]["order_id"])["fills"][0] == fills[0]
    assert exchange.get("/portfolio/fills", ticker=f"KXNOPE,{ticker}", limit=1)["cursor"]


def test_a_sale_of_yes_is_a_no_fill_but_a_yes_order(exchange: Exchange) -> None:
    """The deprecated pair means different things on fills and on orders; book_side is the same on both."""
    ticker = quoted_market(exchange)["ticker"]
    held = [row for row in exchange.get("/portfolio/positions")["market_positions"] if row["ticker"] == ticker]
    exchange.order(ticker, "bid", f"{5 + max(0.0, -float(held[0]['position_fp'])) if held else 5:.2f}", "0.99")
    order_id = exchange.order(ticker, "ask", "2.00", "0.01").json()["order_id"]
    fill = exchange.get("/portfolio/fills", order_id=order_id)["fills"][0]
    order = exchange.get(f"/portfolio/orders/{order_id}")["order"]
    names = ("action", "side", "outcome_side", "book_side")
    assert [fill[name] for name in names] == ["sell", "no", "no", "ask"]
    assert [order[name] for name in names] == ["sell", "yes", "no", "ask"]


def test_the_balance_cuts_off_below_a_cent_and_says_the_rest_in_dollars(exchange: Exchange) -> None:
    exchange.order(quoted_market(exchange)["ticker"], "bid", "1.00", "0.99")
    body = exchange.get("/portfolio/balance")
    assert body["balance"] == int(float(body["balance_dollars"]) * 100)
    assert len(body["balance_dollars"].split(".")[1]) == 4


def test_positions_of_settled_markets_leave_the_default_view(exchange: Exchange) -> None:
    ticker = quoted_market(exchange, lambda each: "KXCPIYOY" in each["ticker"])["ticker"]
    exchange.order(ticker, "bid", "3.00", "0.99")
    exchange.admin(f"markets/{ticker}/settle", result="yes")
    rows = {
        wanted: {
            row["ticker"] for row in exchange.get("/portfolio/positions", settlement_status=wanted)["market_positions"]
        }
        for wanted in ("unsettled", "settled", "all")
    }
    assert (ticker in rows["unsettled"], ticker in rows["settled"], ticker in rows["all"]) == (False, True, True)
    paid = exchange.get("/portfolio/settlements", ticker=ticker)["settlements"][0]
    assert (paid["market_result"], paid["revenue"], paid["value"]) == ("yes", 300, 100)
    assert (
        exchange.call("GET", "/portfolio/positions", params={"count_filter": "resting_order_count"}).status_code == 400
    )


def test_a_settlement_counts_everything_bought_and_pays_for_what_was_held(exchange: Exchange) -> None:
    ticker = quoted_market(exchange, lambda each: "KXBTC5M" not in each["ticker"])["ticker"]
    exchange.order(ticker, "bid", "5.00", "0.99")
    held = float(exchange.get("/portfolio/positions", ticker=ticker)["market_positions"][0]["position_fp"])
    side, price = ("ask", "0.01") if held > 0 else ("bid", "0.99")
    exchange.order(ticker, side, f"{abs(held):.2f}", price)
    exchange.admin(f"markets/{ticker}/settle", result="yes")
    row = exchange.get("/portfolio/settlements", ticker=ticker)["settlements"][0]
    fills = exchange.get("/portfolio/fills", ticker=ticker)["fills"]
    assert (row["revenue"], row["value"]) == (0, 100)
    for side in ("yes", "no"):
        bought = [fill for fill in fills if fill["outcome_side"] == side]
        cost = sum(float(fill["count_fp"]) * float(fill[f"{side}_price_dollars"]) for fill in bought)
        assert float(row[f"{side}_count_fp"]) == sum(float(fill["count_fp"]) for fill in bought) > 0
        assert float(row[f"{side}_total_cost_dollars"]) == pytest.approx(cost)


def test_only_an_applied_transfer_changes_the_cash(exchange: Exchange) -> None:
    def cash() -> Decimal:
        return Decimal(exchange.get("/portfolio/balance")["balance_dollars"])

    before = cash()
    exchange.admin("deposits", amount="50.25")
    exchange.admin("deposits", amount="7", status="failed")
    exchange.admin("withdrawals", amount="20", fee="1", type="wire")
    assert cash() - before == Decimal("30.25")
    newest = exchange.get("/portfolio/deposits", limit=500)["deposits"][:2]
    assert {(row["status"], row["amount_cents"]) for row in newest} == {("applied", 5025), ("failed", 700)}
    with pytest.raises(AssertionError, match="409"):
        exchange.admin("withdrawals", amount="900000000")


def test_a_past_of_fills_is_listed_and_leaves_the_position_as_it_was(exchange: Exchange) -> None:
    ticker = quoted_market(exchange)["ticker"]
    before = exchange.get("/portfolio/positions", ticker=ticker)["market_positions"]
    held = before[0]["position_fp"] if before else "0.00"
    exchange.admin("past-fills", ticker=ticker, pairs=3, first=START - 1000, every=10)
    listed = exchange.get("/portfolio/fills", ticker=ticker, min_ts=int(START - 1000), max_ts=int(START - 900))["fills"]
    assert [row["action"] for row in listed] == ["sell", "buy"] * 3
    assert exchange.get("/portfolio/positions", ticker=ticker)["market_positions"][0]["position_fp"] == held


def test_other_subaccounts_are_empty(exchange: Exchange) -> None:
    exchange.order(quoted_market(exchange)["ticker"], "bid", "1.00", "0.99")
    assert exchange.get("/portfolio/fills", subaccount=3)["fills"] == []
    assert exchange.get("/portfolio/balance", subaccount=3)["balance"] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"side": "yes"},
        {"time_in_force": "forever"},
        {"self_trade_prevention_type": None},
        {"count": "NaN"},
        {"count": "1e30"},
        {"count": "1.005"},
        {"price": "-0.5"},
        {"price": "Infinity"},
        {"post_only": "yes"},
        {"expiration_time": 1.5},
        {"subaccount": 7},
        {"ticker": None},
        {"ticker": ["a"]},
    ],
)
def test_hostile_order_bodies_are_refused_and_change_nothing(exchange: Exchange, change: dict[str, Any]) -> None:
    money = exchange.admin_state()["money"]
    fields = {"ticker": quoted_market(exchange)["ticker"], "side": "bid", "count": "1.00", "price": "0.50"} | change
    answer = exchange.order(**fields)
    assert answer.status_code == 400
    assert exchange.admin_state()["money"] == money


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"nul", b"x" * 70_000, b"[" * 5_000])
def test_bodies_that_are_no_json_object_are_refused(exchange: Exchange, content: bytes) -> None:
    answer = exchange.call("POST", "/portfolio/events/orders", content=content)
    assert answer.status_code in {400, 413}


# Switches


def test_a_trading_pause_is_reported_and_stops_orders_but_not_reads(exchange: Exchange) -> None:
    ticker = quoted_market(exchange)["ticker"]
    exchange.admin("trading-pause", paused=True)
    assert exchange.get("/exchange/status")["trading_active"] is False
    assert exchange.order(ticker, "bid", "1.00", "0.99").status_code == 503
    assert exchange.call("GET", "/portfolio/fills").status_code == 200


def test_the_weekly_pause_is_reported_with_its_end_and_ends(tmp_path: Path) -> None:
    thursday = 1_795_680_000
    own = launch_standing_exchange(tmp_path, "--start", str(thursday + 1800), "--weekly-pause")
    try:
        status = own.get("/exchange/status")
        assert (status["exchange_active"], status["trading_active"]) == (True, False)
        assert status["exchange_estimated_resume_time"] == "2026-11-26T10:00:00Z"
        assert len(own.get("/exchange/schedule")["schedule"]["standard_hours"][0]["thursday"]) == 2
        ticker = quoted_market(own)["ticker"]
        assert own.order(ticker, "bid", "1.00", "0.99").status_code == 503
        own.admin("clock", seconds=5400)
        assert own.order(ticker, "bid", "1.00", "0.99").status_code == 201
        assert "exchange_estimated_resume_time" not in own.get("/exchange/status")
    finally:
        own.stop()


def test_a_result_is_disputed_amended_and_then_paid(exchange: Exchange) -> None:
    market = quoted_market(exchange, lambda each: each["event_ticker"].startswith("KXBTC5M"))
    ticker = market["ticker"]
    exchange.order(ticker, "bid", "4.00", "0.99")
    held = exchange.get("/portfolio/positions", ticker=ticker)["market_positions"][0]["position_fp"]
    exchange.admin("clock", seconds=_unix(market["close_time"]) - _unix(exchange.admin_state()["now"]) + 3)
    exchange.admin(f"markets/{ticker}/dispute")
    assert exchange.get(f"/markets/{ticker}")["market"]["status"] == "disputed"
    assert ticker in {row["ticker"] for row in exchange.get("/markets", status="closed", limit=1000)["markets"]}
    exchange.admin(f"markets/{ticker}/amend", result="scalar", value="0.25")
    assert exchange.get(f"/markets/{ticker}")["market"]["status"] == "amended"
    exchange.admin("clock", seconds=exchange.get(f"/markets/{ticker}")["market"]["settlement_timer_seconds"] + 1)
    assert exchange.get(f"/markets/{ticker}")["market"]["status"] == "finalized"
    paid = exchange.get("/portfolio/settlements", ticker=ticker)["settlements"][0]
    due = int(float(held) * 25)
    assert (paid["market_result"], paid["value"], paid["revenue"]) == ("scalar", due, due)


def test_an_outage_answers_everything_with_the_status(exchange: Exchange) -> None:
    exchange.admin("outage", active=True)
    for path in ("/markets", "/exchange/status", "/portfolio/balance"):
        answer = exchange.http.get(path)
        assert (answer.status_code, answer.json()["exchange_active"]) == (503, False)


def test_latency_slows_every_answer(exchange: Exchange) -> None:
    exchange.admin("latency", seconds=0.3)
    before = time.monotonic()
    exchange.get("/exchange/status")
    assert time.monotonic() - before >= 0.3


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer é"}])
def test_the_switches_are_the_operators_alone(exchange: Exchange, headers: dict[str, str]) -> None:
    answer = exchange.http.post(
        f"{exchange.admin_url}/outage",
        json={"active": True},
        headers={name: value.encode("latin-1") for name, value in headers.items()},  # type: ignore[arg-type]  # bytes too
    )
    assert answer.status_code == 401
    assert exchange.http.get("/exchange/status").status_code == 200


@pytest.mark.parametrize(
    ("path", "order", "status"),
    [
        ("outage", {}, 422),
        ("outage", {"active": True, "more": 1}, 422),
        ("latency", {"seconds": -1}, 422),
        ("clock", {"seconds": 0}, 422),
        ("markets/KXNOPE/settle", {"result": "yes"}, 404),
    ],
)
def test_a_switch_that_is_thrown_wrongly_says_so(
    exchange: Exchange, path: str, order: dict[str, Any], status: int
) -> None:
    answer = exchange.http.post(
        f"{exchange.admin_url}/{path}", json=order, headers={"authorization": f"Bearer {exchange.admin_token}"}
    )
    assert answer.status_code == status
