"""The ledger's rules, by example and for any sequence of fills and settlements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_UP, Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.portfolio.ledger import Booking, BookingKind, Holding, Ledger, add_booking, standing_bookings
from coliseum.portfolio.reconciliation import find_discrepancies
from coliseum.trading.markets import Settlement
from coliseum.trading.money import CENT, ONE, ZERO
from coliseum.trading.trades import BookSide, Fill, Outcome

TICKERS = ("KXA-1", "KXB-1", "KXC-1")


def fill(
    number: int,
    book_side: BookSide,
    count: str,
    yes_price: str,
    *,
    fee: str = "0",
    ticker: str = "KXA-1",
    at: float = 0,
) -> Fill:
    price = Decimal(yes_price)
    return Fill(
        fill_id=f"f{number:06}",
        order_id="o",
        ticker=ticker,
        book_side=book_side,
        outcome=Outcome.YES if book_side is BookSide.BID else Outcome.NO,
        sold=False,
        count=Decimal(count),
        yes_price=price,
        no_price=ONE - price,
        fee=Decimal(fee),
        is_taker=True,
        timestamp=at or float(number),
    )


def settlement(ticker: str, contracts: Decimal, value: str, *, result: str = "scalar", at: int = 10**9) -> Settlement:
    """What the exchange pays for signed `contracts`, in whole cents."""
    worth = Decimal(value)
    due = contracts * worth if contracts >= 0 else -contracts * (ONE - worth)
    return Settlement(
        ticker=ticker,
        event_ticker="E",
        result=result,
        yes_count=max(contracts, ZERO),
        yes_cost=ZERO,
        no_count=max(-contracts, ZERO),
        no_cost=ZERO,
        revenue=due.quantize(CENT),
        value=worth,
        fee=Decimal(7),
        settled_at=datetime.fromtimestamp(at, UTC),
    )


def same(holdings: dict[str, Holding]) -> dict[str, Holding]:
    """The holdings without the count of reversals, which tells in which order the fills arrived."""
    return {ticker: replace(holding, reversals=0) for ticker, holding in holdings.items()}


def ledger_of(fills: Iterable[Fill], settlements: Iterable[Settlement] = ()) -> Ledger:
    ledger = Ledger()
    ledger.book_fills(fills)
    ledger.book_settlements(settlements)
    return ledger


def test_the_worked_example_ends_with_a_profit_of_33_59() -> None:
    ledger = ledger_of(
        [
            fill(1, BookSide.BID, "100", "0.42", fee="1.71"),
            fill(2, BookSide.ASK, "40", "0.45", fee="0.70"),
        ],
        [settlement("KXA-1", Decimal(60), "1", result="yes")],
    )
    totals = ledger.totals()
    assert totals.realized == Decimal("36.00")
    assert totals.realized - totals.fees == Decimal("33.59") == totals.cash


def test_buying_more_averages_the_cost() -> None:
    holding = ledger_of([fill(1, BookSide.BID, "10", "0.40"), fill(2, BookSide.BID, "30", "0.60")]).holdings["KXA-1"]
    assert (holding.contracts, holding.average_cost) == (Decimal(40), Decimal("0.55"))


def test_selling_yes_equals_buying_no_and_can_flip_the_position() -> None:
    holding = ledger_of([fill(1, BookSide.BID, "10", "0.40"), fill(2, BookSide.ASK, "25", "0.50")]).holdings["KXA-1"]
    assert holding.contracts == Decimal(-15)
    assert holding.outcome is Outcome.NO
    assert holding.realized == Decimal("1.00")
    assert holding.average_cost == Decimal("0.50")


def test_fractions_and_sub_cent_prices_stay_exact() -> None:
    holding = ledger_of([fill(1, BookSide.ASK, "10.50", "0.1825", fee="0.017500")]).holdings["KXA-1"]
    assert holding.basis == Decimal("8.58375")
    assert holding.fees == Decimal("0.0175")


def test_a_scalar_market_pays_its_value_to_both_sides() -> None:
    yes = ledger_of([fill(1, BookSide.BID, "10", "0.40")], [settlement("KXA-1", Decimal(10), "0.37")])
    no = ledger_of([fill(1, BookSide.ASK, "10", "0.40")], [settlement("KXA-1", Decimal(-10), "0.37")])
    assert yes.totals().realized == Decimal("-0.30")
    assert no.totals().realized == Decimal("0.30")


def test_the_settlements_fee_total_is_not_paid_twice() -> None:
    ledger = ledger_of([fill(1, BookSide.BID, "1", "0.5", fee="0.02")], [settlement("KXA-1", ONE, "1")])
    assert ledger.totals().fees == Decimal("0.02")


def test_an_amended_settlement_reverses_the_first_version() -> None:
    ledger = ledger_of([fill(1, BookSide.BID, "10", "0.40")], [settlement("KXA-1", Decimal(10), "1")])
    ledger.book_settlements([settlement("KXA-1", Decimal(10), "0", at=10**9 + 60)])
    assert ledger.totals().realized == Decimal("-4.00")
    assert [booking.kind for booking in ledger.bookings][-3:] == [
        BookingKind.SETTLEMENT,
        BookingKind.REVERSAL,
        BookingKind.SETTLEMENT,
    ]


def test_a_fill_that_arrives_after_the_settlement_is_settled_too() -> None:
    paid = settlement("KXA-1", Decimal(10), "1")
    ledger = ledger_of([fill(2, BookSide.BID, "4", "0.50")], [paid])
    ledger.book_fills([fill(1, BookSide.BID, "6", "0.40")])
    ledger.book_settlements([paid])
    holding = ledger.holdings["KXA-1"]
    assert (holding.contracts, holding.realized, holding.settled) == (ZERO, Decimal("5.60"), True)
    assert ledger.settled == {"KXA-1": Decimal(10)}


def test_a_fill_that_arrives_late_is_booked_where_it_belongs() -> None:
    fills = [fill(1, BookSide.BID, "6", "0.40"), fill(2, BookSide.BID, "4", "0.50"), fill(3, BookSide.ASK, "5", "0.60")]
    late = ledger_of(fills[1:])
    late.book_fills(fills)
    assert same(late.holdings) == same(ledger_of(fills).holdings)
    assert [booking.fill_id for booking in standing_bookings(late.bookings)] == ["f000001", "f000002", "f000003"]


def test_both_halves_of_a_trade_with_oneself_are_booked() -> None:
    bought = fill(1, BookSide.BID, "5", "0.40", fee="0.02")
    sold = replace(fill(1, BookSide.ASK, "5", "0.40", fee="0.01"), order_id="other")
    ledger = ledger_of([bought, sold])
    ledger.book_fills([sold, bought])
    assert len(ledger.bookings) == 2
    assert (ledger.totals().fees, ledger.holdings["KXA-1"].contracts) == (Decimal("0.03"), ZERO)


def test_a_fill_that_comes_again_with_other_content_is_a_named_conflict() -> None:
    first = fill(1, BookSide.BID, "5", "0.40")
    ledger = ledger_of([first])
    ledger.book_fills([fill(1, BookSide.BID, "6", "0.40")])
    assert ledger.holdings["KXA-1"].contracts == Decimal(5)
    assert str(ledger.conflicts[0]) == (
        "fill f000001 of order o in KXA-1 was booked with contracts 5 and came again with 6"
    )


def test_two_fills_of_one_page_with_one_identity_and_other_content_are_a_conflict() -> None:
    ledger = ledger_of([fill(1, BookSide.BID, "5", "0.40"), fill(1, BookSide.BID, "5", "0.41")])
    assert (len(ledger.bookings), [conflict.field for conflict in ledger.conflicts]) == (1, ["YES price"])


def test_a_booking_says_what_was_opened_what_was_closed_and_at_which_price() -> None:
    ledger = ledger_of(
        [fill(1, BookSide.BID, "10", "0.40"), fill(2, BookSide.ASK, "25", "0.55")],
        [settlement("KXA-1", Decimal(-15), "0", result="no")],
    )
    told = [(row.outcome, row.price, row.opened, row.closed) for row in ledger.bookings]
    assert told == [
        (Outcome.YES, Decimal("0.40"), Decimal(10), ZERO),
        (Outcome.NO, Decimal("0.45"), Decimal(15), Decimal(10)),
        (Outcome.NO, ONE, ZERO, Decimal(15)),
    ]
    assert (ledger.bookings[-1].event_ticker, ledger.bookings[-1].result) == ("E", "no")


def test_a_fill_for_a_settled_market_needs_the_markets_stored_bookings() -> None:
    settled = ledger_of([fill(1, BookSide.BID, "10", "0.40")], [settlement("KXA-1", Decimal(10), "1")])
    with pytest.raises(ValueError, match="KXA-1 is settled"):
        Ledger(settled.holdings.values()).book_fills([fill(2, BookSide.BID, "1", "0.40")])


SETTLED_ROWS = [
    ("A", BookSide.BID, "132.00", "0.3600", "2.128900"),
    ("A", BookSide.ASK, "132.00", "0.9200", "0.680100"),
    ("B", BookSide.BID, "2.00", "0.7000", "0.020000"),
    ("B", BookSide.ASK, "1.00", "0.9800", "0.010000"),
    ("C", BookSide.ASK, "1.00", "0.7000", "0.014700"),
]
"""Fills of three markets whose settlement rows were seen on the wire: ticker, side, count, YES price, fee."""


def settled_row(ticker: str, result: str, counts: tuple[str, str], revenue: str, value: str) -> Settlement:
    return Settlement(
        ticker=ticker,
        event_ticker="E",
        result=result,
        yes_count=Decimal(counts[0]),
        yes_cost=ZERO,
        no_count=Decimal(counts[1]),
        no_cost=ZERO,
        revenue=Decimal(revenue),
        value=Decimal(value),
        fee=ZERO,
        settled_at=datetime.fromtimestamp(10**9, UTC),
    )


def test_settlements_as_seen_on_the_wire_agree_to_the_cent() -> None:
    """The counts are gross: market A was left before its end, and the scalar row's value repeats its revenue."""
    rows = [
        settled_row("A", "yes", ("132.00", "132.00"), "0", "1"),
        settled_row("B", "yes", ("2.00", "1.00"), "1.00", "1"),
        settled_row("C", "scalar", ("0.00", "1.00"), "0.82", "0.82"),
    ]
    fills = [
        fill(number, side, count, price, fee=fee, ticker=ticker)
        for number, (ticker, side, count, price, fee) in enumerate(SETTLED_ROWS)
    ]
    ledger = ledger_of(fills, rows)
    money = {ticker: (holding.realized, holding.fees) for ticker, holding in ledger.holdings.items()}
    assert money == {
        "A": (Decimal("73.92"), Decimal("2.8090")),
        "B": (Decimal("0.58"), Decimal("0.0300")),
        "C": (Decimal("0.52"), Decimal("0.0147")),
    }
    assert find_discrepancies(ledger.holdings, [], rows, ledger.settled) == ()


