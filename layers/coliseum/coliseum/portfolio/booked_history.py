"""What is booked of an account's history, for profits and lots, and what is not known of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from coliseum.errors import SourceError
from coliseum.portfolio.books_progress import BooksProgress
from coliseum.portfolio.books_storage import BooksStorage, unexplained_ends
from coliseum.portfolio.ledger import Booking, BookingKind
from coliseum.portfolio.pnl import NamedGains
from coliseum.portfolio.pnl_rows import Doubts


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedHistory:
    """The kept books, read page by page: a long history is never in memory as a whole."""

    storage: BooksStorage
    progress: BooksProgress
    failures: tuple[SourceError, ...] = ()
    """Why the books may lack the newest fills."""

    def bookings(
        self, *, since: float | None = None, until: float | None = None, ticker: str | None = None
    ) -> Iterator[Booking]:
        """All bookings of this time and market in their order, reversals among them. Times are unix seconds."""
        return self.storage.all_bookings(since=since, until=until, ticker=ticker)

    def gains(
        self, *, zone: ZoneInfo | None, since: float | None, until: float | None, ticker: str | None
    ) -> list[NamedGains]:
        """Sums by market, or by day in `zone`. They come in one answer, however long the history is."""
        return self.storage.gains(zone=zone, since=since, until=until, ticker=ticker)

    def standing(self, *, ticker: str | None = None) -> Iterator[Booking]:
        """The executions of all time in the order of the ledger: no reversal, and nothing that one took back."""
        taken_back = self.storage.reversed_keys(ticker)
        for booking in self.storage.all_bookings(ticker=ticker):
            if booking.kind is not BookingKind.REVERSAL and booking.key not in taken_back:
                yield booking

    def doubts(self, ticker: str | None = None) -> Doubts:
        """What is not known, of all markets or of one. Raises SourceError where the storage does not answer."""
        unexplained = unexplained_ends(self.storage.disagreeing())
        by_ticker = {**unexplained, **self.progress.unknown_ends, **self.progress.archive_doubts}
        if ticker is not None:
            by_ticker = {name: reason for name, reason in by_ticker.items() if name == ticker}
        return Doubts(by_ticker=by_ticker, general=self.progress.conflicts)
