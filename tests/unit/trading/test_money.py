from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.errors import InvalidInput
from coliseum.trading.money import (
    count_from,
    decimal_from,
    decimal_text,
    optional_decimal,
    optional_text,
    price_from,
)

MONEY = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0.65", "0.65"),
        (0.65, "0.65"),
        (50, "50"),
        (" 1.5 ", "1.5"),
        (Decimal("0.10"), "0.10"),
        (-1, "-1"),
        (1e-7, "1e-7"),
    ],
)
def test_numbers_are_read_exactly_and_floats_by_their_shortest_form(value: object, number: str) -> None:
    assert decimal_from(value, field="x") == Decimal(number)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        "",
        " ",
        "abc",
        "1,5",
        "0x10",
        float("nan"),
        float("inf"),
        "NaN",
        "sNaN",
        "-Infinity",
        [],
        {},
        b"1",
    ],
)
def test_what_is_no_number_is_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidInput, match="amount: got") as caught:
        decimal_from(value, field="amount")
    assert caught.value.field == "amount"


@pytest.mark.parametrize(
    "value", ["1e16", "1e999999", "1e-31", "9" * 16, "9" * 65, 10**15, -(10**15), 1e300, "0e99999"]
)
def test_numbers_nobody_could_write_out_are_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        decimal_from(value, field="amount")


def test_an_integer_too_long_for_python_to_print_is_refused_too() -> None:
    with pytest.raises(InvalidInput, match="amount: got 'a huge integer'"):
        decimal_from(10**10_000, field="amount")


@given(MONEY)
def test_text_and_back_is_the_same_money(amount: Decimal) -> None:
    text = decimal_text(amount)
    assert decimal_from(text, field="x") == amount
    assert "e" not in text.lower()
    assert len(text.partition(".")[2]) >= 2


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=1e-9, max_value=1e9))
def test_a_float_survives_the_way_through_decimal(value: float) -> None:
    assert float(decimal_from(value, field="x")) == value


@pytest.mark.parametrize(
    ("amount", "places", "text"),
    [
        ("0.5", 2, "0.50"),
        ("0.0175", 2, "0.0175"),
        ("0.56000", 4, "0.5600"),
        ("100", 2, "100.00"),
        ("1E+3", 0, "1000"),
        ("-0.00", 2, "0.00"),
        ("-0.10", 2, "-0.10"),
        ("50", 0, "50"),
    ],
)
def test_text_keeps_every_digit_that_carries_value(amount: str, places: int, text: str) -> None:
    assert decimal_text(Decimal(amount), places=places) == text


@pytest.mark.parametrize("price", [0, 1, "0.0000", "1.0000", 0.001])
def test_prices_go_from_nothing_to_a_dollar(price: object) -> None:
    assert 0 <= price_from(price) <= 1


@pytest.mark.parametrize("price", [65, -0.01, "1.0001"])
def test_cents_are_no_price(price: object) -> None:
    with pytest.raises(InvalidInput, match="not 65"):
        price_from(price)


def test_counts_are_above_nothing_and_may_be_fractions() -> None:
    assert count_from("0.01") == Decimal("0.01")
    for value in (0, "-1", "0.00"):
        with pytest.raises(InvalidInput, match="quantity"):
            count_from(value)


def test_an_unknown_number_stays_unknown_both_ways() -> None:
    assert optional_decimal(None) is None
    assert optional_text(None) is None
    assert optional_decimal("0.0175") == Decimal("0.0175")
    assert optional_text(Decimal("0.5"), places=4) == "0.5000"


@pytest.mark.parametrize("text", ["1_000", "0_5", "١٢", "０.５"])
def test_a_number_is_written_in_plain_digits(text: str) -> None:
    with pytest.raises(InvalidInput):
        decimal_from(text, field="amount")
