"""The fee schedule, row by row, and the laws its rounding obeys."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.errors import InvalidInput
from coliseum.trading.fees import CENTICENT, FeeType, charge_fill, order_fee, trade_fee, unrounded_fee
from coliseum.trading.money import CENT, ONE, ZERO

PRICES = st.integers(0, 10_000).map(lambda n: Decimal(n) / 10_000)
COUNTS = st.integers(1, 1_000_000).map(lambda n: Decimal(n) / 100)


@pytest.fixture(scope="module")
def published(shared_data: Path) -> dict[str, Any]:
    fees: dict[str, Any] = json.loads((shared_data / "kalshi-fees.json").read_text())
    return fees


def test_every_published_taker_fee_comes_out_to_the_cent(published: dict[str, Any]) -> None:
    rows = published["taker_table"]
    assert len(rows) == 7
    for row in rows:
        price = Decimal(row["price"])
        assert order_fee(price=price, count=ONE) == Decimal(row["fee_1"]), row
        assert order_fee(price=price, count=Decimal(100)) == Decimal(row["fee_100"]), row


def test_every_published_rounding_example_comes_out_fill_by_fill(published: dict[str, Any]) -> None:
    mechanics = published["balance_rounding_examples"]
    assert mechanics["columns"] == [
        "rounding_fee",
        "accumulator_after_adding",
        "rebate",
        "net_fee",
        "balance_change",
    ]
    for example in mechanics["examples"]:
        accumulator = ZERO
        for row in example["fills"]:
            charge = charge_fill(
                revenue=-Decimal(example["price"]) * Decimal(example["lot"]),
                trade_fee=Decimal(example["trade_fee"]),
                accumulator=accumulator,
                precision=Decimal(mechanics["target_precision"]),
            )
            got = (charge.rounding_fee, charge.accumulated, charge.rebate, charge.net_fee, charge.balance_change)
            assert got == tuple(Decimal(cell) for cell in row), example["order"]
            accumulator = charge.carried


@pytest.mark.parametrize(
    ("price", "count", "fee"),
    [
        ("0.52", "1", "0.0175"),
        ("0.99", "1", "0.0007"),
        ("0.50", "100", "1.75"),
        ("0.10", "100", "0.63"),  # binary floats say 0.64 after rounding to the cent
        ("0.00", "5", "0"),
        ("1.00", "5", "0"),
    ],
)
def test_a_fill_pays_up_to_the_next_hundredth_of_a_cent(price: str, count: str, fee: str) -> None:
    assert trade_fee(price=Decimal(price), count=Decimal(count)) == Decimal(fee)


@pytest.mark.parametrize(
    ("fee_type", "fee"),
    [
        (FeeType.QUADRATIC, "0"),
        (FeeType.QUADRATIC_WITH_MAKER_FEES, "0.44"),
        (FeeType.QUADRATIC_WITH_COMBO_MAKER_FEES, "0"),
    ],
)
def test_a_maker_pays_only_where_the_series_says_so(fee_type: FeeType, fee: str) -> None:
    assert order_fee(price=Decimal("0.5"), count=Decimal(100), fee_type=fee_type, maker=True) == Decimal(fee)


def test_a_multiplier_scales_the_fee_before_it_is_rounded() -> None:
    assert order_fee(price=Decimal("0.5"), count=Decimal(100), multiplier=Decimal("0.5")) == Decimal("0.88")
    assert order_fee(price=Decimal("0.5"), count=Decimal(100), multiplier=ZERO) == ZERO


@pytest.mark.parametrize(
    ("field", "price", "count", "multiplier"),
    [
        ("price", "-0.01", "1", "1"),
        ("price", "65", "1", "1"),
        ("count", "0.5", "-1", "1"),
        ("multiplier", "0", "1", "-1"),
    ],
)
def test_impossible_numbers_are_refused_by_name(field: str, price: str, count: str, multiplier: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        unrounded_fee(price=Decimal(price), count=Decimal(count), multiplier=Decimal(multiplier))


@given(price=PRICES, count=COUNTS, maker=st.booleans())
def test_rounding_only_ever_rounds_up_and_by_less_than_a_step(price: Decimal, count: Decimal, maker: bool) -> None:
    exact = unrounded_fee(price=price, count=count, maker=maker)
    assert ZERO <= order_fee(price=price, count=count, maker=maker) - exact < CENT
    assert ZERO <= trade_fee(price=price, count=count, maker=maker) - exact < CENTICENT


@given(price=PRICES, count=COUNTS)
def test_both_outcomes_cost_the_same_fee(price: Decimal, count: Decimal) -> None:
    assert order_fee(price=price, count=count) == order_fee(price=ONE - price, count=count)


@given(
    price=PRICES,
    lots=st.lists(COUNTS, min_size=1, max_size=30),
    buying=st.booleans(),
    precision=st.sampled_from([CENT, CENTICENT]),
)
def test_an_order_in_pieces_keeps_the_balance_aligned_and_overpays_little(
    price: Decimal, lots: list[Decimal], buying: bool, precision: Decimal
) -> None:
    """Balances stay multiples of the precision, no fee is negative, and the overpayment stays near a cent."""
    accumulator = balance = overpaid = ZERO
    for count in lots:
        revenue = -price * count if buying else price * count
        charge = charge_fill(
            revenue=revenue, trade_fee=trade_fee(price=price, count=count), accumulator=accumulator, precision=precision
        )
        assert charge.net_fee >= ZERO
        change = charge.balance_change + charge.rebate
        assert change == revenue - charge.net_fee
        balance += change
        overpaid += charge.net_fee - charge.trade_fee
        assert balance % precision == ZERO
        assert charge.carried == overpaid
        accumulator = charge.carried
    assert ZERO <= overpaid <= CENT * len(lots)
