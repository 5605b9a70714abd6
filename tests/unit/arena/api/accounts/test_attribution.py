"""The attribution of profit: its parts by hand, and that they add up."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.api.accounts.attribution import AttributedOrder, Waterfall, waterfall
from coliseum.trading.trades import Outcome

ORDER = AttributedOrder(
    side=Outcome.YES,
    contracts=Decimal(100),
    cost=Decimal("45.50"),
    fee=Decimal("1.75"),
    mid=Decimal("0.425"),
    yes_bid=Decimal("0.40"),
    yes_ask=Decimal("0.45"),
    forecast=Decimal("0.60"),
    value=Decimal(1),
)
PARTS = ("edge", "sizing", "spread", "depth", "fees", "luck")


def test_one_order_by_hand() -> None:
    result = waterfall([ORDER])
    assert (result.edge, result.sizing) == (Decimal("17.5"), Decimal(0))
    assert (result.spread, result.depth, result.fees) == (Decimal("-2.5"), Decimal("-0.5"), Decimal("-1.75"))
    assert (result.luck, result.net) == (Decimal(40), Decimal("52.75"))


def test_a_no_order_is_computed_from_its_own_side() -> None:
    mirrored = replace(
        ORDER,
        side=Outcome.NO,
        mid=Decimal("0.575"),
        yes_bid=Decimal("0.55"),
        yes_ask=Decimal("0.60"),
        forecast=Decimal("0.40"),
        value=Decimal(0),
    )
    assert waterfall([mirrored]) == waterfall([ORDER])


def test_sizing_is_what_unequal_stakes_add_to_the_promise() -> None:
    small = replace(ORDER, contracts=Decimal(10), cost=Decimal("4.55"), fee=Decimal(0), forecast=Decimal("0.45"))
    result = waterfall([ORDER, small])
    assert result.sizing > 0
    assert result.edge + result.sizing == Decimal("17.5") + Decimal("0.25")
    assert waterfall([ORDER, ORDER]).sizing == 0


@pytest.mark.parametrize("name", ["mid", "yes_bid", "yes_ask", "forecast"])
def test_an_order_without_quote_or_forecast_is_unexplained(name: str) -> None:
    missing: dict[str, Any] = {name: None}
    assert waterfall([replace(ORDER, **missing)]) == Waterfall(unexplained=1)


def test_an_order_without_a_result_waits() -> None:
    assert waterfall([replace(ORDER, value=None)]) == Waterfall(waiting=1)
    assert waterfall([]) == Waterfall()


PRICE = st.decimals("0.01", "0.99", places=4)
ORDERS = st.builds(
    AttributedOrder,
    side=st.sampled_from(Outcome),
    contracts=st.integers(1, 5000).map(Decimal),
    cost=st.decimals("0.01", "5000", places=4),
    fee=st.decimals(0, 50, places=2),
    mid=PRICE,
    yes_bid=PRICE,
    yes_ask=PRICE,
    forecast=PRICE,
    value=st.sampled_from([None, Decimal(0), Decimal(1), Decimal("0.3333")]),
)


@given(st.lists(ORDERS, max_size=8))
def test_the_parts_add_up_to_the_profit_exactly(orders: list[AttributedOrder]) -> None:
    result = waterfall(orders)
    settled = [order for order in orders if order.value is not None]
    worth = [
        order.contracts * (order.value if order.side is Outcome.YES else 1 - order.value)
        for order in settled
        if order.value is not None
    ]
    profit = sum(worth, Decimal(0)) - sum((order.cost + order.fee for order in settled), Decimal(0))
    assert sum(getattr(result, name) for name in PARTS) == result.net == profit
    assert (result.orders, result.waiting) == (len(settled), len(orders) - len(settled))
