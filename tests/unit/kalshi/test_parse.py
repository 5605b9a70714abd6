from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.kalshi import payloads
from tests.unit.kalshi.payloads import Row, text

from coliseum.errors import SourceMalformed, SourceRateLimited, SourceRefused, SourceUnavailable
from coliseum.kalshi import parse, wire
from coliseum.trading.markets import Level, Market
from coliseum.trading.money import decimal_text
from coliseum.trading.pages import RejectedRow
from coliseum.trading.trades import BookSide, Fill, Outcome, Side

Document = TypeVar("Document", bound=wire.WireObject)


def _market(**changes: object) -> Market:
    return parse.market_from(_read(wire.WireMarket, payloads.market(**changes)))


def _fill(**changes: object) -> Fill:
    return parse.fill_from(_read(wire.WireFill, payloads.fill(**changes)), endpoint="GET /portfolio/fills")


def _read(model: type[Document], row: Row) -> Document:
    return parse.document(model, text(row), endpoint="GET /there")


def _malformed(model: type[wire.WireObject], body: object) -> SourceMalformed:
    with pytest.raises(SourceMalformed) as caught:
        parse.document(model, body if isinstance(body, bytes) else text(body), endpoint="GET /there")
    return caught.value


def test_a_market_keeps_its_exact_prices_and_counts() -> None:
    market = _market()
    assert (market.yes_bid, market.yes_ask) == (Decimal("0.5600"), Decimal("0.5900"))
    assert (market.no_bid, market.no_ask) == (Decimal("0.4100"), Decimal("0.4400"))
    assert (market.last_price, market.previous_price) == (Decimal("0.5800"), Decimal("0.5200"))
    assert market.volume == Decimal("1043.25")
    assert (market.spread, market.midpoint) == (Decimal("0.0300"), Decimal("0.575"))
    assert market.updated_time == datetime(2026, 11, 20, 9, 30, 0, 123450, UTC)
    assert (market.subtitle, market.result, market.settlement_value) == ("Rain", None, None)


@pytest.mark.parametrize("fee_multiplier", [1, 1.0, "1"])
def test_a_number_may_come_in_another_json_form(fee_multiplier: object) -> None:
    series = _read(wire.WireSeries, payloads.series(fee_multiplier=fee_multiplier))
    assert series.fee_multiplier == 1.0


def test_an_empty_side_has_no_quote() -> None:
    market = _market(
        yes_bid_dollars="0.0000",
        yes_bid_size_fp="0.00",
        no_ask_dollars="1.0000",
        yes_ask_dollars="1.0000",
        yes_ask_size_fp="0.00",
        no_bid_dollars="0.0000",
    )
    assert (market.yes_bid, market.yes_ask, market.no_bid, market.no_ask) == (None, None, None, None)
    assert (market.spread, market.midpoint) == (None, None)


def test_one_empty_side_leaves_the_other_alone() -> None:
    market = _market(yes_bid_dollars="0.0000", yes_bid_size_fp="0.00", no_ask_dollars="1.0000")
    assert (market.yes_bid, market.no_ask) == (None, None)
    assert (market.yes_ask, market.no_bid) == (Decimal("0.59"), Decimal("0.41"))


def test_a_quote_at_the_edge_with_size_is_a_quote() -> None:
    assert _market(yes_ask_dollars="1.0000", yes_ask_size_fp="3.00").yes_ask == 1


def test_a_market_that_never_traded_has_no_last_price() -> None:
    market = _market(last_price_dollars="0.0000", previous_price_dollars="0.0000")
    assert (market.last_price, market.previous_price) == (None, None)


def test_a_settled_market_has_its_result_and_value() -> None:
    settled = {"result": "scalar", "settlement_value_dollars": "0.3700", "settlement_ts": "2026-11-22T06:00:00Z"}
    market = _market(status="finalized", **settled)
    assert (market.result, market.settlement_value) == ("scalar", Decimal("0.37"))
    assert market.settled_at == datetime(2026, 11, 22, 6, tzinfo=UTC)


