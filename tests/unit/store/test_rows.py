from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.errors import InvalidInput
from coliseum.store.rows import filter_text, json_rows, json_value
from coliseum.trading.trades import Side


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_is_sent_as_text_that_parses_back_exactly(number: Decimal) -> None:
    text = json_value(number, "price")

    assert isinstance(text, str)
    assert "E" not in text
    assert Decimal(text) == number


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (0.5, 0.5),
        ("a", "a"),
        (Side.BUY, "BUY"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"price": Decimal("0.10")}, {"price": "0.10"}),
        ((Decimal(1), [None]), ["1", [None]]),
    ],
)
def test_values_become_json(value: object, shown: object) -> None:
    assert json_value(value, "field") == shown


@pytest.mark.parametrize(
    "value",
    [
        Decimal("NaN"),
        Decimal("Infinity"),
        float("nan"),
        datetime(2026, 1, 2),  # noqa: DTZ001 - the point of the case
        "nul\x00",
        b"bytes",
        object(),
        {"deep": [float("inf")]},
    ],
)
def test_a_value_that_postgres_cannot_store_is_refused_with_its_field(value: object) -> None:
    with pytest.raises(InvalidInput, match="field"):
        json_value(value, "field")


def test_rows_with_different_columns_are_refused_before_a_default_becomes_null() -> None:
    with pytest.raises(InvalidInput, match="fee"):
        json_rows([{"price": 1, "fee": 2}, {"price": 1}])


def test_an_empty_list_of_rows_is_valid() -> None:
    assert json_rows([]) == []


@pytest.mark.parametrize(
    ("value", "text"), [(None, "null"), (True, "true"), (False, "false"), (Decimal("0.10"), "0.10"), (5, "5")]
)
def test_filter_values_are_written_for_the_url(value: object, text: str) -> None:
    assert filter_text(value, "column") == text


def test_a_list_is_refused_as_a_filter_value() -> None:
    with pytest.raises(InvalidInput):
        filter_text([1], "column")
