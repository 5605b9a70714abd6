"""The account's books: brought up to date from the exchange, page by page, and kept where a `BooksStorage` keeps them.

A run may end anywhere, by time, by an error or by a crash: each write is one transaction, and the next run goes on
behind it, in this process or in another one. Of two runs at once one is refused at its first write and reads again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from coliseum.errors import SourceError
from coliseum.kalshi.client import Kalshi
from coliseum.kalshi.parse import SOURCE as KALSHI
from coliseum.portfolio.books_ends import EndSearch, find_endings, positions_without_fills
from coliseum.portfolio.books_progress import (
    BooksProgress,
    Stage,
    Walk,
    finished,
    latest,
    next_walk,
    settlements_since,
    with_conflicts,
)
from coliseum.portfolio.books_storage import (
    BooksEntry,
    BooksMoved,
    BooksSnapshot,
    BooksStorage,
    EndSource,
    KeptSettlement,
)
from coliseum.portfolio.ledger import Ledger, fill_conflict
from coliseum.portfolio.reconciliation import compare_settlement
from coliseum.trading.markets import Settlement
from coliseum.trading.pages import Page
from coliseum.trading.trades import Fill

PAGE = 1000
"""Rows of one page, and bookings of one transaction."""
PAGE_SECONDS = 0.75
"""With less time left no page is begun."""
_OLD_SECONDS = 7 * 86_400
"""Fills since then are in the live tier: the archive begins two months back."""
_ARCHIVE_SECONDS = 120
"""A position that is not listed so long after its last fill is no delay of the exchange's lists any more."""
_ENDS_AGAIN_SECONDS = 600
"""How soon unknown ends are looked for again."""
KeptRecords = Callable[[Collection[str]], Iterable[Settlement]]
"""Settlement records stored earlier, by ticker."""


def _no_records(tickers: Collection[str]) -> Iterable[Settlement]:
    del tickers
    return ()


