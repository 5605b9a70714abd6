from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.errors import InvalidInput, LogError
from coliseum.feed.entries import Entry, EntryId, EntryKind, parse_entry, trade_json
from coliseum.trading.trades import Outcome, Side, Trade

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
IDS = st.builds(EntryId, st.integers(0, 10**16 - 1), st.integers(0, 10**16 - 1))


def _trade(**changes: Any) -> Trade:
    values: dict[str, Any] = {
        "trade_id": "abc123",
        "ticker": "PRES24-GOP",
        "side": Side.BUY,
        "outcome": None,
        "quantity": Decimal(50),
        "price": Decimal("0.65"),
        "timestamp": 1698676800.123,
    }
    return Trade(**(values | changes))


@given(IDS)
def test_an_id_is_the_same_after_encoding(entry_id: EntryId) -> None:
    assert EntryId.parse(str(entry_id)) == entry_id


@given(IDS, IDS)
def test_ids_are_ordered_as_two_numbers(one: EntryId, other: EntryId) -> None:
    assert (one < other) == ((one.ms, one.seq) < (other.ms, other.seq))


def test_ids_are_not_ordered_as_text() -> None:
    assert EntryId.parse("999-10") < EntryId.parse("1000-2")
    assert EntryId.parse("1000-9") < EntryId.parse("1000-10")


@pytest.mark.parametrize(
    "text",
    [
        "", "1", "1-", "-1", "1-2-3", "01-1", "1-01", "+1-1", "1 -1", " 1-1", "1-1\n", "1.0-1", "a-b",
        "\u0661-1", "１-1",
        "99999999999999999-1", "$", "0x1-1", "1-1\x00",
    ],
)  # fmt: skip
def test_malformed_ids_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        EntryId.parse(text)


@given(kind=st.sampled_from(EntryKind), data=st.dictionaries(st.text(), JSON), entry_id=IDS)
def test_an_entry_is_read_from_its_json_text(kind: EntryKind, data: dict[str, Any], entry_id: EntryId) -> None:
    text = json.dumps({"k": kind.value, "v": data})
    assert parse_entry(str(entry_id), text) == Entry(entry_id, kind, data)


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "5", "{}", '{"k":"trade"}', '{"v":{}}', '{"k":"","v":{}}', '{"k":["trade"],"v":{}}',
        '{"k":"trade","v":[]}', '{"k":"trade","v":[["a",1]]}', '{"k":"trade","v":null}', '{"k":"trade","v":""}',
        '{"k":"trade","v":' + "[" * 100_000, "\ud800",
    ],
)  # fmt: skip
def test_a_malformed_entry_is_an_error_with_its_id(text: str) -> None:
    with pytest.raises(LogError, match="1-1"):
        parse_entry("1-1", text)


def test_an_entry_of_a_later_version_keeps_its_number_and_its_data() -> None:
    """SSE-035."""
    entry = parse_entry("1-7", '{"k":"from_tomorrow","v":{"ticker":"A-1"}}')
    assert (entry.id, entry.kind) == (EntryId(1, 7), EntryKind.LATER)
    assert entry.data == {"kind": "from_tomorrow", "data": {"ticker": "A-1"}}


def test_an_entry_with_a_malformed_id_is_an_error_with_its_id() -> None:
    with pytest.raises(LogError, match="cannot be read"):
        parse_entry("1-1-1", '{"k":"trade","v":{}}')


@given(st.text())
def test_hostile_text_is_a_log_error_and_nothing_else(text: str) -> None:
    with pytest.raises(LogError):
        parse_entry("1-1", text)


@pytest.mark.parametrize(
    ("data", "tickers"),
    [({"ticker": None}, ()), ({}, ()), ({"ticker": "A"}, ("A",)), ({"tickers": ["A", "B"]}, ("A", "B"))],
)
def test_an_entry_names_its_markets_or_concerns_every_reader(data: dict[str, object], tickers: tuple[str, ...]) -> None:
    assert parse_entry("1-1", json.dumps({"k": "bot_status", "v": data})).tickers == tickers


def test_a_trade_keeps_the_contracts_six_names_and_types() -> None:
    shown = trade_json(_trade())
    assert {
        name: shown[name] for name in ("timestamp", "ticker", "side", "quantity", "price", "trade_id")
    } == {
        "timestamp": 1698676800.123, "ticker": "PRES24-GOP", "side": "BUY", "quantity": 50, "price": 0.65,
        "trade_id": "abc123",
    }  # fmt: skip
    assert isinstance(shown["quantity"], int)


def test_exact_values_are_text_and_unknown_ones_are_null() -> None:
    shown = trade_json(_trade(price=Decimal("0.0175"), quantity=Decimal("0.25"), outcome=Outcome.NO))
    assert (shown["price_dollars"], shown["quantity_contracts"], shown["quantity"]) == ("0.0175", "0.25", 0.25)
    assert (shown["outcome"], shown["fee"], shown["order_id"]) == ("no", None, None)
    assert "backfilled" not in shown
    assert trade_json(_trade(backfilled=True))["backfilled"] is True


@given(trade_id=st.text(min_size=1), ticker=st.text(min_size=1), quantity=st.decimals("0.01", "1000000", places=2))
def test_any_trade_can_be_an_entry(trade_id: str, ticker: str, quantity: Decimal) -> None:
    data = trade_json(_trade(trade_id=trade_id, ticker=ticker, quantity=quantity))
    assert json.loads(json.dumps(data)) == data
    assert Decimal(data["quantity_contracts"]) == quantity
