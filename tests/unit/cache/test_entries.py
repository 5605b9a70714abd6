from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from coliseum.cache.entries import CacheEntry, parse_entry, serialize_entry
from coliseum.trading.markets import Balance

BALANCE = TypeAdapter(Balance)


@given(st.decimals("0", "1000000", places=6), st.floats(0, 4e9))
def test_a_value_comes_back_exactly(cash: Decimal, as_of: float) -> None:
    balance = Balance(cash=cash, portfolio_value=Decimal("1.98"), as_of=datetime(2026, 11, 21, 8, tzinfo=UTC))
    assert parse_entry(serialize_entry(CacheEntry(balance, as_of), BALANCE), BALANCE) == CacheEntry(balance, as_of)


@pytest.mark.parametrize(
    "text",
    [None, 7, "", "{", "[]", "null", '{"v":0,"as_of":1,"value":{}}', '{"v":1,"as_of":"x","value":{}}', '{"v":1}'],
)
def test_a_text_that_cannot_be_parsed_is_no_entry(text: object) -> None:
    assert parse_entry(text, BALANCE) is None