class AccountBooks:
    """The books of one account."""

    def __init__(
        self,
        storage: BooksStorage,
        *,
        since: int | None = None,
        kept_records: KeptRecords = _no_records,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`since` (unix seconds) leaves earlier fills out of the books; None is the whole history."""
        self.storage = storage
        self._since = since
        self._kept_records = kept_records
        self._clock = clock

    def extend(
        self,
        kalshi: Kalshi,
        *,
        time_left: Callable[[], float],
        live: Collection[str],
        loading_time_left: Callable[[], float] | None = None,
    ) -> BooksSnapshot:
        """Go on until the books are up to date or the time is over; returns where they stand.

        `progress.walk` of the answer is None where they are up to date. `live` are the tickers of the exchange's
        unsettled positions. Where more than the newest page is missing, the call takes `loading_time_left`.
        Raises SourceError where the exchange or the storage fails; what was read before it is kept.
        """
        try:
            book = self.storage.read()
            if not book.progress.complete or book.progress.walk is not None:
                time_left = loading_time_left or time_left
            return BooksRun(
                storage=self.storage,
                kalshi=kalshi.within(time_left),
                time_left=time_left,
                live=frozenset(live),
                since=self._since,
                kept_records=self._kept_records,
                now=self._clock(),
                book=book,
            ).to_the_end()
        except BooksMoved:
            return self.storage.read()  # another process works on them at this moment

    def rebuild(self) -> None:
        """Forget all bookings; the following calls of `extend` load the whole history again."""
        self.storage.reset()


@dataclass(slots=True, kw_only=True)
class BooksRun:
    """One run over the books, with what it has read but not yet written."""

    storage: BooksStorage
    kalshi: Kalshi
    time_left: Callable[[], float]
    live: frozenset[str]
    since: int | None
    kept_records: KeptRecords
    now: float
    book: BooksSnapshot
    fresh: list[Fill] | None = None
    """The fills of a pass that needed one page. They are booked without being staged first."""
    written: bool = False
    """Whether `book` has the version and progress of this run's last write, and the rest from before it."""

    def to_the_end(self) -> BooksSnapshot:
        """Take one step after another while there is time."""
        resumed = self.book.progress.walk is not None
        walk: Walk | None = next_walk(self.book.progress, since=self.since)
        while walk is not None and self.time_left() >= PAGE_SECONDS:
            try:
                walk = self._step(walk)
            except SourceError as error:
                if error.source != KALSHI or self.time_left() >= PAGE_SECONDS:
                    raise
                break  # the time was over before the page came: a later run reads it
            if walk is None and resumed:  # an older pass ended: one more finds what is new since then
                resumed = False
                walk = next_walk(self.book.progress, since=self.since)
        reached = self._current()
        return reached if walk is None else replace(reached, progress=replace(reached.progress, walk=walk))

    def _current(self) -> BooksSnapshot:
        """The books as they are after this run's writes."""
        if self.written:
            self.book, self.written = self.storage.read(), False
        return self.book

    def _step(self, walk: Walk) -> Walk | None:
        match walk.stage:
            case Stage.LIVE | Stage.HISTORICAL:
                return self._read_fills(walk)
            case Stage.BOOKING:
                return self._book_fills(walk)
            case Stage.SETTLEMENTS:
                return self._book_settlements(walk)
            case Stage.ENDS:
                return self._book_ends(walk)

    # Fills

    def _read_fills(self, walk: Walk) -> Walk:
        read = self.kalshi.fills if walk.stage is Stage.LIVE else self.kalshi.historical_fills
        page = read(since=walk.since, until=walk.until, limit=PAGE, cursor=walk.cursor)
        walk = replace(walk, newest=latest([walk.newest, *(fill.timestamp for fill in page.items)]))
        following = self._after_page(walk, page)
        whole = walk.stage is Stage.LIVE and walk.until is None and following.stage is Stage.BOOKING
        if whole and self.book.progress.walk is None:
            self.fresh = list(page.items)
        else:
            fills, conflicts = _distinct(page.items)
            progress = with_conflicts(replace(self.book.progress, walk=following), conflicts)
            self._write(BooksEntry(progress=progress, staged=fills))
        return following

    def _after_page(self, walk: Walk, page: Page[Fill]) -> Walk:
        if page.cursor is not None:
            oldest = min((fill.timestamp for fill in page.items), default=None)
            return walk.behind(oldest=oldest, cursor=page.cursor)
        if walk.stage is Stage.LIVE and self._needs_archive(walk):
            return walk.at_stage(Stage.HISTORICAL)
        return walk.at_stage(Stage.BOOKING)

    def _needs_archive(self, walk: Walk) -> bool:
        if walk.since is not None and walk.since > self.now - _OLD_SECONDS:
            return False
        cutoff = self.kalshi.historical_cutoff().trades_created.timestamp()
        return walk.since is None or walk.since <= cutoff

    def _book_fills(self, walk: Walk) -> Walk:
        """Book the oldest fills that wait; the stage ends when none waits."""
        fills = self.storage.staged(PAGE) if self.fresh is None else self.fresh
        following = walk if fills and self.fresh is None else walk.at_stage(Stage.SETTLEMENTS)
        if fills:
            ledger = self._ledger(fills)
            ledger.book_fills(fills)
            unsettled = {booking.ticker for booking in ledger.bookings if booking.reverses is not None}
            records = [kept for kept in self.storage.settlements(tickers=unsettled) if kept.source == "exchange"]
            ledger.book_settlements(kept.settlement for kept in records)
            progress = with_conflicts(self.book.progress, tuple(map(str, ledger.conflicts)))
            done = fills if self.fresh is None else []
            if ledger.bookings or done or progress != self.book.progress:
                self._write(
                    BooksEntry(
                        progress=replace(progress, walk=self._stored(following)),
                        bookings=ledger.bookings,
                        done=done,
                        settlements=[_kept(kept.settlement, kept.source, ledger) for kept in records],
                    )
                )
        self.fresh = None if following.stage is not Stage.BOOKING else self.fresh
        return following

    def _stored(self, walk: Walk) -> Walk | None:
        """A pass that needed no staging is not continued by another run: that one reads its page again."""
        return None if self.fresh is not None else walk

    def _ledger(self, fills: Collection[Fill]) -> Ledger:
        """The ledger of these fills' markets, with the stored bookings of the time that the fills fall into."""
        holdings = self.storage.holdings({fill.ticker for fill in fills})
        settled = {holding.ticker for holding in holdings if holding.settled}
        first = min(fill.timestamp for fill in fills)
        known = [holding.last_fill_at for holding in holdings if holding.last_fill_at is not None]
        if not settled and all(moment < first for moment in known):
            return Ledger(holdings)  # all of them are newer than what is booked
        bookings = self.storage.bookings(since=first, settled=())
        booked = {(booking.fill_id, booking.order_id) for booking in bookings}
        # A new fill of a settled market takes its settlement back, which may be older than the fills of this page.
        late = settled & {fill.ticker for fill in fills if fill.key not in booked}
        return Ledger(holdings, self.storage.bookings(since=first, settled=late) if late else bookings)

    # Settlements

    def _book_settlements(self, walk: Walk) -> Walk:
        since = settlements_since(self.book.progress)
        page = self.kalshi.settlements(since=since, until=walk.until, limit=PAGE, cursor=walk.cursor)
        rows = _newest_versions(page.items)
        moments = (row.settled_at.timestamp() for row in rows)
        walk = replace(walk, settled_newest=latest([walk.settled_newest, *moments]))
        new = self._new_settlements(rows)
        ledger = self._ledger_of_markets({row.ticker for row in new})
        ledger.book_settlements(new)
        following = walk.at_stage(Stage.ENDS)
        if page.cursor is not None:
            oldest = min((row.settled_at.timestamp() for row in page.items), default=None)
            following = walk.behind(oldest=oldest, cursor=page.cursor)
        if new or page.cursor is not None:
            progress = replace(self.book.progress, walk=following)
            kept = [_kept(row, "exchange", ledger) for row in new]
            self._write(BooksEntry(progress=progress, bookings=ledger.bookings, settlements=kept))
        return following

    def _new_settlements(self, rows: Collection[Settlement]) -> list[Settlement]:
        """Records that are not booked, in this version or a later one."""
        if not rows:
            return []
        oldest = min(row.settled_at.timestamp() for row in rows)
        stored = {kept.settlement.ticker: kept for kept in self.storage.settlements(since=oldest)}
        unknown = {row.ticker for row in rows} - set(stored)
        stored |= {kept.settlement.ticker: kept for kept in self.storage.settlements(tickers=unknown)}
        return [row for row in rows if _is_new(row, stored.get(row.ticker))]

    def _ledger_of_markets(self, tickers: Collection[str]) -> Ledger:
        holdings = self.storage.holdings(tickers)
        settled = {holding.ticker for holding in holdings if holding.settled}
        # No fill is booked with this ledger, so it needs the bookings of settled markets only.
        return Ledger(holdings, self.storage.bookings(since=None, settled=settled) if settled else [])

    # Ends that the live tier does not list any more

    def _book_ends(self, walk: Walk) -> Walk | None:
        snapshot = self._current()
        progress = snapshot.progress
        missing = {
            holding.ticker: holding
            for holding in snapshot.open
            if holding.ticker not in self.live and (holding.last_fill_at or 0.0) < self.now - _ARCHIVE_SECONDS
        }
        asked = missing.keys() - progress.archive_doubts.keys()
        recently = self.now - progress.ends_checked_at < _ENDS_AGAIN_SECONDS
        if asked and not (recently and asked <= progress.unknown_ends.keys()):
            search = find_endings(missing, self._records(asked), self.kalshi)
            self._write_endings(search, replace(progress, unknown_ends=search.unknown, ends_checked_at=self.now))
        elif not asked and progress.unknown_ends:
            self._write(BooksEntry(progress=replace(progress, unknown_ends={})))
        if not progress.complete and self.since is None:
            search = positions_without_fills(self.kalshi, self.storage.known_tickers())
            self._write_endings(search, replace(self.book.progress, archive_doubts=search.unknown))
        done = finished(self.book.progress, walk)
        if done != self.book.progress:
            self._write(BooksEntry(progress=done))
        return None

    def _records(self, tickers: Collection[str]) -> list[Settlement]:
        """Settlement records of these markets that were stored earlier, by these books or before there were any."""
        known = [kept for kept in self.storage.settlements(tickers=tickers) if kept.source in {"exchange", "kept"}]
        records = [kept.settlement for kept in known]
        unknown = set(tickers) - {row.ticker for row in records}
        return records + list(self.kept_records(unknown) if unknown else ())

    def _write_endings(self, search: EndSearch, progress: BooksProgress) -> None:
        ledger = self._ledger_of_markets({ending.settlement.ticker for ending in search.endings})
        for ending in search.endings:
            ledger.book_settlements([ending.settlement], unbooked_fees=ending.unbooked_fees)
        kept = [_kept(ending.settlement, ending.source, ledger) for ending in search.endings]
        self._write(BooksEntry(progress=progress, bookings=ledger.bookings, settlements=kept))

    def _write(self, entry: BooksEntry) -> None:
        version, conflicts = self.storage.append(self.book.version, entry)
        progress = with_conflicts(entry.progress, conflicts)
        self.book = replace(self.book, version=version, progress=progress)
        self.written = True
        if progress != entry.progress:
            self._write(BooksEntry(progress=progress))


def _newest_versions(rows: Iterable[Settlement]) -> list[Settlement]:
    """The first of each market: the list begins with the newest."""
    newest: dict[str, Settlement] = {}
    for row in rows:
        newest.setdefault(row.ticker, row)
    return list(newest.values())


def _is_new(row: Settlement, stored: KeptSettlement | None) -> bool:
    if stored is None or stored.held is None:
        return True
    if stored.source != "exchange":
        return True  # the exchange's own record counts more than what we made of other sources
    return row.settled_at >= stored.settlement.settled_at and row != stored.settlement


def _kept(settlement: Settlement, source: EndSource, ledger: Ledger) -> KeptSettlement:
    held = ledger.settled[settlement.ticker]
    # What we made of a market's result or of a position has our own counts: there is nothing to compare.
    agrees = source in {"market", "position"} or not compare_settlement(settlement, held)
    return KeptSettlement(settlement=settlement, source=source, held=held, agrees=agrees)


def _distinct(fills: Iterable[Fill]) -> tuple[list[Fill], tuple[str, ...]]:
    """Each fill once, and what two reports of one fill in the same page say differently."""
    distinct: dict[tuple[str, str], Fill] = {}
    conflicts: list[str] = []
    for fill in fills:
        conflict = fill_conflict(distinct.setdefault(fill.key, fill), fill)
        if conflict is not None:
            conflicts.append(str(conflict))
    return list(distinct.values()), tuple(conflicts)