def test_fills_of_one_order_at_one_time_are_booked_best_price_first() -> None:
    opening = fill(1, BookSide.BID, "5", "0.50")
    best, worse = fill(3, BookSide.ASK, "5", "0.60", at=9), fill(2, BookSide.ASK, "5", "0.40", at=9)
    holding = ledger_of([opening, worse, best]).holdings["KXA-1"]
    assert (holding.realized, holding.average_cost) == (Decimal("0.50"), Decimal("0.60"))


def test_fills_of_the_same_second_are_always_booked_in_the_same_order() -> None:
    fills = [fill(1, BookSide.BID, "10", "0.40", at=5), fill(2, BookSide.ASK, "10", "0.60", at=5)]
    assert ledger_of(fills).bookings == ledger_of(fills[::-1]).bookings


fills_drawn = st.lists(
    st.tuples(
        st.sampled_from(TICKERS),
        st.sampled_from(BookSide),
        st.decimals("0.01", "500", places=2),
        st.decimals("0.001", "0.999", places=3),
    ),
    max_size=40,
)


def drawn(rows: list[tuple[str, BookSide, Decimal, Decimal]], *, together: int = 3) -> list[Fill]:
    """The rows as fills, some of which share a moment."""
    return [
        fill(
            number,
            side,
            str(count),
            str(price),
            fee=str((Decimal("0.07") * count * price * (1 - price)).quantize(Decimal("0.0001"), ROUND_UP)),
            ticker=ticker,
            at=1 + number // together,
        )
        for number, (ticker, side, count, price) in enumerate(rows)
    ]