def test_unknown_values_of_text_fields_are_kept() -> None:
    market = _market(status="slumbering", market_type="trinary", result="maybe", brand_new_field=[1, 2])
    assert (market.status, market.market_type, market.result) == ("slumbering", "trinary", "maybe")


@pytest.mark.parametrize(
    "vanished",
    ["title", "yes_sub_title", "rules_primary", "can_close_early", "updated_time", "liquidity_dollars", "price_ranges"],
)
def test_a_market_is_read_without_fields_that_we_do_not_need(vanished: str) -> None:
    row = payloads.market()
    del row[vanished]
    parse.market_from(_read(wire.WireMarket, row))


@pytest.mark.parametrize(
    "vanished",
    [
        *("ticker", "event_ticker", "status", "market_type", "result", "open_time", "close_time"),
        *("yes_bid_dollars", "no_ask_dollars", "last_price_dollars", "volume_fp", "open_interest_fp"),
    ],
)
def test_a_missing_required_field_names_endpoint_field_and_ticker(vanished: str) -> None:
    row = payloads.market()
    del row[vanished]
    error = _malformed(wire.MarketsDocument, {"markets": [payloads.market(), row], "cursor": ""})
    assert error.field == f"markets[1].{vanished}"
    assert str(error).startswith(f"kalshi: GET /there: markets[1].{vanished}: field required")
    assert vanished == "ticker" or "(in 'KXRAIN-26NOV21-NYC')" in str(error)


@pytest.mark.parametrize("cents", [56, 0.56, "56", "-0.1", "1.01", "NaN", "Infinity", "", "٠.٥", "1e-2", True, None])
def test_a_value_that_could_be_cents_is_refused_as_a_price(cents: object) -> None:
    assert _malformed(wire.MarketDocument, {"market": payloads.market(yes_bid_dollars=cents)}).field == (
        "market.yes_bid_dollars"
    )


@pytest.mark.parametrize(
    "body", [b"", b"<html>busy</html>", b'{"market":', b"[]", b"null", b"\xff\xfe", b"[" * 100_000]
)
def test_a_body_of_another_form_is_malformed(body: bytes) -> None:
    _malformed(wire.MarketDocument, body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*payloads.fill(), "fills", "cursor"]), inner),
    )
)
def test_any_json_is_read_or_raises_our_error(body: object) -> None:
    with contextlib.suppress(SourceMalformed):
        document = parse.document(wire.FillsDocument, text(body), endpoint="GET /there")
        for row in document.fills or ():
            parse.fill_from(row, endpoint="GET /there")


@given(st.decimals(0, 1, places=6), st.decimals(0, 10**9, places=2))
def test_prices_and_counts_are_read_exactly(price: Decimal, count: Decimal) -> None:
    market = _market(last_price_dollars=decimal_text(price, places=4), volume_fp=decimal_text(count))
    assert market.last_price == (price or None)
    assert market.volume == count


def test_a_null_list_is_an_empty_one_and_a_null_cursor_the_last() -> None:
    document = parse.document(wire.FillsDocument, b'{"fills":null,"cursor":null}', endpoint="GET /there")
    assert (document.fills, document.cursor) == (None, None)


def test_books_are_sorted_best_first_and_asks_are_the_other_sides_bids() -> None:
    rows: Row = {
        "yes_dollars": [["0.0100", "200.00"], ["0.5600", "120.00"], ["0.4000", "0.00"]],
        "no_dollars": [["0.4100", "15.50"], ["0.0200", "9.00"]],
    }
    book = parse.book_from(_read(wire.WireOrderBook, rows))
    assert book.yes_bids == (Level(Decimal("0.56"), Decimal(120)), Level(Decimal("0.01"), Decimal(200)))
    assert book.yes_asks[0] == Level(Decimal("0.59"), Decimal("15.5"))
    assert book.no_asks[0] == Level(Decimal("0.44"), Decimal(120))


