"""Our own ledger of the account, from the exchange's fills and settlements: append-only, exact decimals. Pure.

Rules, each with a test:
1. Every booking changes cash by `realized - basis - fees`, so that over any ledger
   cash + open cost basis + fees paid = deposits + realised profit.
2. A key is booked once: booking it again changes nothing.
3. When the exchange amends a settlement, a reversal first undoes the earlier booking exactly.
4. The state is the sum of the bookings; nothing else is stored.

Cost basis is the average-cost method: buying more adds to the basis; buying the opposite outcome first sells the
open contracts and then opens the other side. A fill at YES price p trades NO at 1 - p, so SELL and NO need no rules of
their own. Fees are an expense when they are paid; they are not part of the basis.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from coliseum.trading.markets import Settlement
from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import BookSide, Fill, Outcome

MICRO_DOLLAR = Decimal("0.000001")
"""The basis of a partly closed position is rounded to this, the finest unit that the exchange shows."""


class BookingKind(StrEnum):
    """Why the ledger changed."""

    FILL = "fill"
    SETTLEMENT = "settlement"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One change of the ledger. Contracts are signed, above 0 means YES; the rest is dollars."""

    key: str
    kind: BookingKind
    ticker: str
    at: float
    """Unix seconds of the fill or settlement."""
    contracts: Decimal
    basis: Decimal
    realized: Decimal
    fees: Decimal

    @property
    def cash(self) -> Decimal:
        """The change of cash in dollars."""
        return self.realized - self.basis - self.fees


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """The ledger's state of one market."""

    ticker: str
    contracts: Decimal = ZERO
    """Signed, above 0 means YES."""
    basis: Decimal = ZERO
    """Dollars paid for the open contracts, without fees."""
    realized: Decimal = ZERO
    """Dollars of profit of closed contracts, before fees."""
    fees: Decimal = ZERO
    settled: bool = False

    @property
    def outcome(self) -> Outcome:
        return Outcome.YES if self.contracts >= ZERO else Outcome.NO

    @property
    def average_cost(self) -> Decimal | None:
        """Dollars per open contract; None without one."""
        return self.basis / abs(self.contracts) if self.contracts else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTotals:
    """Sums over all markets, in dollars."""

    cash: Decimal
    """Change of cash by trades and settlements, without deposits."""
    basis: Decimal
    realized: Decimal
    fees: Decimal


class Ledger:
    """Bookings in the order they were made, and the holdings that they add up to."""

    def __init__(self) -> None:
        self._bookings: list[Booking] = []
        self._keys: set[str] = set()
        self._holdings: dict[str, Holding] = {}
        self._settlements: dict[str, tuple[str, Booking]] = {}

    @property
    def bookings(self) -> tuple[Booking, ...]:
        return tuple(self._bookings)

    @property
    def holdings(self) -> dict[str, Holding]:
        """By ticker, open and closed."""
        return dict(self._holdings)

    @property
    def settled(self) -> dict[str, Decimal]:
        """Signed contracts held when a market was settled, by ticker."""
        return {ticker: -booking.contracts for ticker, (_, booking) in self._settlements.items()}

    def totals(self) -> LedgerTotals:
        holdings = self._holdings.values()
        basis = sum((holding.basis for holding in holdings), ZERO)
        realized = sum((holding.realized for holding in holdings), ZERO)
        fees = sum((holding.fees for holding in holdings), ZERO)
        return LedgerTotals(cash=realized - basis - fees, basis=basis, realized=realized, fees=fees)

    def book_fills(self, fills: Iterable[Fill]) -> None:
        """Book the fills that are new, oldest first whatever their order.

        A fill that arrives after its market's settlement reverses the settlement: book the settlements again
        afterwards.
        """
        for fill in sorted(fills, key=_execution_order):
            if fill.fill_id in self._keys:
                continue
            if fill.ticker in self._settlements:
                self._reverse(fill.ticker)
            self._append(_fill_booking(self._holding(fill.ticker), fill))

    def book_settlements(self, settlements: Iterable[Settlement]) -> None:
        """Book settlements; call it after `book_fills`. An amended settlement reverses the version before."""
        for settlement in sorted(settlements, key=lambda row: (row.settled_at, row.ticker)):
            version = _version(settlement)
            current = self._settlements.get(settlement.ticker)
            if current is not None and current[0] == version:
                continue
            if current is not None:
                self._reverse(settlement.ticker)
            key = f"{version}/{len(self._bookings)}"
            booking = _settlement_booking(self._holding(settlement.ticker), settlement, key)
            self._settlements[settlement.ticker] = (version, booking)
            self._append(booking)

    def _reverse(self, ticker: str) -> None:
        version, booking = self._settlements.pop(ticker)
        self._append(_reversal(booking, f"{version}/reversal/{len(self._bookings)}"))

    def _holding(self, ticker: str) -> Holding:
        return self._holdings.get(ticker) or Holding(ticker=ticker)

    def _append(self, booking: Booking) -> None:
        self._bookings.append(booking)
        self._keys.add(booking.key)
        self._holdings[booking.ticker] = add_booking(self._holding(booking.ticker), booking)


