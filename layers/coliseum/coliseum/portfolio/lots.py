"""Lots: contracts that were bought together, matched with what closed them, first in, first out. Pure.

The ledger values open contracts at their average cost, as the exchange does. Accounts and tax returns often want the
single purchases instead. Both give the same cash: the gains of the closed lots, less cost and fees of the open ones,
are the ledger's change of cash.

A fee belongs to the contracts of its fill in equal parts. Where a fill closes some contracts and opens others, or a lot
is closed in pieces, amounts are divided to a millionth of a dollar, and the last piece gets the rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from coliseum.portfolio.ledger import MICRO_DOLLAR, Booking, BookingKind
from coliseum.trading.money import ONE
from coliseum.trading.trades import Outcome


class ClosedBy(StrEnum):
    """What ended a lot."""

    TRADE = "trade"
    SETTLEMENT = "settlement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The purchase of a lot."""

    at: float
    """Unix seconds."""
    price: Decimal
    """Dollars per contract."""
    cost: Decimal
    """Dollars, without fees."""
    fees: Decimal
    fill_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The sale or settlement of a lot."""

    at: float
    price: Decimal
    proceeds: Decimal
    """Dollars, without fees."""
    fees: Decimal
    by: ClosedBy
    fill_id: str | None
    result: str | None
    """The market's result, of a settlement only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Contracts of one outcome with one opening and at most one closing."""

    ticker: str
    outcome: Outcome
    contracts: Decimal
    opening: Opening | None
    """None where the purchase is in no booking."""
    closing: Closing | None
    """None while the lot is open."""

    @property
    def gain(self) -> Decimal | None:
        """Proceeds less cost and all fees; None while it is open, or where its purchase is unknown."""
        if self.opening is None or self.closing is None:
            return None
        return self.closing.proceeds - self.opening.cost - self.opening.fees - self.closing.fees

    @property
    def held_seconds(self) -> float | None:
        if self.opening is None or self.closing is None:
            return None
        return self.closing.at - self.opening.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """Money that a booking moved without contracts of ours: a payment for contracts that no fill bought."""

    ticker: str
    at: float
    cash: Decimal


class LotBook:
    """Open lots by market. It takes standing bookings, each once, in the order of the ledger."""

    def __init__(self) -> None:
        self._open: dict[str, deque[Lot]] = {}
        self.unmatched: list[Unmatched] = []

    def take(self, booking: Booking) -> list[Lot]:
        """Book it; returns the lots that it closed, the oldest first. Raises ValueError for a reversal."""
        if booking.kind is BookingKind.REVERSAL:
            raise ValueError(f"{booking.key}: a reversal is no execution; take only standing bookings")
        if booking.kind is BookingKind.SETTLEMENT:
            return self._settle(booking)
        return self._trade(booking)

    def open_lots(self) -> Iterator[Lot]:
        """In the order of their markets' tickers, then of their opening."""
        for ticker in sorted(self._open):
            yield from self._open[ticker]

    def _trade(self, booking: Booking) -> list[Lot]:
        assert booking.outcome is not None
        assert booking.price is not None
        closing_fees = _part(booking.fees, booking.closed, booking.opened + booking.closed)
        closed: list[Lot] = []
        if booking.closed:
            # A purchase of the other outcome pays a dollar for each pair, which sells at one dollar less its price.
            sale = Closing(
                at=booking.at,
                price=ONE - booking.price,
                proceeds=booking.closed * (ONE - booking.price),
                fees=closing_fees,
                by=ClosedBy.TRADE,
                fill_id=booking.fill_id,
                result=None,
            )
            closed = self._close(booking.ticker, booking.outcome.opposite, booking.closed, sale)
        if booking.opened:
            purchase = Opening(
                at=booking.at,
                price=booking.price,
                cost=booking.opened * booking.price,
                fees=booking.fees - closing_fees,
                fill_id=booking.fill_id,
            )
            lot = Lot(
                ticker=booking.ticker,
                outcome=booking.outcome,
                contracts=booking.opened,
                opening=purchase,
                closing=None,
            )
            self._open.setdefault(booking.ticker, deque()).append(lot)
        return closed

    def _settle(self, booking: Booking) -> list[Lot]:
        if not booking.closed or booking.outcome is None or booking.price is None:
            if booking.cash:
                self.unmatched.append(Unmatched(ticker=booking.ticker, at=booking.at, cash=booking.cash))
            return []
        payment = Closing(
            at=booking.at,
            price=booking.price,
            proceeds=booking.realized - booking.basis,
            fees=booking.fees,
            by=ClosedBy.SETTLEMENT,
            fill_id=None,
            result=booking.result,
        )
        return self._close(booking.ticker, booking.outcome, booking.closed, payment)

    def _close(self, ticker: str, outcome: Outcome, contracts: Decimal, closing: Closing) -> list[Lot]:
        """Close the oldest contracts. What was never opened comes as a lot without an opening."""
        lots = self._open.get(ticker, deque())
        closed: list[Lot] = []
        while contracts and lots and lots[0].outcome is outcome:
            taken, rest = _split_lot(lots.popleft(), contracts)
            if rest is not None:
                lots.appendleft(rest)
            part, closing = _split_closing(closing, taken.contracts, contracts)
            closed.append(replace(taken, closing=part))
            contracts -= taken.contracts
        if not lots:
            self._open.pop(ticker, None)
        if contracts:
            closed.append(Lot(ticker=ticker, outcome=outcome, contracts=contracts, opening=None, closing=closing))
        return closed


def lots_from(bookings: Iterable[Booking]) -> tuple[list[Lot], list[Lot]]:
    """The closed lots in the order of their closing, and the open ones."""
    book = LotBook()
    closed = [lot for booking in bookings for lot in book.take(booking)]
    return closed, list(book.open_lots())


def _split_lot(lot: Lot, contracts: Decimal) -> tuple[Lot, Lot | None]:
    """At most `contracts` of a lot, and the rest of it; None where nothing is left."""
    if contracts >= lot.contracts or lot.opening is None:
        return lot, None
    opening = lot.opening
    taken = replace(opening, cost=contracts * opening.price, fees=_part(opening.fees, contracts, lot.contracts))
    rest = replace(opening, cost=opening.cost - taken.cost, fees=opening.fees - taken.fees)
    return (
        replace(lot, contracts=contracts, opening=taken),
        replace(lot, contracts=lot.contracts - contracts, opening=rest),
    )


def _split_closing(closing: Closing, contracts: Decimal, all_contracts: Decimal) -> tuple[Closing, Closing]:
    """The part of a closing for `contracts` of all that it closes, and what remains for the others."""
    taken = replace(
        closing,
        proceeds=_part(closing.proceeds, contracts, all_contracts),
        fees=_part(closing.fees, contracts, all_contracts),
    )
    rest = replace(closing, proceeds=closing.proceeds - taken.proceeds, fees=closing.fees - taken.fees)
    return taken, rest


def _part(amount: Decimal, contracts: Decimal, all_contracts: Decimal) -> Decimal:
    """The share of `contracts`; the whole amount for all of them, so that no rounding remains behind."""
    if contracts == all_contracts:
        return amount
    return (amount * contracts / all_contracts).quantize(MICRO_DOLLAR)