def test_an_empty_book_is_a_book() -> None:
    book = parse.book_from(_read(wire.WireOrderBook, {"yes_dollars": None, "no_dollars": []}))
    assert (book.yes_bids, book.yes_asks) == ((), ())


DIRECTIONS: list[tuple[Row, Side, Outcome, str, int]] = [
    ({"action": "buy", "book_side": "bid", "outcome_side": "yes", "side": "yes"}, Side.BUY, Outcome.YES, "0.58", 1),
    ({"action": "buy", "book_side": "ask", "outcome_side": "no", "side": "no"}, Side.BUY, Outcome.NO, "0.42", -1),
    ({"action": "sell", "book_side": "ask", "outcome_side": "no", "side": "no"}, Side.SELL, Outcome.YES, "0.58", -1),
    ({"action": "sell", "book_side": "bid", "outcome_side": "yes", "side": "yes"}, Side.SELL, Outcome.NO, "0.42", 1),
    ({"action": "", "book_side": "bid", "outcome_side": "yes"}, Side.BUY, Outcome.YES, "0.58", 1),
    ({"action": None, "book_side": "ask", "outcome_side": "no"}, Side.BUY, Outcome.NO, "0.42", -1),
    ({"action": "buy", "book_side": "bid", "outcome_side": "yes", "side": "no"}, Side.BUY, Outcome.YES, "0.58", 1),
]


@pytest.mark.parametrize(("row", "side", "outcome", "price", "sign"), DIRECTIONS)
def test_direction_comes_from_the_book_side_and_action_only_says_sold(
    row: Row, side: Side, outcome: Outcome, price: str, sign: int
) -> None:
    """The deprecated `side` decides nothing, whatever it says."""
    fill = _fill(**row)
    trade = fill.as_trade()
    assert (trade.side, trade.outcome, trade.price) == (side, outcome, Decimal(price))
    assert fill.yes_delta == sign * Decimal("10.50")


def test_a_fill_without_the_deprecated_direction_is_read() -> None:
    row = payloads.fill()
    del row["action"], row["side"]
    fill = parse.fill_from(_read(wire.WireFill, row), endpoint="GET /portfolio/fills")
    assert (fill.book_side, fill.sold) == (BookSide.BID, False)


def test_a_fill_with_contradicting_directions_is_an_error() -> None:
    with pytest.raises(SourceMalformed, match="book_side bid contradicts outcome_side no") as caught:
        _fill(book_side="bid", outcome_side="no")
    assert caught.value.field == "book_side"


def test_an_unknown_direction_is_an_error() -> None:
    assert _malformed(wire.FillsDocument, payloads.fills(payloads.fill(book_side="buy"))).field == "fills[0].book_side"


def test_a_fills_time_has_microseconds_or_at_least_seconds() -> None:
    assert _fill().timestamp == 1_795_168_800.25
    assert _fill(created_time=None).timestamp == 1_795_168_800.0
    with pytest.raises(SourceMalformed, match="neither created_time nor ts"):
        _fill(created_time="", ts=None)


def test_fee_count_and_id_of_a_fill_are_the_exchanges() -> None:
    fill = _fill()
    assert (fill.fee, fill.count, fill.fill_id[:8]) == (Decimal("0.179"), Decimal("10.5"), "3f1b0f0e")


def test_the_balance_is_exact_dollars_and_the_value_was_cents() -> None:
    balance = parse.balance_from(_read(wire.WireBalance, payloads.BALANCE))
    assert (balance.cash, balance.portfolio_value) == (Decimal("98.0186"), Decimal("1.98"))
    assert balance.equity == Decimal("99.9986")
    assert balance.as_of == datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def test_a_balance_from_before_the_exact_field_is_its_cents() -> None:
    body = {name: value for name, value in payloads.BALANCE.items() if name != "balance_dollars"}
    assert parse.balance_from(_read(wire.WireBalance, body)).cash == Decimal("98.01")


