"""The account over time: every five minutes balance, watched markets and settlements are written to Postgres.

The balance is written last and marks the five minutes as done: a process that finds it writes nothing. Two processes at
the same moment may both write. That does no harm: every write can be repeated.

Old rows are thinned out once a day, or a small database would be full within half a year.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from coliseum.cache.cache import Cache
from coliseum.errors import ColiseumError
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger
from coliseum.portfolio.account import ExchangeAccount
from coliseum.portfolio.books import AccountBooks
from coliseum.portfolio.records import (
    KALSHI,
    has_balance_since,
    insert_balance,
    insert_market_snapshots,
    prune_history,
    recently_traded_tickers,
    upsert_settlements,
)
from coliseum.portfolio.watchlist import choose_tickers
from coliseum.store.client import Store
from coliseum.trading.markets import Market

SLOT_SECONDS = 300
_SETTLED_SECONDS = 7 * 86_400
"""How far back settlements are read again: they may be amended, and the poller may have been down."""
_TRADED_SECONDS = 3 * 86_400
"""How long a market is watched after the bot's last trade in it."""
_PAID_OUT = "finalized"
"""The status of a market that has no prices any more."""
_BOOKS_SECONDS = 1.5
"""With less time left the books wait for the next minute."""
_EXCHANGE_SECONDS = 5.0
"""How long one call to the exchange may take."""
_DAY_SECONDS = 86_400
_ROWS_PER_PRUNE = 20_000
"""More than one day's work: 50 markets leave 13,200 rows to delete. One call takes about a quarter of a second."""
_PRUNE_SECONDS = 3.0
"""With less time left no further call starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotCounts:
    """Rows written; 0 where they existed already."""

    balances: int
    markets: int
    settlements: int


class SnapshotWriter:
    """One per process. It can be called at any time and works once per slot of five minutes."""

    def __init__(self, kalshi: Kalshi, store: Store, cache: Cache) -> None:
        self._kalshi = kalshi
        self._store = store
        self._account = ExchangeAccount(kalshi, cache)
        self._last_slot: int | None = None

    def take(self, now: float, *, patience_seconds: float = _EXCHANGE_SECONDS) -> SnapshotCounts | None:
        """Write the snapshot of the slot that `now` (unix seconds) lies in; None where it exists. Raises SourceError.

        `patience_seconds` limits each call to the exchange.
        """
        slot = int(now) // SLOT_SECONDS * SLOT_SECONDS
        if slot == self._last_slot:
            return None
        counts = None
        if not has_balance_since(self._store, slot):
            counts = self._write(int(now), self._kalshi.for_seconds(patience_seconds))
        self._last_slot = slot
        return counts

    def _write(self, moment: int, kalshi: Kalshi) -> SnapshotCounts:
        # The order matters: the balance is the mark that all of it was written.
        settlements = upsert_settlements(self._store, kalshi.all_settlements(since=moment - _SETTLED_SECONDS))
        markets = insert_market_snapshots(self._store, moment, self._watched_markets(kalshi, moment))
        balances = insert_balance(self._store, moment, self._account.balance_now(kalshi), source=KALSHI)
        return SnapshotCounts(balances=balances, markets=markets, settlements=settlements)

    def _watched_markets(self, kalshi: Kalshi, moment: int) -> list[Market]:
        traded = recently_traded_tickers(self._store, moment - _TRADED_SECONDS)
        tickers = choose_tickers(kalshi.positions(), traded)
        markets = kalshi.markets(tickers=tickers, limit=len(tickers)).items if tickers else ()
        return [market for market in markets if market.status != _PAID_OUT]


class HistoryPruner:
    """One per process: the first call of a day deletes the rows that are too old, as the migrations define it."""

    def __init__(self, store: Store, *, rows_per_call: int = _ROWS_PER_PRUNE) -> None:
        self._store = store
        self._rows_per_call = rows_per_call
        self._last_day: int | None = None

    def run(self, now: float, *, time_left: Callable[[], float]) -> dict[str, int] | None:
        """Rows deleted by table; None where today's work is done. Raises SourceError.

        `now` in unix seconds, `time_left` in seconds. Work that does not fit in is left to the next call.
        """
        day = int(now) // _DAY_SECONDS
        if day == self._last_day:
            return None
        deleted: Counter[str] = Counter()
        while time_left() > _PRUNE_SECONDS:
            counts = prune_history(self._store, now, limit=self._rows_per_call)
            deleted.update(counts)
            if max(counts.values(), default=0) < self._rows_per_call:
                self._last_day = day
                break
        return dict(deleted)


class HistoryMaintenance:
    """What the poller does for the account's history at the end of its minute.

    A failure costs one point of the history, or delays the day's pruning by a minute.
    """

    def __init__(
        self, store: Store | None, exchange: Kalshi | None, cache: Cache, *, books: AccountBooks | None = None
    ) -> None:
        """Without a database nothing is done. Without the exchange's key no snapshot is taken and nothing is booked."""
        self._exchange, self._books = exchange, books
        self._snapshots = None if store is None or exchange is None else SnapshotWriter(exchange, store, cache)
        self._pruner = None if store is None else HistoryPruner(store)

    def run(self, *, time_left: Callable[[], float], clock: Callable[[], float] = time.time) -> None:
        """Take the snapshot that is due, prune, then extend the books. Never raises a ColiseumError; it logs them.

        `time_left` in seconds, `clock` in unix seconds.
        """
        try:
            if self._snapshots is not None and time_left() > 1:
                self._snapshots.take(clock(), patience_seconds=min(_EXCHANGE_SECONDS, time_left()))
        except ColiseumError as error:
            logger().warning("the account's snapshot failed", problem=str(error))
        try:
            deleted = {} if self._pruner is None else self._pruner.run(clock(), time_left=time_left) or {}
            if any(deleted.values()):
                logger().info("old rows deleted", rows_by_table=deleted)
        except ColiseumError as error:
            logger().warning("pruning the history failed", problem=str(error))
        self._extend_books(time_left)

    def _extend_books(self, time_left: Callable[[], float]) -> None:
        """Book what is new, or go on with a long load, in the time that is left."""
        if self._books is None or self._exchange is None or time_left() < _BOOKS_SECONDS:
            return
        try:
            rows = self._exchange.within(time_left).positions()
            reached = self._books.extend(
                self._exchange, time_left=time_left, live={row.ticker for row in rows if row.position}
            )
        except ColiseumError as error:
            logger().warning("the books could not be extended; the next minute goes on", problem=str(error))
            return
        if reached.progress.walk is not None:
            logger().info("books are loading", fills=reached.fills)
