"""Any mutilation of any of the exchange's answers: an error of ours that names the field, or right numbers.

A mutilation changes the form of one value: its name, type, unit, presence or encoding. It does not put another value of
the same form in its place, which nobody could notice, and it does not replace a list by null, with which the exchange
says that a list is empty.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.kalshi import payloads
from tests.unit.kalshi.payloads import Row
from tests.unit.kalshi.steps import Exchange

from coliseum.errors import ColiseumError, SourceMalformed
from coliseum.kalshi.account import ExchangeCalls
from coliseum.kalshi.retry import HttpAnswer, Steps
from coliseum.markets.answers import book_data, candle_data, market_data
from coliseum.portfolio.summary import balance_data
from coliseum.trading.markets import Balance, Candle, Market, OrderBook

Call = Callable[[ExchangeCalls], Steps[Any]]
TICKER = "KXRAIN-26NOV21-NYC"
SPAN = {"start": 1_795_160_000, "end": 1_795_170_000}

SOLD = payloads.fill(
    fill_id="sold", book_side="ask", outcome_side="no", action="sell", side="no", created_time="2026-11-20T10:00:00.5Z"
)
SETTLED = payloads.market(
    status="finalized", result="yes", settlement_value_dollars="1.0000", settlement_ts="2026-11-22T06:00:00Z"
)
CALLS: dict[str, tuple[Call, Row]] = {
    "exchange_status": (lambda calls: calls.exchange_status(), payloads.STATUS),
    "historical_cutoff": (lambda calls: calls.historical_cutoff(), payloads.CUTOFF),
    "markets": (lambda calls: calls.markets(), {"markets": [payloads.market(), SETTLED], "cursor": ""}),
    "market": (lambda calls: calls.market(TICKER), {"market": SETTLED}),
    "order_book": (lambda calls: calls.order_book(TICKER), {"orderbook_fp": payloads.BOOK}),
    "order_books": (lambda calls: calls.order_books([TICKER]), payloads.BODIES["/markets/orderbooks"]),
    "events": (lambda calls: calls.events(), payloads.BODIES["/events"]),
    "event": (lambda calls: calls.event("KXRAIN-26NOV21"), payloads.BODIES["/events/{event_ticker}"]),
    "series": (lambda calls: calls.series("KXRAIN"), payloads.BODIES["/series/{series_ticker}"]),
    "candles": (
        lambda calls: calls.candles("KXRAIN", TICKER, **SPAN, period_minutes=60),
        {"ticker": TICKER, "candlesticks": [payloads.candle()]},
    ),
    "historical_candles": (
        lambda calls: calls.historical_candles(TICKER, **SPAN, period_minutes=60),
        {"ticker": TICKER, "candlesticks": [payloads.historical_candle()]},
    ),
    "balance": (lambda calls: calls.balance(), payloads.BALANCE),
    "positions": (
        lambda calls: calls.positions(),
        {"market_positions": [payloads.position(), payloads.position(ticker="B")], "event_positions": []},
    ),
    "fills": (lambda calls: calls.fills(), payloads.fills(payloads.fill(), SOLD)),
    "settlements": (lambda calls: calls.settlements(), payloads.BODIES["/portfolio/settlements"]),
    "deposits": (lambda calls: calls.deposits(), payloads.BODIES["/portfolio/deposits"]),
    "withdrawals": (lambda calls: calls.withdrawals(), payloads.BODIES["/portfolio/withdrawals"]),
}
MONEY = {"balance", "positions", "fills", "settlements", "deposits", "withdrawals"}


def _paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every value in a body, except the whole."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from _paths(item, (*path, key))


PRICE = re.compile(r"(price|bid|ask|settlement_value)_dollars")


def _other_forms(value: object, name: str | int) -> list[object]:
    """The same value in other types and units, and values of no use."""
    forms: list[object] = [{}, {"value": value}, [value], "", "NaN", "soon", 10**30, 1e308, "\x00", "9" * 40]
    if not isinstance(value, list):
        forms.append(None)
    if isinstance(value, bool):
        forms += [int(value) + 2, "perhaps"]
    elif isinstance(value, int | float):
        forms += [True, f"${value}"]
        if not str(name).startswith("fee_multiplier"):  # any number up to 1000 has the form of a multiplier
            forms += [value / 100, value * 1000.0, f"{value / 100:.2f}"]
    elif isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            forms += [True, "21.11.2026", "2026-11-21T10:00:00", -1, 0.5, *_as_unix_time(value)]
        else:
            forms += [True, number, number * 100, round(number * 100)]
            forms += [f"{number * 100:.0f}"] if PRICE.search(str(name)) and number > 0.02 else []
            forms += [f"{number}e0", f"${value}", value.replace(".", ",") if "." in value else number]
    return forms


def _as_unix_time(text: str) -> list[object]:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return []
    if moment.tzinfo is None:
        return []
    seconds = moment.timestamp()
    return [seconds, f"{seconds}", seconds * 1000, f"{seconds * 1000:.0f}", moment.replace(tzinfo=None).isoformat()]


@st.composite
def _mutilated(draw: st.DrawFn, body: Row) -> bytes:
    """The body with one value in another form, under another name, or gone; or the text cut off."""
    changed = copy.deepcopy(body)
    path = draw(st.sampled_from(sorted(_paths(changed), key=str)))
    parent: Any = changed
    for key in path[:-1]:
        parent = parent[key]
    last, value = path[-1], parent[path[-1]]
    kind = draw(st.sampled_from(["form", "form", "form", "gone", "renamed", "cut"]))
    if kind in {"gone", "renamed"} and isinstance(parent, dict):
        del parent[last]
        if kind == "renamed":
            parent[f"new_{last}"] = value
    elif kind != "cut":
        parent[last] = draw(st.sampled_from(_other_forms(value, last)))
    text = json.dumps(changed).encode()
    return text[: draw(st.integers(0, len(text) - 1))] if kind == "cut" else text


def _answer(call: Call, body: bytes) -> Any:
    exchange = Exchange(lambda step: HttpAnswer(200, body))
    return exchange.run(call(exchange.calls))


@pytest.mark.parametrize("name", CALLS)
@given(data=st.data())
def test_a_mutilated_answer_is_a_named_failure_or_has_the_right_numbers(name: str, data: st.DataObject) -> None:
    call, body = CALLS[name]
    right = _answer(call, json.dumps(body).encode())
    found = _answer_or_named_failure(call, data.draw(_mutilated(body)))
    if found is not None:
        _check(right, found, all_or_nothing=name in MONEY)
        _shown(found)


def _answer_or_named_failure(call: Call, body: bytes) -> Any:
    """The answer; None where it is refused with an error of ours, which names a field. Others fail the test."""
    try:
        return _answer(call, body)
    except ColiseumError as error:
        named = error
    assert not isinstance(named, SourceMalformed) or (named.field and str(named).isprintable())
    return None


def _check(right: Any, found: Any, *, all_or_nothing: bool) -> None:
    """Every number that was found is the right one, or unknown. Lists of money are as long as they were."""
    if is_dataclass(right):
        for field in fields(right):
            if field.name not in {"rejected", "cursor"}:
                _check_field(field.name, getattr(right, field.name), getattr(found, field.name), all_or_nothing)
    elif isinstance(right, dict):
        for key in found.keys() & right.keys():  # another text is another ticker, which nobody asked for
            _check(right[key], found[key], all_or_nothing=all_or_nothing)
    elif isinstance(right, tuple):
        if all_or_nothing:
            assert len(found) == len(right)
        for item in found:
            _assert_one_of(right, item, all_or_nothing=all_or_nothing)
    elif isinstance(right, Decimal | int | float | datetime | Enum):
        assert found == right


def _check_field(name: str, right: Any, found: Any, all_or_nothing: bool) -> None:
    if found is None or (found == () and not all_or_nothing):
        return  # unknown, or left out
    if name == "cash" and isinstance(right, Decimal):
        assert 0 <= right - found < Decimal("0.01")  # `balance` alone has whole cents
    elif name == "timestamp":
        assert abs(right - found) < 1  # `ts` alone has whole seconds
    elif name == "sold":
        assert right >= found  # without `action` a sale shows as a purchase of the other outcome: the same position
    else:
        _check(right, found, all_or_nothing=all_or_nothing)


def _assert_one_of(right: tuple[Any, ...], item: Any, *, all_or_nothing: bool) -> None:
    problems: list[AssertionError] = []
    for candidate in right:
        try:
            _check(candidate, item, all_or_nothing=all_or_nothing)
        except AssertionError as error:
            problems.append(error)
        else:
            return
    raise problems[0] if problems else AssertionError(f"{item} came from nowhere")


def _shown(found: Any) -> None:
    """What came can be written into an answer: no 500 either."""
    for item in found.items if hasattr(found, "items") and not isinstance(found, dict) else (found,):
        if isinstance(item, Market):
            market_data(item, None).model_dump_json()
        elif isinstance(item, Balance):
            balance_data(item).model_dump_json()
        elif isinstance(item, OrderBook):
            book_data(item, 10).model_dump_json()
        elif isinstance(item, Candle):
            candle_data(item).model_dump_json()


SAMPLES = {
    "balance": "balance",
    "fills": "fills",
    "market": "market",
    "market-finalized": "market",
    "markets": "markets",
    "markets-settled": "markets",
    "orderbook": "order_book",
    "positions": "positions",
    "settlements": "settlements",
    "exchange-status": "exchange_status",
    "historical-cutoff": "historical_cutoff",
}


@given(data=st.data())
def test_a_mutilated_recording_is_a_named_failure_or_has_the_right_numbers(
    shared_data: Path, data: st.DataObject
) -> None:
    files = sorted((shared_data / "kalshi-samples").glob("[cr]*.json"))
    kinds = {file: file.name.removesuffix(".json").removeprefix("current-3.34.").rpartition(".")[2] for file in files}
    file = data.draw(st.sampled_from([file for file in files if kinds[file] in SAMPLES]))
    name = SAMPLES[kinds[file]]
    call, body = CALLS[name][0], json.loads(file.read_text())
    right = _answer(call, json.dumps(body).encode())
    found = _answer_or_named_failure(call, data.draw(_mutilated(body)))
    if found is not None:
        _check(right, found, all_or_nothing=name in MONEY)
        _shown(found)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_at_the_edge_of_the_calendar_is_no_unexpected_error(moment: str) -> None:
    for name in ("open_time", "close_time", "expected_expiration_time"):
        body = json.dumps({"markets": [payloads.market(**{name: moment})]}).encode()
        (market,) = _answer(lambda calls: calls.markets(), body).items
        assert moment[:10] in market_data(market, None).model_dump_json()