def test_a_position_below_zero_is_no_contracts() -> None:
    position = parse.position_from(_read(wire.WirePosition, payloads.position()))
    assert (position.position, position.realized_pnl) == (Decimal("-10.5"), Decimal("-0.12"))


def test_a_settlements_cents_become_dollars() -> None:
    settlement = parse.settlement_from(_read(wire.WireSettlement, payloads.settlement()))
    assert (settlement.revenue, settlement.value, settlement.fee) == (Decimal(10), Decimal(1), Decimal("0.34"))
    unknown = parse.settlement_from(_read(wire.WireSettlement, payloads.settlement(value=None)))
    assert unknown.value is None


def test_an_event_carries_its_markets_or_none() -> None:
    row = _read(wire.WireEvent, payloads.event(markets=[payloads.market()]))
    event = parse.event_from(row, row.markets)
    assert [market.ticker for market in event.markets] == ["KXRAIN-26NOV21-NYC"]
    assert event.fee_multiplier_override == Decimal("0.5")
    assert _read(wire.WireEvent, payloads.event()).markets is None


def test_a_series_has_its_fee() -> None:
    series = parse.series_from(_read(wire.WireSeries, payloads.series(fee_multiplier=0.07)))
    assert (series.fee_type, series.fee_multiplier, series.tags) == ("quadratic", Decimal("0.07"), ())
    assert series.settlement_sources == ("NWS",)
    assert series.settlement_urls == ("https://example.com/nws",)


def test_a_candle_without_a_trade_has_no_price_but_the_one_before() -> None:
    row = payloads.candle(price={"previous_dollars": "0.0010"}, volume_fp="0.00")
    candle = parse.candle_from(_read(wire.WireCandle, row))
    assert (candle.price_open, candle.price_close) == (None, None)
    assert (candle.price_previous, candle.volume) == (Decimal("0.001"), Decimal(0))


def test_a_candle_of_an_empty_book_has_no_quotes() -> None:
    row = payloads.candle(yes_bid={"close_dollars": "0.0000"}, yes_ask={"close_dollars": "1.0000"})
    candle = parse.candle_from(_read(wire.WireCandle, row))
    assert (candle.yes_bid_close, candle.yes_ask_close) == (None, None)


def test_historical_candles_are_read_like_live_ones() -> None:
    candle = parse.candle_from(_read(wire.WireHistoricalCandle, payloads.historical_candle()))
    assert (candle.price_close, candle.price_high, candle.volume) == (Decimal("0.55"), Decimal("0.6"), Decimal(12))


ERRORS: list[tuple[int, object, type[Exception], str | None, str]] = [
    (401, {"error": {"code": "a_e", "message": "a_e", "details": "BAD"}}, SourceRefused, "a_e", "a_e: BAD"),
    (
        400,
        {"code": "bad_request", "message": "bad request", "details": ""},
        SourceRefused,
        "bad_request",
        "bad request",
    ),
    (400, {"msg": "Parameter validation failed"}, SourceRefused, None, "Parameter validation failed"),
    (429, {"error": "too many requests"}, SourceRateLimited, "too_many_requests", "too many requests"),
    (429, {"error": {"code": "too_many_requests"}}, SourceRateLimited, "too_many_requests", "too_many_requests"),
    (500, "<html>", SourceUnavailable, None, "answered 500"),
    (502, [1], SourceUnavailable, None, "answered 502"),
    (400, {"error": 7}, SourceRefused, None, "answered 400"),
    (400, {"code": 7, "message": None}, SourceRefused, None, "answered 400"),
]


@pytest.mark.parametrize(("status", "body", "kind", "code", "message"), ERRORS)
def test_every_shape_of_an_error_becomes_one_with_its_code(
    status: int, body: object, kind: type[Exception], code: str | None, message: str
) -> None:
    error = parse.error_from(status, body.encode() if isinstance(body, str) else text(body), endpoint="GET /x")
    assert type(error) is kind
    assert (error.code, error.status) == (code, status)
    assert message in str(error)