@given(fills_drawn, st.decimals("0", "1", places=2))
def test_cash_plus_basis_plus_fees_equals_the_realised_profit(
    rows: list[tuple[str, BookSide, Decimal, Decimal]], value: Decimal
) -> None:
    ledger = ledger_of(drawn(rows))
    cash = sum(
        (
            -one.fee - (one.count * (one.yes_price if one.book_side is BookSide.BID else one.no_price))
            for one in drawn(rows)
        ),
        ZERO,
    )
    # A closed pair of YES and NO gave its dollar back.
    pairs = ZERO
    for ticker in TICKERS:
        yes = sum((one.count for one in drawn(rows) if one.ticker == ticker and one.book_side is BookSide.BID), ZERO)
        no = sum((one.count for one in drawn(rows) if one.ticker == ticker and one.book_side is BookSide.ASK), ZERO)
        pairs += min(yes, no)
    totals = ledger.totals()
    assert totals.cash == cash + pairs
    assert totals.cash + totals.basis + totals.fees == totals.realized
    contracts_by_ticker = {ticker: holding.contracts for ticker, holding in ledger.holdings.items()}
    paid = [settlement(ticker, contracts, str(value)) for ticker, contracts in contracts_by_ticker.items()]
    ledger.book_settlements(paid)
    settled = ledger.totals()
    assert settled.basis == ZERO
    assert settled.cash == totals.cash + sum((row.revenue for row in paid), ZERO)


