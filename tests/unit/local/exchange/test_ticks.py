"""Price grids."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum_local.exchange.ticks import STRUCTURES, is_valid, nearest


@pytest.mark.parametrize(
    ("structure", "price", "valid"),
    [
        ("linear_cent", "0.56", True),
        ("linear_cent", "0.565", False),
        ("linear_cent", "0", False),
        ("linear_cent", "1", False),
        ("linear_cent", "-0.10", False),
        ("tapered_deci_cent", "0.055", True),
        ("tapered_deci_cent", "0.105", False),
        ("tapered_deci_cent", "0.100", True),
        ("tapered_deci_cent", "0.905", True),
        ("tapered_deci_cent", "0.0555", False),
        ("deci_cent", "0.333", True),
        ("deci_cent", "0.3333", False),
    ],
)
def test_a_price_must_lie_on_its_markets_grid_inside_the_dollar(structure: str, price: str, valid: bool) -> None:
    assert is_valid(structure, Decimal(price)) is valid


@given(st.sampled_from(sorted(STRUCTURES)), st.floats(-1, 2))
def test_the_nearest_price_is_always_one_an_order_may_carry(structure: str, number: float) -> None:
    assert is_valid(structure, nearest(structure, number))