def test_a_long_message_of_an_error_is_cut() -> None:
    assert len(str(parse.error_from(400, text({"msg": "x" * 100_000}), endpoint="GET /x"))) < 400


@pytest.mark.parametrize("empty", ["", None, 0])
def test_an_empty_value_in_a_time_field_is_no_time_and_elsewhere_stays_text(empty: object) -> None:
    market = _read(wire.WireMarket, payloads.market(updated_time=empty, settlement_ts=empty, result=""))
    assert (market.updated_time, market.settlement_ts, market.result) == (None, None, "")


@pytest.mark.parametrize("time", ["2026-11-20T10:00:00", "2026-13-20T10:00:00Z", "yesterday"])
def test_a_time_without_offset_or_outside_the_calendar_is_named(time: object) -> None:
    for field in ("close_time", "updated_time"):
        error = _malformed(wire.MarketDocument, {"market": payloads.market(**{field: time})})
        assert error.field == f"market.{field}"
        assert "(in 'KXRAIN-26NOV21-NYC')" in str(error)


@pytest.mark.parametrize("text_", ["0.5 ", "0.5\n", "0_1", "+0.5", ".5", "0."])
def test_only_plain_decimals_are_prices(text_: str) -> None:
    _malformed(wire.MarketDocument, {"market": payloads.market(no_bid_dollars=text_)})


def test_a_wrong_value_deep_inside_is_named_with_its_index() -> None:
    body = {"orderbooks": [{"ticker": "KX-1", "orderbook_fp": {"yes_dollars": [["0.5", 7]], "no_dollars": []}}]}
    error = _malformed(wire.BooksDocument, body)
    assert error.field == "orderbooks[0].orderbook_fp.yes_dollars[0][1]"
    assert "(in 'KX-1')" in str(error)


def test_a_fill_whose_time_is_0_has_the_time_of_its_other_field() -> None:
    assert _fill(created_time=0).timestamp == _fill(created_time=None).timestamp


def test_every_field_of_a_market_and_a_fill_is_filled_in() -> None:
    """They are made without their constructors, which would notice a missing field."""
    for value in (_market(), _fill()):
        assert repr(value)


def _rows(*rows: object) -> tuple[list[str], tuple[RejectedRow, ...]]:
    body = text({"markets": rows, "cursor": "next"})
    answer, rejected = parse.document_and_rejected(wire.MarketsDocument, body, endpoint="GET /markets")
    assert answer.cursor == "next"
    return [row.ticker for row in answer.markets or ()], rejected


def _without(row: payloads.Row, *names: str) -> payloads.Row:
    return {name: value for name, value in row.items() if name not in names}


@pytest.mark.parametrize(
    ("odd", "ticker", "field", "value"),
    [
        (payloads.market(ticker="ODD", yes_bid_dollars=None), "ODD", "yes_bid_dollars", "null"),
        (payloads.market(ticker="ODD", yes_bid_dollars=56), "ODD", "yes_bid_dollars", "56"),
        (_without(payloads.market(ticker="ODD"), "result"), "ODD", "result", None),
        (payloads.market(ticker="ODD", close_time="soon\n"), "ODD", "close_time", '"soon\\n"'),
        (payloads.market(ticker="ODD", volume_fp="x" * 500), "ODD", "volume_fp", '"' + "x" * 56 + "..."),
        (_without(payloads.market(), "ticker"), "KXRAIN-26NOV21", "ticker", None),
        (payloads.market(ticker="A\x07", title=None), "A?", "title", "null"),
        ({}, None, "ticker", None),
        (None, None, "row", "null"),
        ([1], None, "row", "[1]"),
    ],
)
def test_an_odd_row_is_left_out_and_named_with_ticker_field_and_value(
    odd: object, ticker: str | None, field: str, value: str | None
) -> None:
    good = [payloads.market(ticker=f"GOOD-{number}") for number in range(22)]
    tickers, rejected = _rows(*good[:9], odd, *good[9:])
    assert tickers == [row["ticker"] for row in good]
    assert [(row.ticker, row.field, row.value) for row in rejected] == [(ticker, field, value)]
    assert str(rejected[0]).isprintable()