@given(fills_drawn, st.data())
def test_the_bookings_add_up_to_the_holdings_and_a_repeated_fill_changes_nothing(
    rows: list[tuple[str, BookSide, Decimal, Decimal]], data: st.DataObject
) -> None:
    fills = drawn(rows, together=1)
    ledger = Ledger()
    begun = 0
    while begun < len(fills):
        size = data.draw(st.integers(1, 8))
        ledger.book_fills(fills[max(0, begun - 2) : begun + size])  # as pages that overlap
        begun += size
    holdings: dict[str, Holding] = {}
    for booking in ledger.bookings:
        holdings[booking.ticker] = add_booking(holdings.get(booking.ticker) or Holding(ticker=booking.ticker), booking)
    assert holdings == ledger.holdings == ledger_of(fills).holdings
    before = ledger.bookings
    ledger.book_fills(fills)
    assert ledger.bookings == before


@given(fills_drawn, st.decimals("0", "1", places=2), st.decimals("0", "1", places=2))
def test_a_reversal_restores_the_ledger_to_the_last_digit(
    rows: list[tuple[str, BookSide, Decimal, Decimal]], first: Decimal, second: Decimal
) -> None:
    fills = drawn(rows)
    contracts_by_ticker = {ticker: holding.contracts for ticker, holding in ledger_of(fills).holdings.items()}
    amended = ledger_of(fills, [settlement(ticker, count, str(first)) for ticker, count in contracts_by_ticker.items()])
    final = [settlement(ticker, count, str(second), at=10**9 + 1) for ticker, count in contracts_by_ticker.items()]
    amended.book_settlements(final)
    assert same(amended.holdings) == same(ledger_of(fills, final).holdings)


@given(fills_drawn, st.randoms(use_true_random=False), st.decimals("0", "1", places=2), st.data())
def test_any_order_of_arrival_and_any_restart_give_the_holdings_of_one_run(
    rows: list[tuple[str, BookSide, Decimal, Decimal]], rng: Random, value: Decimal, data: st.DataObject
) -> None:
    fills = drawn(rows)
    whole = ledger_of(fills)
    paid = [settlement(ticker, held.contracts, str(value)) for ticker, held in list(whole.holdings.items())[:2]]
    whole.book_settlements(paid)
    arriving = [*fills]
    rng.shuffle(arriving)
    holdings: dict[str, Holding] = {}
    bookings: list[Booking] = []
    while arriving:
        size = data.draw(st.integers(1, 15))
        page, arriving = arriving[:size], arriving[size:]
        ledger = Ledger(holdings.values(), bookings)
        ledger.book_fills(page)
        if data.draw(st.booleans()):
            ledger.book_settlements(row for row in paid if row.ticker in ledger.holdings)
        bookings += ledger.bookings
        holdings = ledger.holdings
    ledger = Ledger(holdings.values(), bookings)
    ledger.book_settlements(paid)
    bookings += ledger.bookings
    assert same(ledger.holdings) == same(whole.holdings)
    assert len({booking.key for booking in bookings}) == len(bookings)
    standing = standing_bookings(bookings)
    assert sum((row.cash for row in standing), ZERO) == sum((row.cash for row in bookings), ZERO) == whole.totals().cash


def test_only_a_pair_bought_below_one_dollar_is_a_riskless_gain() -> None:
    ledger = ledger_of([fill(1, BookSide.BID, "10", "0.40"), fill(2, BookSide.ASK, "10", "0.45")])
    assert ledger.totals().realized == Decimal("0.50")
    assert ledger.holdings["KXA-1"].average_cost is None
