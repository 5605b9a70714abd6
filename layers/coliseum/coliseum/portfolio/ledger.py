"""Our own ledger of the account, from the exchange's fills and settlements: append-only, exact decimals. Pure.

Rules, each with a test:
1. Every booking changes cash by `realized - basis - fees`, so that over any ledger
   cash + open cost basis + fees paid = deposits + realised profit.
2. A fill or a version of a settlement is booked once: booking it again changes nothing.
3. Fills count in the order of their execution. One that becomes known late first reverses what was booked behind it,
   and an amended settlement reverses its earlier version, so that the same fills and settlements give the same
   holdings in whatever order they arrive.
4. The state is the sum of the bookings; nothing else is stored. A ledger goes on from stored holdings and from the
   stored bookings of the time that its new fills fall into; older bookings are not needed.

Cost basis is the average-cost method: buying more adds to the basis; buying the opposite outcome first sells the
open contracts and then opens the other side. A fill at YES price p trades NO at 1 - p, so SELL and NO need no rules of
their own. Fees are an expense when they are paid; they are not part of the basis.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from coliseum.trading.markets import Settlement
from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import BookSide, Fill, Outcome

MICRO_DOLLAR = Decimal("0.000001")
"""The basis of a partly closed position is rounded to this, the finest unit that the exchange shows."""
_REVISION = "#"
"""Stands in a key between what is booked and the number of reversals before it."""


class BookingKind(StrEnum):
    """Why the ledger changed."""

    FILL = "fill"
    SETTLEMENT = "settlement"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One change of the ledger. Contracts are signed, above 0 means YES; the rest is dollars.

    It holds all that profits and lots are made from, so that neither needs the fill or the settlement again:

    - A fill bought `opened + closed` contracts of `outcome` at `price`. The `closed` ones met contracts of the opposite
      outcome, and each pair paid a dollar: that sold the opposite contracts at `1 - price`.
    - A settlement closed all contracts of `outcome` that were held. `price` is what each was paid; both are None where
      nothing was held any more.
    - A reversal takes back the booking `reverses`, with all its amounts negated and at the same time `at`. Sums over
      bookings are right with reversals in them. A list of executions leaves out both: `standing_bookings`.
    """

    key: str
    """Unique in the account's ledger."""
    kind: BookingKind
    ticker: str
    at: float
    """Unix seconds of the fill or settlement."""
    contracts: Decimal
    """Change of the signed position."""
    basis: Decimal
    """Change of the cost of the open contracts, without fees."""
    realized: Decimal
    """Profit of the contracts that were closed or settled, before fees."""
    fees: Decimal
    fill_id: str | None = None
    """Of a fill, or of the fill that a reversal takes back. Not unique: a trade with oneself has two orders."""
    order_id: str | None = None
    outcome: Outcome | None = None
    price: Decimal | None = None
    """Dollars per contract of `outcome`, 0 to 1."""
    opened: Decimal = ZERO
    """Contracts, never below 0."""
    closed: Decimal = ZERO
    """Contracts, never below 0."""
    event_ticker: str | None = None
    """Known of settlements only: a fill does not name its event."""
    result: str | None = None
    """The market's result: yes, no or scalar. Of settlements only."""
    reverses: str | None = None
    """The key of the booking that a reversal takes back."""

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
    last_fill_at: float | None = None
    """Unix seconds of the newest fill."""
    reversals: int = 0
    """How many bookings were taken back."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class FillConflict:
    """A fill that came again with other content. The first content stays booked."""

    fill_id: str
    order_id: str
    ticker: str
    field: str
    booked: Decimal
    sent: Decimal

    def __str__(self) -> str:
        name = f"fill {self.fill_id} of order {self.order_id} in {self.ticker}"
        return f"{name} was booked with {self.field} {self.booked} and came again with {self.sent}"


class Ledger:
    """The bookings of one run in the order they were made, and the holdings that they lead to."""

    def __init__(self, holdings: Iterable[Holding] = (), bookings: Iterable[Booking] = ()) -> None:
        """An empty ledger, or one that goes on from what is stored.

        `bookings`, oldest first, must reach back to the time of the first fill that will be booked, and hold all
        bookings of a settled market that gets a fill or a settlement.
        """
        self._bookings: list[Booking] = []
        self._holdings = {holding.ticker: holding for holding in holdings}
        self._fills: dict[tuple[str | None, str | None], Booking] = {}
        self._markets: dict[str, list[Booking]] = {}
        self._settlements: dict[str, Booking] = {}
        self._conflicts: list[FillConflict] = []
        for booking in standing_bookings(bookings):
            self._remember(booking)

    @property
    def bookings(self) -> tuple[Booking, ...]:
        """What this run added."""
        return tuple(self._bookings)

    @property
    def conflicts(self) -> tuple[FillConflict, ...]:
        return tuple(self._conflicts)

    @property
    def holdings(self) -> dict[str, Holding]:
        """By ticker, open and closed."""
        return dict(self._holdings)

    @property
    def settled(self) -> dict[str, Decimal]:
        """Signed contracts held when a market was settled, by ticker."""
        return {ticker: -booking.contracts for ticker, booking in self._settlements.items()}

    def totals(self) -> LedgerTotals:
        return sum_holdings(self._holdings.values())

    def book_fills(self, fills: Iterable[Fill]) -> None:
        """Book the fills that are new, in the order of their execution.

        A fill that was executed before others of its market that are booked, or before its market's settlement,
        reverses those and books the fills again. Book the settlements again afterwards.
        """
        new = self._new_fills(fills)
        first: dict[str, tuple[float, str, Decimal, str]] = {}
        for fill in new:
            order = execution_order(fill)
            first[fill.ticker] = min(first.get(fill.ticker, order), order)
        for ticker, order in first.items():
            new += [_fill_of(booking) for booking in self._take_back_from(ticker, order)]
        for fill in sorted(new, key=execution_order):
            self._append(_fill_booking(self._holding(fill.ticker), fill))

    def book_settlements(self, settlements: Iterable[Settlement], *, unbooked_fees: Decimal = ZERO) -> None:
        """Book settlements; call it after `book_fills`. An amended settlement reverses the version before.

        `unbooked_fees` (dollars) are those of fills that are known from no list any more.
        """
        for settlement in sorted(settlements, key=lambda row: (row.settled_at, row.ticker)):
            version = _version(settlement)
            current = self._settlements.get(settlement.ticker)
            if current is None and self._holding(settlement.ticker).settled:
                raise ValueError(f"{settlement.ticker} is settled, so its stored bookings are needed")
            if current is not None and current.key.partition(_REVISION)[0] == version:
                continue
            if current is not None:
                self._reverse(current)
                self._markets[settlement.ticker].remove(current)
            booking = _settlement_booking(self._holding(settlement.ticker), settlement, version)
            self._append(replace(booking, fees=unbooked_fees))

    def _new_fills(self, fills: Iterable[Fill]) -> list[Fill]:
        """Fills that are not booked, each once. One that is booked with other content is a conflict."""
        new: dict[tuple[str, str], Fill] = {}
        for fill in fills:
            booking = self._fills.get(fill.key)
            earlier = new.get(fill.key) if booking is None else _fill_of(booking)
            if earlier is None:
                new[fill.key] = fill
            elif (conflict := fill_conflict(earlier, fill)) is not None:
                self._conflicts.append(conflict)
        return list(new.values())

    def _take_back_from(self, ticker: str, order: tuple[float, str, Decimal, str]) -> list[Booking]:
        """Reverse what is booked in a market behind `order`, newest first; returns the fills among it."""
        market = self._markets.get(ticker, [])
        if self._holding(ticker).settled and ticker not in self._settlements:
            raise ValueError(f"{ticker} is settled, so its stored bookings are needed before a fill can be booked")
        fills: list[Booking] = []
        while market and (market[-1].kind is BookingKind.SETTLEMENT or execution_order(_fill_of(market[-1])) > order):
            booking = market.pop()
            self._reverse(booking)
            if booking.kind is BookingKind.FILL:
                fills.append(booking)
        return fills

    def _reverse(self, booking: Booking) -> None:
        reversal = _reversal(booking)
        self._bookings.append(reversal)
        self._holdings[booking.ticker] = add_booking(self._holding(booking.ticker), reversal)
        if booking.kind is BookingKind.SETTLEMENT:
            del self._settlements[booking.ticker]

    def _holding(self, ticker: str) -> Holding:
        return self._holdings.get(ticker) or Holding(ticker=ticker)

    def _append(self, booking: Booking) -> None:
        self._bookings.append(booking)
        self._holdings[booking.ticker] = add_booking(self._holding(booking.ticker), booking)
        self._remember(booking)

    def _remember(self, booking: Booking) -> None:
        self._markets.setdefault(booking.ticker, []).append(booking)
        if booking.kind is BookingKind.FILL:
            self._fills[booking.fill_id, booking.order_id] = booking
        else:
            self._settlements[booking.ticker] = booking


def standing_bookings(bookings: Iterable[Booking]) -> list[Booking]:
    """The bookings that no reversal took back, without the reversals, in their order."""
    standing: dict[str, Booking] = {}
    for booking in bookings:
        if booking.reverses is None:
            standing[booking.key] = booking
        else:
            standing.pop(booking.reverses, None)
    return list(standing.values())


def sum_holdings(holdings: Iterable[Holding]) -> LedgerTotals:
    """Totals over these holdings."""
    rows = tuple(holdings)
    basis = sum((holding.basis for holding in rows), ZERO)
    realized = sum((holding.realized for holding in rows), ZERO)
    fees = sum((holding.fees for holding in rows), ZERO)
    return LedgerTotals(cash=realized - basis - fees, basis=basis, realized=realized, fees=fees)


def fill_conflict(booked: Fill, sent: Fill) -> FillConflict | None:
    """The first number in which two reports of one fill differ; None where they agree."""
    pairs = {
        "contracts": (booked.yes_delta, sent.yes_delta),
        "YES price": (booked.yes_price, sent.yes_price),
        "fee": (booked.fee, sent.fee),
    }
    for field, (ours, theirs) in pairs.items():
        if ours != theirs:
            return FillConflict(
                fill_id=sent.fill_id, order_id=sent.order_id, ticker=sent.ticker, field=field, booked=ours, sent=theirs
            )
    return None


def execution_order(fill: Fill) -> tuple[float, str, Decimal, str]:
    """Sort key. An order's fills may share one timestamp; the order took the best price first."""
    worse = fill.yes_price if fill.book_side is BookSide.BID else -fill.yes_price
    return fill.timestamp, fill.order_id, worse, fill.fill_id


