from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.kalshi import payloads
from tests.unit.kalshi.payloads import Row, text
from tests.unit.kalshi.steps import Exchange

from coliseum.errors import SourceError
from coliseum.kalshi.drift import CALLS, COMPLETELY, MAX_KNOWN, Sentinel
from coliseum.kalshi.known_fields import UNUSED
from coliseum.kalshi.retry import HttpAnswer
from coliseum.trading.exchange import ChangeKind

MARKET, FILL, BALANCE = payloads.market(), payloads.fill(), payloads.BALANCE


def _found(endpoint: str, body: object, *, everything: bool = True) -> list[tuple[str, str, str]]:
    sentinel = Sentinel()
    sentinel.look(endpoint, text(body), everything=everything)
    return [(one.shape, one.field, one.change.value) for one in sentinel.take_new()]


@pytest.mark.parametrize("endpoint", payloads.BODIES)
@pytest.mark.parametrize("everything", [True, False])
def test_a_good_answer_is_no_change(endpoint: str, *, everything: bool) -> None:
    assert _found(f"GET {endpoint}", payloads.BODIES[endpoint], everything=everything) == []


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def _markets(**changes: object) -> Row:
    return {"markets": [MARKET | changes], "cursor": ""}


CHANGES: list[tuple[str, object, tuple[str, str, str]]] = [
    ("GET /markets", _markets(brand_new=[1]), ("Market", "brand_new", "unknown_field")),
    ("GET /markets", {"markets": [_without(MARKET, "result")]}, ("Market", "result", "missing_field")),
    (
        "GET /markets",
        {"markets": [_without(MARKET, "yes_bid_dollars") | {"yes_bid_fixed": "0.56"}]},
        ("Market", "yes_bid_dollars", "renamed_field"),
    ),
    ("GET /markets", _markets(yes_bid_dollars=56), ("Market", "yes_bid_dollars", "other_type")),
    ("GET /markets", _markets(yes_bid_dollars=None), ("Market", "yes_bid_dollars", "other_type")),
    ("GET /markets", _markets(yes_bid_dollars="56.00"), ("Market", "yes_bid_dollars", "other_unit")),
    ("GET /markets", _markets(volume_fp=12), ("Market", "volume_fp", "other_type")),
    ("GET /markets", _markets(close_time=1795262400), ("Market", "close_time", "other_type")),
    ("GET /markets", _markets(close_time="21.11.2026"), ("Market", "close_time", "other_unit")),
    ("GET /markets", _markets(status="slumbering"), ("Market", "status", "new_value")),
    ("GET /markets", _markets(result="maybe"), ("Market", "result", "new_value")),
    ("GET /markets", _markets(market_type="trinary"), ("Market", "market_type", "new_value")),
    ("GET /markets", {"markets": [MARKET], "next_cursor": "x"}, ("Markets", "next_cursor", "unknown_field")),
    ("GET /markets", {"rows": [MARKET], "cursor": ""}, ("Markets", "markets", "renamed_field")),
    ("GET /markets", {"markets": {"a": MARKET}}, ("Markets", "markets", "other_type")),
    ("GET /markets", [MARKET], ("Markets", "itself", "other_type")),
    ("GET /events", {"events": [payloads.event(markets=[MARKET | {"status": 1}])]}, ("Market", "status", "other_type")),
    (
        "GET /series/{series_ticker}",
        {"series": payloads.series(fee_type="cubic")},
        ("Series", "fee_type", "new_value"),
    ),
    ("GET /portfolio/fills", payloads.fills(FILL | {"book_side": "middle"}), ("Fill", "book_side", "new_value")),
    ("GET /portfolio/fills", payloads.fills(FILL | {"is_taker": "yes"}), ("Fill", "is_taker", "other_type")),
    ("GET /portfolio/fills", payloads.fills(FILL | {"ts": 1795168800000}), ("Fill", "ts", "other_unit")),
    ("GET /portfolio/balance", BALANCE | {"balance": 98.01}, ("Balance", "balance", "other_type")),
    (
        "GET /portfolio/balance",
        BALANCE | {"balance_breakdown": [{"exchange_index": 0, "balance": 9801}]},
        ("ShardCash", "balance", "other_type"),
    ),
    (
        "GET /portfolio/settlements",
        {"settlements": [payloads.settlement(revenue="10.00")]},
        ("Settlement", "revenue", "other_type"),
    ),
    (
        "GET /markets/{ticker}/orderbook",
        {"orderbook_fp": payloads.BOOK | {"yes_dollars": [[56, 120]]}},
        ("Book", "yes_dollars", "other_type"),
    ),
]


@pytest.mark.parametrize(("endpoint", "body", "expected"), CHANGES)
def test_a_change_is_named_with_its_field_and_kind(endpoint: str, body: object, expected: tuple[str, str, str]) -> None:
    assert _found(endpoint, body) == [expected]
    assert _found(endpoint, body, everything=False) == [expected]


def test_a_finding_says_what_came_and_what_depends_on_it() -> None:
    sentinel = Sentinel()
    sentinel.look("GET /markets", text(_markets(yes_bid_dollars=56, extra="x" * 500)))
    by_field = {one.field: one for one in sentinel.take_new()}
    price = by_field["yes_bid_dollars"]
    assert price.detail == "a number, 56; expected price in dollars from 0 to 1, as text"
    assert "marks" in price.depends_on
    assert by_field["extra"].depends_on == UNUSED
    assert len(by_field["extra"].detail) < 120


def test_a_change_is_told_once_whichever_endpoint_shows_it() -> None:
    sentinel = Sentinel()
    for endpoint, body in (
        ("GET /markets", _markets(brand_new=1)),
        ("GET /markets", _markets(brand_new=2)),
        ("GET /markets/{ticker}", {"market": MARKET | {"brand_new": 3}}),
    ):
        sentinel.look(endpoint, text(body), everything=True)
    assert len(sentinel.take_new()) == 1
    assert sentinel.take_new() == ()


