from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.kalshi import payloads
from tests.unit.kalshi.payloads import Row
from tests.unit.kalshi.steps import Exchange

from coliseum.errors import SourceMalformed
from coliseum.kalshi import parse, rows, wire

_TEXTS = st.sampled_from(
    [
        *("", "0", "1", "0.56", "1.0000", "0.0000", "1.01", "-0.50", "56", "5.6e1", "NaN", "0.5 0.5", "0_1", "０.5"),
        *("2026-11-20T10:00:00Z", "2026-11-20T10:00:00.25Z", "2026-11-20T10:00:00.Z", "2026-11-20T10:00:00"),
        *("2026-11-20T10:00:00+01:00", "2026-W47-5T10:00:00Z", "2026-13-20T10:00:00Z", "20261120T100000Z"),
        *("yes", "no", "bid", "ask", "buy", "sell", "hold", "active"),
    ]
)
_VALUES: st.SearchStrategy[Any] = (
    _TEXTS | st.none() | st.booleans() | st.integers(-5, 60) | st.floats() | st.sampled_from([[], {}])
)


@st.composite
def _mutilated(draw: st.DrawFn, whole: Row, others: tuple[str, ...]) -> Row:
    """A row with some fields changed, added or gone."""
    row = dict(whole)
    for name in draw(st.lists(st.sampled_from([*whole, *others]), max_size=3)):
        if draw(st.booleans()):
            row[name] = draw(_VALUES)
        else:
            row.pop(name, None)
    return row


def _agree(quick: Callable[[Any], object], thorough: Callable[[], object], body: Any) -> None:
    """What the quick reader reads, the thorough one reads alike; what it refuses is left to the thorough one."""
    try:
        found = quick(body)
    except rows.UNUSUAL:
        return
    assert found == thorough()


@example(payloads.market(yes_bid_dollars="0.0000", no_ask_dollars="1.0000", yes_bid_size_fp="0.00"))
@example(payloads.market(yes_ask_dollars="1.0000", no_bid_dollars="0.0000", yes_ask_size_fp="0.00"))
@example(payloads.market(yes_ask_dollars="1.0000", no_bid_dollars="0.0000", yes_ask_size_fp="5.00"))
@example(payloads.market(last_price_dollars="0.0000", previous_price_dollars=None))
@example(payloads.market(result="yes", settlement_value_dollars="1.0000", settlement_ts="2026-11-23T10:00:00Z"))
@settings(max_examples=300, deadline=None)
@given(_mutilated(payloads.market(), ("settlement_value_dollars", "settlement_ts")))
def test_a_market_is_read_as_thoroughly_or_not_at_all(row: Row) -> None:
    def thorough() -> object:
        return parse.market_from(parse.checked(wire.Market, row, endpoint="GET /markets"))

    _agree(lambda body: rows.markets_page(body).items[0], thorough, {"markets": [row]})


@example(payloads.fill(book_side="ask", outcome_side="no", action="sell"))
@example(payloads.fill(book_side="ask", outcome_side="yes"))
@settings(max_examples=300, deadline=None)
@given(_mutilated(payloads.fill(), ()))
def test_a_fill_is_read_as_thoroughly_or_not_at_all(row: Row) -> None:
    def thorough() -> object:
        return parse.fill_from(parse.checked(wire.Fill, row, endpoint="GET /f"), endpoint="GET /f")

    _agree(lambda body: rows.fills_page(body).items[0], thorough, {"fills": [row]})


def test_ordinary_rows_are_read_the_quick_way() -> None:
    assert rows.markets_page({"markets": [payloads.market()], "cursor": "next"}).cursor == "next"
    assert rows.fills_page({"fills": [payloads.fill()], "cursor": ""}).cursor is None
    assert rows.fills_page({"fills": []}).items == ()


@pytest.mark.parametrize(
    "body", [None, [], {}, {"fills": None}, {"fills": {}}, {"fills": [], "cursor": 5}, {"fills": [7]}]
)
def test_an_unusual_envelope_is_left_to_the_thorough_reader(body: Any) -> None:
    with pytest.raises(rows.UNUSUAL):
        rows.fills_page(body)


def test_every_field_is_filled_in() -> None:
    market = rows.markets_page({"markets": [payloads.market()]}).items[0]
    fill = rows.fills_page({"fills": [payloads.fill()]}).items[0]
    assert repr(market)
    assert repr(fill)
    assert isinstance(market.close_time, datetime)


def test_an_unusual_row_is_still_read_with_its_quirks_or_refused_by_name() -> None:
    """Through the client's own steps: null sizes are fine, a missing price is named."""
    odd = payloads.market(yes_bid_size_fp=None)
    exchange = Exchange(lambda _: {"markets": [payloads.market(), odd], "cursor": ""})
    assert len(exchange.run(exchange.calls.markets()).items) == 2
    del odd["yes_bid_dollars"]
    with pytest.raises(SourceMalformed, match=r"markets\[1\].yes_bid_dollars"):
        exchange.run(exchange.calls.markets())