def add_booking(holding: Holding, booking: Booking) -> Holding:
    """The holding with the booking added to it."""
    newest = holding.last_fill_at
    if booking.kind is BookingKind.FILL:
        newest = booking.at if newest is None else max(newest, booking.at)
    settles = booking.kind is BookingKind.SETTLEMENT
    unsettles = booking.kind is BookingKind.REVERSAL and booking.fill_id is None
    return Holding(
        ticker=holding.ticker,
        contracts=holding.contracts + booking.contracts,
        basis=holding.basis + booking.basis,
        realized=holding.realized + booking.realized,
        fees=holding.fees + booking.fees,
        settled=settles or (holding.settled and not unsettles),
        last_fill_at=newest,
        reversals=holding.reversals + (booking.kind is BookingKind.REVERSAL),
    )


def _price_paid(fill: Fill) -> Decimal:
    """Dollars per contract of the outcome that the fill bought."""
    return fill.yes_price if fill.book_side is BookSide.BID else ONE - fill.yes_price


def _fill_booking(holding: Holding, fill: Fill) -> Booking:
    """First close the open contracts of the other outcome, then open the rest."""
    delta, price = fill.yes_delta, _price_paid(fill)
    closing = holding.contracts * delta < ZERO
    closed = min(abs(holding.contracts), abs(delta)) if closing else ZERO
    opened = abs(delta) - closed
    released = _released(holding, closed)
    return Booking(
        key=_key(f"fill/{fill.fill_id}/{fill.order_id}", holding),
        kind=BookingKind.FILL,
        ticker=fill.ticker,
        at=fill.timestamp,
        contracts=delta,
        basis=opened * price - released,
        realized=closed * (ONE - price) - released,
        fees=fill.fee,
        fill_id=fill.fill_id,
        order_id=fill.order_id,
        outcome=Outcome.YES if delta > ZERO else Outcome.NO,
        price=price,
        opened=opened,
        closed=closed,
    )