def test_a_list_that_is_none_is_refused_as_a_whole() -> None:
    with pytest.raises(SourceMalformed) as caught:
        parse.document_and_rejected(wire.MarketsDocument, text({"markets": {"a": 1}}), endpoint="GET /markets")
    assert caught.value.field == "markets"


def test_an_odd_market_inside_an_event_leaves_the_event() -> None:
    markets = [payloads.market(ticker="GOOD"), payloads.market(ticker="ODD", status=5)]
    body = text({"events": [payloads.event(markets=markets), payloads.event(event_ticker=7)]})
    answer, rejected = parse.document_and_rejected(wire.EventsDocument, body, endpoint="GET /events")
    assert [market.ticker for event in answer.events or () for market in event.markets or ()] == ["GOOD"]
    assert [(row.ticker, row.field) for row in rejected] == [("ODD", "status"), (None, "event_ticker")]


def test_a_row_without_a_name_gets_the_ticker_of_the_request() -> None:
    body = text({"candlesticks": [payloads.candle(), payloads.candle() | {"end_period_ts": "then"}]})
    answer, rejected = parse.document_and_rejected(wire.CandlesDocument, body, endpoint="GET /candles", ticker="KXA")
    assert len(answer.candlesticks or ()) == 1
    assert [(row.ticker, row.field, row.value) for row in rejected] == [("KXA", "end_period_ts", '"then"')]


def test_an_order_book_with_an_odd_level_is_left_out_as_a_whole() -> None:
    odd = {"ticker": "ODD", "orderbook_fp": payloads.BOOK | {"no_dollars": [["0.5", "1.00"], ["0.6", 3]]}}
    good = {"ticker": "GOOD", "orderbook_fp": payloads.BOOK}
    body = text({"orderbooks": [odd, good]})
    answer, rejected = parse.document_and_rejected(wire.BooksDocument, body, endpoint="GET /books")
    assert [row.ticker for row in answer.orderbooks or ()] == ["GOOD"]
    assert [(row.ticker, row.field) for row in rejected] == [("ODD", "orderbook_fp.no_dollars[1][1]")]


@pytest.mark.parametrize(
    ("model", "body", "named"),
    [
        (
            wire.FillsDocument,
            payloads.fills(payloads.fill(), payloads.fill(fill_id="odd-one", fee_cost=1)),
            "fills[1].fee_cost: Expected `str`, got `int`: 1 (in 'KXRAIN-26NOV21-NYC', fill_id 'odd-one')",
        ),
        (
            wire.PositionsDocument,
            {"market_positions": [payloads.position(position_fp=None)]},
            "market_positions[0].position_fp: Expected `str`, got `null`: null (in 'KXRAIN-26NOV21-NYC')",
        ),
        (
            wire.SettlementsDocument,
            {"settlements": [_without(payloads.settlement(), "revenue")]},
            "settlements[0].revenue: field required (in 'KXRAIN-26NOV21-NYC')",
        ),
        (
            wire.WireBalance,
            payloads.BALANCE | {"balance": "much"},
            'balance: Expected `int | float`, got `str`: "much"',
        ),
    ],
)
def test_money_is_read_as_a_whole_or_not_and_the_error_names_the_row(
    model: type[wire.WireObject], body: payloads.Row, named: str
) -> None:
    with pytest.raises(SourceMalformed) as caught:
        parse.document(model, text(body), endpoint="GET /there")
    assert str(caught.value) == f"kalshi: GET /there: {named}"


@pytest.mark.parametrize("written", [1796062621.75, "1796062621.75"])
@pytest.mark.parametrize("name", ["created_time", "ts"])
def test_a_time_may_be_a_number_or_the_same_as_text(name: str, written: object) -> None:
    row = _without(payloads.fill(), "created_time", "ts") | {name: written}
    answer = parse.document(wire.FillsDocument, text(payloads.fills(row)), endpoint="GET /there")
    assert [parse.fill_from(row, endpoint="GET /there").timestamp for row in answer.fills or ()] == [1796062621.75]


