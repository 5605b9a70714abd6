"""One trade of the bot as JSON: what the kit accepts, Coliseum reads with the same facts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.bot.parse import trades_from
from coliseum.client.reporting.trade_rows import mode_from, trade_row
from coliseum.trading.trades import Side

GOOD: dict[str, Any] = {
    "ticker": "PRES24-GOP",
    "side": "BUY",
    "quantity": 50,
    "price": "0.65",
    "outcome": "yes",
    "trade_id": "abc123",
    "timestamp": 1698676800.123,
    "fee": None,
    "order_id": None,
    "strategy": None,
}


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("side", "sell", "SELL"),
        ("side", Side.SELL, "SELL"),
        ("outcome", "NO", "no"),
        ("quantity", 4.92, 4.92),
        ("quantity", "4.920", "4.920"),
        ("quantity", numpy.int64(5), "5"),
        ("quantity", numpy.float32(0.5), "0.5"),
        ("price", Decimal("0.6500"), "0.6500"),
        ("price", Decimal("1E-4"), "0.0001"),
        ("price", 0, 0),
        ("price", 1, 1),
        ("trade_id", 7, "7"),
        ("trade_id", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("timestamp", "1698676800.123", 1698676800.123),
        ("timestamp", "2023-10-30T14:40:00Z", 1698676800.0),
        ("timestamp", datetime(2023, 10, 30, 14, 40, tzinfo=UTC), 1698676800.0),
        ("timestamp", datetime(2023, 10, 30, 9, 40, tzinfo=timezone(timedelta(hours=-5))), 1698676800.0),
        ("fee", "-0.01", "-0.01"),
        ("order_id", 9, "9"),
        ("strategy", "spread", "spread"),
    ],
)
def test_usual_forms_are_taken(name: str, value: Any, stored: Any) -> None:
    row, problems = trade_row(**{**GOOD, name: value})
    assert (row[name], problems) == (stored, [])
    assert len(trades_from(json.dumps([row]).encode()).trades) == 1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("price", 65, "price: got 65, expected dollars per contract between 0 and 1 (0.65, not 65)"),
        ("price", float("nan"), "price: got nan, expected"),
        ("price", "a", "price: got 'a', expected"),
        ("price", True, "price: got True, expected"),
        ("price", None, "price: got nothing, expected"),
        ("quantity", 0, "quantity: got 0, expected contracts, above 0"),
        ("quantity", -1, "quantity: got -1"),
        ("quantity", float("inf"), "quantity: got inf"),
        ("quantity", 10**15, "quantity: got 1000000000000000"),
        ("quantity", "1e-31", "at most 30 digits"),
        ("side", "long", "side: got 'long', expected BUY or SELL"),
        ("side", 1, "side: got 1, expected BUY or SELL"),
        ("ticker", "A B", "ticker: got 'A B', expected the exchange's ticker"),
        ("ticker", "..", "ticker: got '..'"),
        ("ticker", "A" * 101, "ticker: got"),
        ("ticker", "", "ticker: got ''"),
        ("trade_id", "a\nb", "trade_id: got 'a\\nb', expected text of 1 to 200 printable characters"),
        ("trade_id", "a" * 201, "trade_id: got"),
        ("trade_id", -1, "trade_id: got -1"),
        ("timestamp", 1698676800123, "not milliseconds"),
        ("timestamp", datetime(2023, 10, 30, 14, 40), "a time with its offset"),  # noqa: DTZ001 - what is refused
        ("timestamp", "2023-10-30T14:40:00", "a time with its offset"),
        ("timestamp", "yesterday", "timestamp: got 'yesterday'"),
        ("timestamp", float("nan"), "timestamp: got nan"),
        ("timestamp", [], "timestamp: got []"),
    ],
)
def test_a_wrong_value_of_a_required_field_is_named_with_what_would_be_right(name: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        trade_row(**{**GOOD, name: value})
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("fee", "free"), ("order_id", ""), ("strategy", "a" * 101), ("outcome", "maybe")]
)
def test_a_wrong_optional_field_does_not_cost_the_trade(name: str, value: Any) -> None:
    row, problems = trade_row(**{**GOOD, name: value})
    assert name not in row
    assert len(problems) == 1
    assert problems[0].startswith(f"{name}: got ")


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(),
    st.text(alphabet="0123456789.-eE+_", max_size=12),
    st.datetimes(),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(["buy", "SELL", "yes", "NO", "2026-11-21T07:00:00Z", "٣", "1_0", "0x1"]),
)


@given(fields=st.fixed_dictionaries({name: st.one_of(st.just(value), ANYTHING) for name, value in GOOD.items()}))
def test_whatever_is_taken_coliseum_reads_and_nothing_else_is_raised_than_a_sentence(fields: dict[str, Any]) -> None:
    row, refusal = None, ""
    try:
        row, _ = trade_row(**fields)
    except ValueError as error:
        refusal = str(error)
    if row is None:
        assert ": got " in refusal
        return
    answer = trades_from(json.dumps([row], allow_nan=False).encode())
    assert answer.rejected == ()
    assert answer.trades[0].trade_id == row["trade_id"]
    assert answer.trades[0].quantity == Decimal(str(row["quantity"]))
    assert answer.trades[0].price == Decimal(str(row["price"]))


def test_a_mode_is_paper_or_live() -> None:
    assert mode_from("PAPER") == "paper"
    with pytest.raises(ValueError, match=r"mode: got 'demo', expected paper or live"):
        mode_from("demo")
