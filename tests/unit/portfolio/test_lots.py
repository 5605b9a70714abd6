"""Lots: first in, first out, and the same cash as the ledger."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.portfolio.bookings import ENDS, ROWS, Row, fills_of, ledger_from
from tests.unit.portfolio.test_ledger import fill, ledger_of, settlement

from coliseum.portfolio.ledger import Booking, BookingKind, Ledger, standing_bookings
from coliseum.portfolio.lots import ClosedBy, Lot, LotBook, lots_from
from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import BookSide, Outcome


def spent(lot: Lot) -> Decimal:
    assert lot.opening is not None
    return lot.opening.cost + lot.opening.fees


def gain_of(lot: Lot) -> Decimal:
    assert lot.gain is not None
    return lot.gain


def test_the_oldest_contracts_are_sold_first_and_the_rest_stays_open() -> None:
    ledger = ledger_of(
        [
            fill(1, BookSide.BID, "10", "0.40", fee="0.20", at=100),
            fill(2, BookSide.BID, "10", "0.60", fee="0.10", at=200),
            fill(3, BookSide.ASK, "15", "0.70", fee="0.15", at=300),
        ]
    )
    (first, second), (left,) = lots_from(ledger.bookings)
    assert (first.contracts, first.gain, first.held_seconds) == (Decimal(10), Decimal("2.70"), 200.0)
    assert (second.contracts, second.gain) == (Decimal(5), Decimal("0.40"))
    assert (left.contracts, spent(left), left.closing) == (Decimal(5), Decimal("3.05"), None)


def test_a_fill_that_flips_the_position_closes_one_lot_and_opens_another() -> None:
    ledger = ledger_of([fill(1, BookSide.BID, "10", "0.40"), fill(2, BookSide.ASK, "25", "0.50", fee="0.25")])
    (closed,), (opened,) = lots_from(ledger.bookings)
    assert closed.closing is not None
    assert (closed.outcome, closed.closing.price, closed.closing.fees) == (
        Outcome.YES,
        Decimal("0.50"),
        Decimal("0.10"),
    )
    assert (opened.outcome, opened.contracts, spent(opened)) == (Outcome.NO, Decimal(15), Decimal("7.65"))


def test_a_settlement_closes_every_lot_with_its_share_of_the_payment() -> None:
    ledger = ledger_of(
        [fill(1, BookSide.BID, "1", "0.40"), fill(2, BookSide.BID, "2", "0.50")],
        [settlement("KXA-1", Decimal(3), "0.37")],
    )
    closed, still_open = lots_from(ledger.bookings)
    assert still_open == []
    assert [(lot.closing and lot.closing.by, lot.closing and lot.closing.result) for lot in closed] == [
        (ClosedBy.SETTLEMENT, "scalar")
    ] * 2
    assert sum((lot.closing.proceeds for lot in closed if lot.closing), ZERO) == Decimal("1.11")


def test_a_payment_for_contracts_that_no_fill_bought_is_no_lot_but_is_named() -> None:
    book = LotBook()
    ledger = Ledger()
    ledger.book_settlements([settlement("KXA-1", Decimal(3), "1", result="yes")])
    assert [lot for booking in ledger.bookings for lot in book.take(booking)] == []
    assert [(each.ticker, each.cash) for each in book.unmatched] == [("KXA-1", Decimal(3))]


def test_contracts_whose_purchase_is_unknown_have_no_gain() -> None:
    sale = Booking(
        key="k",
        kind=BookingKind.FILL,
        ticker="KXA-1",
        at=5.0,
        contracts=Decimal(-4),
        basis=Decimal(-2),
        realized=ONE,
        fees=ZERO,
        fill_id="f",
        outcome=Outcome.NO,
        price=Decimal("0.25"),
        closed=Decimal(4),
    )
    (lot,), _ = lots_from([sale])
    assert (lot.opening, lot.gain, lot.closing and lot.closing.proceeds) == (None, None, Decimal(3))


def test_a_reversal_is_no_execution() -> None:
    ledger = ledger_from([(BookSide.BID, 100, 5000, 0, "KXA-1", 1)] * 2, {}, late=1)
    with pytest.raises(ValueError, match="reversal"):
        lots_from(ledger.bookings)


@given(rows=ROWS, ends=ENDS, late=st.integers(0, 5))
def test_the_gains_of_the_lots_are_the_cash_of_the_whole_history(
    rows: list[Row], ends: dict[str, int], late: int
) -> None:
    ledger = ledger_from(rows, ends, late=late)
    book = LotBook()
    closed = [lot for booking in standing_bookings(ledger.bookings) for lot in book.take(booking)]
    gained = sum((gain_of(lot) for lot in closed), ZERO)
    cash = gained - sum((spent(lot) for lot in book.open_lots()), ZERO)
    assert cash + sum((each.cash for each in book.unmatched), ZERO) == ledger.totals().cash
    for ticker, holding in ledger.holdings.items():
        held = [lot for lot in book.open_lots() if lot.ticker == ticker]
        assert sum((lot.contracts for lot in held), ZERO) == abs(holding.contracts)
        assert {lot.outcome for lot in held} <= {holding.outcome}


@given(rows=ROWS, ends=ENDS)
def test_lots_are_closed_in_the_order_in_which_they_were_opened(rows: list[Row], ends: dict[str, int]) -> None:
    ledger = ledger_from(rows, ends)
    closed, still_open = lots_from(ledger.bookings)
    openings: dict[tuple[str, Outcome], list[float]] = defaultdict(list)
    for lot in [*closed, *still_open]:
        assert lot.opening is not None
        openings[lot.ticker, lot.outcome].append(lot.opening.at)
        assert lot.held_seconds is None or lot.held_seconds >= 0
    assert all(times == sorted(times) for times in openings.values())


@given(rows=ROWS, ends=ENDS)
def test_every_contract_bought_is_in_lots_once_and_every_fee_too(rows: list[Row], ends: dict[str, int]) -> None:
    ledger = ledger_from(rows, ends)
    closed, still_open = lots_from(ledger.bookings)
    bought = sum((booking.opened for booking in ledger.bookings), ZERO)
    assert sum((lot.contracts for lot in [*closed, *still_open]), ZERO) == bought
    fees = sum((lot.opening.fees for lot in [*closed, *still_open] if lot.opening), ZERO)
    fees += sum((lot.closing.fees for lot in closed if lot.closing), ZERO)
    assert fees == sum((row.fee for row in fills_of(rows)), ZERO)