def _key(base: str, holding: Holding) -> str:
    """A key for booking `base`. What was taken back is booked again under another key."""
    return f"{base}{_REVISION}{holding.reversals}" if holding.reversals else base


def _fill_of(booking: Booking) -> Fill:
    """The fill of a booking, with what is needed to book it again."""
    assert booking.fill_id is not None
    assert booking.order_id is not None
    assert booking.price is not None
    bid = booking.contracts > ZERO
    return Fill(
        fill_id=booking.fill_id,
        order_id=booking.order_id,
        ticker=booking.ticker,
        book_side=BookSide.BID if bid else BookSide.ASK,
        outcome=Outcome.YES if bid else Outcome.NO,
        sold=False,
        count=abs(booking.contracts),
        yes_price=booking.price if bid else ONE - booking.price,
        no_price=ONE - booking.price if bid else booking.price,
        fee=booking.fees,
        is_taker=False,
        timestamp=booking.at,
    )


def _released(holding: Holding, closed: Decimal) -> Decimal:
    """The part of the cost basis that belongs to `closed` contracts."""
    if closed == abs(holding.contracts):
        return holding.basis  # the whole of it: no rounding may remain behind
    return (holding.basis * closed / abs(holding.contracts)).quantize(MICRO_DOLLAR)


def _settlement_booking(holding: Holding, settlement: Settlement, version: str) -> Booking:
    """The exchange's payment closes the position. Its `fee` is the sum of the fills' fees, which are booked already."""
    held = abs(holding.contracts)
    return Booking(
        key=_key(version, holding),
        kind=BookingKind.SETTLEMENT,
        ticker=settlement.ticker,
        at=settlement.settled_at.timestamp(),
        contracts=-holding.contracts,
        basis=-holding.basis,
        realized=settlement.revenue - holding.basis,
        fees=ZERO,
        outcome=holding.outcome if held else None,
        price=(settlement.revenue / held).quantize(MICRO_DOLLAR) if held else None,
        closed=held,
        event_ticker=settlement.event_ticker or None,
        result=settlement.result,
    )


def _reversal(booking: Booking) -> Booking:
    return Booking(
        key=f"{booking.key}/reversal",
        kind=BookingKind.REVERSAL,
        ticker=booking.ticker,
        at=booking.at,
        contracts=-booking.contracts,
        basis=-booking.basis,
        realized=-booking.realized,
        fees=-booking.fees,
        fill_id=booking.fill_id,
        order_id=booking.order_id,
        outcome=booking.outcome,
        price=booking.price,
        event_ticker=booking.event_ticker,
        result=booking.result,
        reverses=booking.key,
    )


def _version(settlement: Settlement) -> str:
    """Identifies a version of a settlement: the exchange may determine the same market a second time."""
    facts = (settlement.ticker, settlement.result, settlement.revenue.normalize(), settlement.settled_at.isoformat())
    return "settlement/" + "/".join(str(fact) for fact in facts)
