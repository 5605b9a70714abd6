from __future__ import annotations

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.paper.fills import DEPTH_SHARE, SAFETY, Execution, fee_of, liquidation_value, walk
from coliseum.trading.fees import unrounded_fee
from coliseum.trading.markets import Level


def levels(*pairs: tuple[str, str]) -> tuple[Level, ...]:
    return tuple(Level(D(price), D(count)) for price, count in pairs)


ASKS = levels(("0.40", "100"), ("0.42", "40"), ("0.50", "1000"))


def test_a_quarter_of_each_level_is_taken_best_first() -> None:
    done = walk(ASKS, probability=D("0.60"), contracts=D(100), budget=D(1000))
    assert done.fills == ((D("0.40"), D(25)), (D("0.42"), D(10)), (D("0.50"), D(65)))
    assert done.contracts == 100
    assert done.average_price == done.cost / 100


def test_the_walk_stops_at_the_reservation_price() -> None:
    """0.42 costs 0.437 with its fee: at a forecast of 0.44 the level leaves less than a cent."""
    done = walk(ASKS, probability=D("0.44"), contracts=D(100), budget=D(1000))
    assert done.fills == ((D("0.40"), D(25)),)
    assert walk(ASKS, probability=D("0.41"), contracts=D(100), budget=D(1000)) == Execution((), D(0))


def test_the_budget_pays_price_and_fee() -> None:
    done = walk(ASKS, probability=D("0.60"), contracts=D(100), budget=D("5.00"))
    assert done.cost + done.fee <= D("5.00")
    assert done.fills == ((D("0.40"), D(11)),)


def test_a_level_too_thin_for_one_contract_is_passed_over() -> None:
    done = walk(levels(("0.40", "3"), ("0.41", "40")), probability=D("0.60"), contracts=D(5), budget=D(100))
    assert done.fills == ((D("0.41"), D(5)),)


def test_closing_contracts_need_no_budget_and_come_first() -> None:
    closed = walk(ASKS, probability=D("0.60"), contracts=D(0), budget=D(0), closing=D(30))
    assert closed.contracts == 30
    both = walk(ASKS, probability=D("0.60"), contracts=D(4), budget=D(2), closing=D(30))
    assert both.fills == ((D("0.40"), D(25)), (D("0.42"), D(9)))


@pytest.mark.parametrize(
    ("price", "count", "fee"),
    [("0.50", 100, "1.75"), ("0.50", 1, "0.02"), ("0.10", 100, "0.63"), ("0.42", 100, "1.71")],
)
def test_the_fee_is_the_published_one(price: str, count: int, fee: str) -> None:
    assert fee_of([(D(price), D(count))]) == D(fee)


def test_the_fee_is_rounded_once_for_the_whole_order() -> None:
    assert fee_of([(D("0.50"), D(1)), (D("0.50"), D(1))]) == D("0.04")
    assert fee_of([(D("0.50"), D(1))]) * 2 == D("0.04")
    assert fee_of([(D("0.10"), D(1))] * 3) == D("0.02") < fee_of([(D("0.10"), D(1))]) * 3


def test_a_fine_price_is_charged_in_whole_cents() -> None:
    assert D("0.055") + fee_of([(D("0.055"), D(1))]) == D("0.06")


@pytest.mark.parametrize(
    ("contracts", "bid", "worth"),
    [("100", "0.50", "48.25"), ("1", "0.01", "0.00"), ("10", None, "0"), ("10", "0", "0")],
)
def test_a_position_is_worth_its_bid_after_the_fee(contracts: str, bid: str | None, worth: str) -> None:
    assert liquidation_value(D(contracts), None if bid is None else D(bid)) == D(worth)


BOOKS = st.lists(
    st.tuples(st.integers(1, 99), st.integers(1, 5000)), min_size=1, max_size=6, unique_by=lambda level: level[0]
).map(lambda found: tuple(Level(D(price) / 100, D(count) / 10) for price, count in sorted(found)))


@given(
    asks=BOOKS,
    probability=st.integers(1, 99).map(lambda cents: D(cents) / 100),
    contracts=st.integers(0, 2000).map(D),
    budget=st.integers(0, 100_000).map(lambda cents: D(cents) / 100),
    closing=st.integers(0, 200).map(D),
    multiplier=st.sampled_from([D(0), D("0.5"), D(1)]),
)
def test_no_walk_takes_more_than_its_share_pays_above_its_reservation_or_overspends(
    *, asks: tuple[Level, ...], probability: D, contracts: D, budget: D, closing: D, multiplier: D
) -> None:
    done = walk(
        asks, probability=probability, contracts=contracts, budget=budget, closing=closing, multiplier=multiplier
    )
    sizes = {level.price: level.count for level in asks}
    for price, count in done.fills:
        assert 1 <= count <= sizes[price] * DEPTH_SHARE
        assert count == count.to_integral_value()
        cost = price + unrounded_fee(price=price, count=D(1), multiplier=multiplier)
        assert cost + SAFETY <= probability
    assert done.contracts <= contracts + closing
    assert [price for price, _ in done.fills] == sorted(price for price, _ in done.fills)
    if not closing:
        assert done.cost + done.fee <= budget or not done.fills