@pytest.mark.parametrize("odd", [1796062621000, "1796062621000", True, -5, "soon", "1e999"])
def test_a_time_in_another_unit_is_refused(odd: object) -> None:
    row = _without(payloads.fill(), "created_time") | {"ts": odd}
    assert _malformed(wire.FillsDocument, payloads.fills(row)).field == "fills[0].ts"


@pytest.mark.parametrize("odd", ["nan", "inf", -0.5, 1001, True])
def test_a_fee_multiplier_that_is_no_number_of_use_is_refused(odd: object) -> None:
    _malformed(wire.SeriesDocument, {"series": payloads.series(fee_multiplier=odd)})


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (45.2, "this machine's clock is about 45 s ahead of the exchange's"),
        (-31.0, "this machine's clock is about 31 s behind the exchange's"),
        (None, "this machine's clock differs from the exchange's"),
    ],
)
def test_a_refused_clock_is_named_with_the_difference(ahead: float | None, said: str) -> None:
    body = b'{"error":{"code":"header_timestamp_expired","message":"header timestamp expired"}}'
    error = parse.error_from(401, body, endpoint="GET /there", clock_ahead_seconds=ahead)
    assert said in str(error)
    assert error.code == "header_timestamp_expired"


def test_the_cash_on_each_shard_is_read() -> None:
    rows = [{"exchange_index": 0, "balance": "98.0186"}, {"exchange_index": 3, "balance": "0.0000"}]
    balance = parse.balance_from(_read(wire.WireBalance, payloads.BALANCE | {"balance_breakdown": rows}))
    assert [(shard.exchange_index, shard.cash) for shard in balance.by_shard or ()] == [
        (0, Decimal("98.0186")),
        (3, Decimal(0)),
    ]
    without = {name: value for name, value in payloads.BALANCE.items() if name != "balance_breakdown"}
    assert parse.balance_from(_read(wire.WireBalance, without)).by_shard is None


@pytest.mark.parametrize("cents", [98, 98018, 9803, 0])
def test_a_balance_in_another_unit_is_refused(cents: int) -> None:
    with pytest.raises(SourceMalformed, match="is not the cents of balance_dollars") as caught:
        parse.balance_from(_read(wire.WireBalance, payloads.BALANCE | {"balance": cents}))
    assert caught.value.field == "balance"


def test_a_fill_whose_prices_do_not_make_a_dollar_is_refused() -> None:
    row = _read(wire.WireFill, payloads.fill(yes_price_dollars="0.0056"))
    with pytest.raises(SourceMalformed, match="do not make 1"):
        parse.fill_from(row, endpoint="GET /there")


@pytest.mark.parametrize("odd", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2100-01-01T00:00:00Z"])
def test_a_time_of_money_that_cannot_be_is_refused_with_its_row(odd: str) -> None:
    """A fill of the year 1 would be booked before all others."""
    with pytest.raises(SourceMalformed, match=r"fill 3f1b0f0e.* created_time: .* no time of 2000 to 2100"):
        _fill(created_time=odd)
    row = _read(wire.WireSettlement, payloads.settlement(settled_time=odd))
    with pytest.raises(SourceMalformed, match=r"settlement of .* settled_time: .* no time of 2000 to 2100"):
        parse.settlement_from(row)


@pytest.mark.parametrize(
    ("field", "odd"),
    [("count_fp", "0.00"), ("fill_id", ""), ("order_id", "a\0b"), ("ticker", "KX\0"), ("ticker", "x" * 201)],
)
def test_a_fill_that_could_not_be_kept_is_refused_by_name(field: str, odd: str) -> None:
    """Postgres stores no NUL, and a fill of nothing is none."""
    assert _malformed(wire.FillsDocument, payloads.fills(payloads.fill(**{field: odd}))).field == f"fills[0].{field}"
