"""Account books: what fills and settlements do to cash, cost and profit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.trading.money import ONE, ZERO
from coliseum_local.exchange.ledger import TradingAccount, payout, split_fill

D = Decimal


def account(cash: str = "100") -> TradingAccount:
    return TradingAccount("me", D(cash), D("0.0001"))


@pytest.mark.parametrize(
    ("fill", "closed", "opened", "revenue"),
    [
        (("0", "10", "0.40"), "0", "10", "-4.00"),  # buy YES
        (("0", "-10", "0.40"), "0", "10", "-6.00"),  # buy NO at 0.60
        (("10", "-4", "0.55"), "4", "0", "2.20"),  # sell YES
        (("-10", "4", "0.55"), "4", "0", "1.80"),  # sell NO at 0.45
        (("10", "-15", "0.55"), "10", "5", "3.25"),  # sell 10 YES for 5.50, buy 5 NO for 2.25
    ],
)
def test_a_fill_closes_before_it_opens(fill: tuple[str, str, str], closed: str, opened: str, revenue: str) -> None:
    """A fill is (position before, signed contracts, YES price)."""
    position, delta, price = map(D, fill)
    parts = split_fill(position, delta, price)
    assert (parts.closed, parts.opened, parts.revenue) == (D(closed), D(opened), D(revenue))


def test_profit_is_realized_against_the_average_cost_and_fees_stand_apart() -> None:
    """Buy 100 at 0.42, close 40 at 0.45, settle the rest at one dollar: 1.20 + 34.80 before fees."""
    me = account()
    me.apply(ticker="T", delta=D(100), price=D("0.42"), fee=D("1.71"), now=1.0)
    me.apply(ticker="T", delta=D(-40), price=D("0.45"), fee=D("0.70"), now=2.0)
    position = me.position("T")
    assert (position.contracts, position.cost, position.realized) == (D(60), D("25.20"), D("1.20"))
    assert me.settle("T", yes_value=ONE, now=3.0) == D(60)
    assert (position.realized, position.fees, position.settled) == (D("36.00"), D("2.41"), True)
    assert me.cash == D(100) + D("33.59")


def test_settling_twice_pays_once() -> None:
    me = account()
    me.apply(ticker="T", delta=D(-5), price=D("0.30"), fee=ZERO, now=1.0)
    assert me.settle("T", yes_value=ZERO, now=2.0) == D(5)
    assert me.settle("T", yes_value=ZERO, now=3.0) == ZERO


def test_a_scalar_result_splits_the_dollar_between_the_outcomes() -> None:
    assert payout(D(10), D("0.37")) + payout(D(-10), D("0.37")) == D(10)


@given(st.lists(st.tuples(st.integers(-500, 500).filter(bool), st.integers(1, 99)), min_size=1, max_size=25))
def test_cash_and_cost_and_profit_always_add_up(fills: list[tuple[int, int]]) -> None:
    """cash + cost of what is held = deposit + realized profit − fees, after every fill."""
    me = account("10000")
    for count, price in fills:
        me.apply(ticker="T", delta=D(count) / 100, price=D(price) / 100, fee=D("0.01"), now=0.0)
        position = me.position("T")
        assert me.cash + position.cost == D(10_000) + position.realized - position.fees
        assert position.cost >= ZERO
    assert me.held("T") == sum((D(count) / 100 for count, _ in fills), ZERO)