def test_two_new_words_of_a_field_are_two_changes() -> None:
    sentinel = Sentinel()
    for word in ("asleep", "awake", "asleep"):
        sentinel.look("GET /markets", text(_markets(status=word)), everything=True)
    assert [one.detail.partition(",")[0] for one in sentinel.take_new()] == ['"asleep"', '"awake"']


def test_another_interface_is_no_endless_list_of_changes() -> None:
    sentinel = Sentinel()
    sentinel.look("GET /markets", text(_markets(**{f"f{number}": 1 for number in range(1000)})), everything=True)
    assert len(sentinel.take_new()) == MAX_KNOWN


def _large_page(odd: int | None) -> bytes:
    rows = [payloads.market(ticker=f"KXRAIN-{number:04d}") for number in range(1000)]
    if odd is not None:
        rows[odd]["brand_new"] = 1
    return json.dumps({"markets": rows, "cursor": "next"}).encode()


@pytest.mark.parametrize("odd", [0, 3, 500, 997])
def test_a_change_in_one_row_of_a_thousand_is_found_once_that_row_is_looked_at(odd: int) -> None:
    body, sentinel = _large_page(odd), Sentinel()
    calls, found = 0, False
    while not found and calls < 5000:
        sentinel.look("GET /markets", body)
        calls, found = calls + 1, bool(sentinel.take_new())
    assert found
    assert odd or calls == 1


def test_a_large_page_of_the_known_form_is_no_change_however_often_it_comes() -> None:
    body, sentinel = _large_page(None), Sentinel()
    for _ in range(300):
        sentinel.look("GET /markets", body)
    assert sentinel.take_new() == ()


def test_the_cursor_of_a_large_page_is_looked_at_too() -> None:
    body, sentinel = _large_page(None).replace(b'"cursor"', b'"following"'), Sentinel()
    for _ in range(CALLS + 1):
        sentinel.look("GET /markets", body)
    assert [(one.shape, one.field) for one in sentinel.take_new()] == [("Markets", "following")]


def test_looking_costs_a_small_part_of_parsing() -> None:
    """CPU time of this process, and a limit far above what the benchmark measures (1 %)."""
    body, sentinel = _large_page(None), Sentinel()
    sentinel.look("GET /markets", body)
    begin = time.process_time()
    json.loads(body)
    parsing = time.process_time() - begin
    begin = time.process_time()
    for _ in range(20):
        sentinel.look("GET /markets", body)
    assert (time.process_time() - begin) / 20 < parsing / 4


REQUIRED = "Parameter validation failed for GetMarkets: Key: 'GetMarketsParams.EventTicker' Error:Field validation for "


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (REQUIRED + "'EventTicker' failed on the 'required' tag", "EventTicker"),
        ("parameter 'subaccount' is required", "subaccount"),
        ("Query parameter exchange_index missing", "exchange_index"),
        ("invalid status filter", None),
        ("", None),
    ],
)
def test_a_parameter_that_is_required_now_is_a_change(message: str, field: str | None) -> None:
    exchange = Exchange(lambda step: HttpAnswer(400, text({"msg": message})))
    with pytest.raises(SourceError):
        exchange.run(exchange.calls.markets())
    found = [(one.field, one.change) for one in exchange.sentinel.take_new()]
    assert found == ([] if field is None else [(field, ChangeKind.PARAMETER)])


def test_an_answer_that_is_left_out_in_part_is_looked_at_completely() -> None:
    rows = [payloads.market(ticker=f"KX-{number}") for number in range(100)]
    rows[77]["yes_bid_dollars"] = 56
    exchange = Exchange(lambda step: {"markets": rows, "cursor": ""})
    assert len(exchange.run(exchange.calls.markets()).items) == 99
    assert [(one.field, one.change.value) for one in exchange.sentinel.take_new()] == [
        ("yes_bid_dollars", "other_type")
    ]


def test_answers_that_stay_unreadable_are_not_all_looked_at_completely() -> None:
    sentinel, looked = Sentinel(), 0
    for number in range(200):
        sentinel.look("GET /markets", text(_markets(**{f"field_{number}": 1})), everything=True)
        looked += len(sentinel.take_new())
    assert COMPLETELY < looked < 20


def test_money_that_is_refused_is_looked_at_completely() -> None:
    rows = [payloads.fill_number(number) for number in range(500)]
    rows[300]["fee_cost"] = 0.01
    exchange = Exchange(lambda step: payloads.fills(*rows))
    with pytest.raises(SourceError):
        exchange.run(exchange.calls.fills(limit=1000))
    assert [one.field for one in exchange.sentinel.take_new()] == ["fee_cost"]


def test_an_outage_is_no_change() -> None:
    exchange = Exchange(lambda step: HttpAnswer(503, b"<html>busy</html>"))
    with pytest.raises(SourceError):
        exchange.run(exchange.calls.exchange_status())
    assert exchange.sentinel.take_new() == ()


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*MARKET, "markets"]), inner),
    max_leaves=20,
)


@given(ANY_JSON, st.sampled_from([f"GET {path}" for path in payloads.BODIES]))
def test_no_answer_makes_it_fail(body: Any, endpoint: str) -> None:
    for everything in (True, False):
        Sentinel().look(endpoint, json.dumps(body).encode(), everything=everything)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    sentinel = Sentinel()
    large = b'{"markets": [' + body * 50
    for part in (body, large):
        with contextlib.suppress(SourceError):
            sentinel.look("GET /markets", part)
            sentinel.look("GET /markets", part, everything=True)