def _execution_order(fill: Fill) -> tuple[float, str, Decimal, str]:
    """Sort key. An order's fills may share one timestamp; the order took the best price first."""
    worse = fill.yes_price if fill.book_side is BookSide.BID else -fill.yes_price
    return fill.timestamp, fill.order_id, worse, fill.fill_id


def add_booking(holding: Holding, booking: Booking) -> Holding:
    """The holding with the booking added to it."""
    return Holding(
        ticker=holding.ticker,
        contracts=holding.contracts + booking.contracts,
        basis=holding.basis + booking.basis,
        realized=holding.realized + booking.realized,
        fees=holding.fees + booking.fees,
        settled={BookingKind.SETTLEMENT: True, BookingKind.REVERSAL: False}.get(booking.kind, holding.settled),
    )


def _fill_booking(holding: Holding, fill: Fill) -> Booking:
    """First close the open contracts of the other outcome, then open the rest."""
    delta = fill.yes_delta
    price = fill.yes_price if delta > ZERO else ONE - fill.yes_price
    closing = holding.contracts * delta < ZERO
    closed = min(abs(holding.contracts), abs(delta)) if closing else ZERO
    released = _released(holding, closed)
    return Booking(
        key=fill.fill_id,
        kind=BookingKind.FILL,
        ticker=fill.ticker,
        at=fill.timestamp,
        contracts=delta,
        basis=(abs(delta) - closed) * price - released,
        realized=closed * (ONE - price) - released,
        fees=fill.fee,
    )


def _released(holding: Holding, closed: Decimal) -> Decimal:
    """The part of the cost basis that belongs to `closed` contracts."""
    if closed == abs(holding.contracts):
        return holding.basis  # the whole of it: no rounding may remain behind
    return (holding.basis * closed / abs(holding.contracts)).quantize(MICRO_DOLLAR)


def _settlement_booking(holding: Holding, settlement: Settlement, key: str) -> Booking:
    """The exchange's payment closes the position. Its `fee` is the sum of the fills' fees, which are booked already."""
    return Booking(
        key=key,
        kind=BookingKind.SETTLEMENT,
        ticker=settlement.ticker,
        at=settlement.settled_at.timestamp(),
        contracts=-holding.contracts,
        basis=-holding.basis,
        realized=settlement.revenue - holding.basis,
        fees=ZERO,
    )


def _reversal(booking: Booking, key: str) -> Booking:
    return Booking(
        key=key,
        kind=BookingKind.REVERSAL,
        ticker=booking.ticker,
        at=booking.at,
        contracts=-booking.contracts,
        basis=-booking.basis,
        realized=-booking.realized,
        fees=-booking.fees,
    )


def _version(settlement: Settlement) -> str:
    """Identifies a version of a settlement: the exchange may determine the same market a second time."""
    facts = (settlement.ticker, settlement.result, settlement.revenue.normalize(), settlement.settled_at.isoformat())
    return "settlement/" + "/".join(str(fact) for fact in facts)
