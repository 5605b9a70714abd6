"""Where the books are kept: the interface, and books that live as long as their process."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from coliseum.portfolio.books_progress import BooksProgress
from coliseum.portfolio.ledger import (
    Booking,
    BookingKind,
    Holding,
    LedgerTotals,
    add_booking,
    execution_order,
    fill_conflict,
    sum_holdings,
)
from coliseum.portfolio.pnl import NamedGains, by_day, by_market, named_gains
from coliseum.trading.markets import Settlement
from coliseum.trading.money import decimal_text
from coliseum.trading.trades import Fill

EndSource = Literal["exchange", "kept", "market", "position"]


class BooksMoved(Exception):
    """Another writer was faster: read the books again and go on from there. Nothing was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSettlement:
    """How a market ended, and what our ledger held then."""

    settlement: Settlement
    source: EndSource
    """Its settlement record, a record stored earlier, the archived market's result, or the archived position."""
    held: Decimal | None
    """Signed contracts; None before it is booked."""
    agrees: bool
    """Whether our count and the exchange's payment agree with the record."""


def unexplained_ends(settlements: Iterable[KeptSettlement]) -> dict[str, str]:
    """Markets that were settled with other contracts than the known fills leave, each with what is not known then.

    Such fills are late or listed nowhere, so nobody knows what the contracts cost: the market's profit would be wrong.
    """
    return {
        kept.settlement.ticker: f"{kept.settlement.ticker}: it was settled with {decimal_text(kept.settlement.held)} "
        f"contracts, and its fills leave {decimal_text(kept.held)}; what the difference cost is unknown"
        for kept in settlements
        if kept.held is not None and kept.held != kept.settlement.held
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksSnapshot:
    """What a process needs to go on, small however long the history is."""

    version: int = 0
    progress: BooksProgress
    fills: int = 0
    """Fills that are known, booked or not."""
    oldest: float | None = None
    """Unix seconds of the oldest known fill."""
    newest: float | None = None
    totals: LedgerTotals
    open: tuple[Holding, ...] = ()
    """Markets with contracts in our ledger, by ticker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksEntry:
    """One write: everything in it or nothing."""

    progress: BooksProgress
    staged: Sequence[Fill] = ()
    """Fills that were read and cannot be booked yet."""
    bookings: Sequence[Booking] = ()
    done: Sequence[Fill] = ()
    """Staged fills that need not wait any longer."""
    settlements: Sequence[KeptSettlement] = ()
    """What the bookings among these settled."""


class BooksStorage(Protocol):
    """Books of one account. Every method raises SourceError where the storage does not answer."""

    def read(self) -> BooksSnapshot: ...

    def holdings(self, tickers: Collection[str]) -> list[Holding]:
        """Of these markets, those that have bookings."""

    def known_tickers(self) -> set[str]:
        """All markets that have bookings."""

    def bookings(self, *, since: float | None, settled: Collection[str]) -> list[Booking]:
        """Bookings at `since` (unix seconds) or later, and all of the markets `settled`, in their order."""

    def all_bookings(
        self, *, since: float | None = None, until: float | None = None, ticker: str | None = None
    ) -> Iterator[Booking]:
        """All bookings in their order, of `since` (unix seconds) or later, before `until`, of one market.

        Holdings before `since` are not in them: for profits and lots over a time, read from the beginning.
        """

    def gains(
        self, *, zone: ZoneInfo | None, since: float | None, until: float | None, ticker: str | None
    ) -> list[NamedGains]:
        """Sums over the bookings of a span, by market, or by day in `zone`. Times are unix seconds."""

    def reversed_keys(self, ticker: str | None = None) -> set[str]:
        """The keys of the bookings that a reversal took back, of one market or of all."""

    def settlements(self, *, since: float | None = None, tickers: Collection[str] = ()) -> list[KeptSettlement]:
        """Those of `since` (unix seconds) or later, and those of `tickers`."""

    def disagreeing(self) -> list[KeptSettlement]:
        """Booked settlements that do not agree with our ledger."""

    def staged(self, limit: int) -> list[Fill]:
        """The oldest staged fills in the order of their execution."""

    def append(self, version: int, entry: BooksEntry) -> tuple[int, tuple[str, ...]]:
        """The new version, and conflicts as sentences. Raises BooksMoved where the books stand at another version."""

    def reset(self) -> None:
        """Begin again with what is known: fills are staged, ends of markets stay."""


class BooksInMemory:
    """Books of this process, for installations without Postgres."""

    def __init__(self) -> None:
        self._version = 0
        self._progress = BooksProgress()
        self._holdings: dict[str, Holding] = {}
        self._bookings: list[Booking] = []
        self._keys: set[str] = set()
        self._fills: dict[tuple[str, str], Fill] = {}
        self._newest_first: list[Fill] | None = None
        """The staged fills, sorted once for many reads; None after new ones were staged."""
        self._settlements: dict[str, KeptSettlement] = {}
        self._booked = 0
        self._oldest: float | None = None

    def read(self) -> BooksSnapshot:
        known = [holding.last_fill_at for holding in self._holdings.values() if holding.last_fill_at is not None]
        waiting = [fill.timestamp for fill in self._fills.values()]
        return BooksSnapshot(
            version=self._version,
            progress=self._progress,
            fills=len(self._fills) + self._booked,
            oldest=min([*waiting, *([] if self._oldest is None else [self._oldest])], default=None),
            newest=max([*waiting, *known], default=None),
            totals=sum_holdings(self._holdings.values()),
            open=tuple(self._holdings[name] for name in sorted(self._holdings) if self._holdings[name].contracts),
        )

    def holdings(self, tickers: Collection[str]) -> list[Holding]:
        return [self._holdings[ticker] for ticker in sorted(tickers) if ticker in self._holdings]

    def known_tickers(self) -> set[str]:
        return set(self._holdings)

    def bookings(self, *, since: float | None, settled: Collection[str]) -> list[Booking]:
        start = math.inf if since is None else since
        return [booking for booking in self._bookings if booking.at >= start or booking.ticker in settled]

    def all_bookings(
        self, *, since: float | None = None, until: float | None = None, ticker: str | None = None
    ) -> Iterator[Booking]:
        for booking in tuple(self._bookings):
            late = until is not None and booking.at >= until
            early = since is not None and booking.at < since
            if not late and not early and ticker in {None, booking.ticker}:
                yield booking

    def gains(
        self, *, zone: ZoneInfo | None, since: float | None, until: float | None, ticker: str | None
    ) -> list[NamedGains]:
        bookings = self.all_bookings(since=since, until=until, ticker=ticker)
        return named_gains(bookings, by_market if zone is None else by_day(zone))

    def reversed_keys(self, ticker: str | None = None) -> set[str]:
        of_market = (booking for booking in self._bookings if ticker in {None, booking.ticker})
        return {booking.reverses for booking in of_market if booking.reverses is not None}

    def settlements(self, *, since: float | None = None, tickers: Collection[str] = ()) -> list[KeptSettlement]:
        return [
            kept
            for ticker, kept in sorted(self._settlements.items())
            if ticker in tickers or (since is not None and kept.settlement.settled_at.timestamp() >= since)
        ]

    def disagreeing(self) -> list[KeptSettlement]:
        return [kept for _, kept in sorted(self._settlements.items()) if not kept.agrees]

    def staged(self, limit: int) -> list[Fill]:
        if self._newest_first is None:
            self._newest_first = sorted(self._fills.values(), key=execution_order, reverse=True)
        waiting = self._newest_first
        while waiting and waiting[-1].key not in self._fills:
            waiting.pop()  # it was booked meanwhile: the oldest are booked first
        return [fill for fill in waiting[-limit:][::-1] if fill.key in self._fills]

    def append(self, version: int, entry: BooksEntry) -> tuple[int, tuple[str, ...]]:
        if version != self._version:
            raise BooksMoved
        conflicts = tuple(
            str(conflict)
            for fill in entry.staged
            if fill.key in self._fills
            for conflict in [fill_conflict(self._fills[fill.key], fill)]
            if conflict is not None
        )
        for fill in entry.staged:
            self._fills.setdefault(fill.key, fill)
            self._newest_first = None
        for booking in entry.bookings:
            self._add(booking)
        for fill in entry.done:
            self._fills.pop(fill.key, None)
        self._settlements |= {kept.settlement.ticker: kept for kept in entry.settlements}
        self._progress, self._version = entry.progress, version + 1
        return self._version, conflicts

    def reset(self) -> None:
        # The exchange's own content of a fill counts, so nothing is staged: the whole history is read again.
        self._settlements = {
            ticker: replace(kept, held=None, agrees=True) for ticker, kept in self._settlements.items()
        }
        self._holdings, self._bookings, self._keys, self._fills = {}, [], set(), {}
        self._newest_first = None
        self._progress, self._version, self._booked, self._oldest = BooksProgress(), self._version + 1, 0, None

    def _add(self, booking: Booking) -> None:
        if booking.key in self._keys:
            return
        self._keys.add(booking.key)
        self._bookings.append(booking)
        holding = self._holdings.get(booking.ticker) or Holding(ticker=booking.ticker)
        self._holdings[booking.ticker] = add_booking(holding, booking)
        if booking.kind is BookingKind.FILL:
            self._booked += 1
            self._oldest = booking.at if self._oldest is None else min(self._oldest, booking.at)
        elif booking.fill_id is not None:
            self._booked -= 1
