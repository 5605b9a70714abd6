"""The account over time: every five minutes balance, watched markets and settlements into Postgres.

The balance is written last, and who finds one in the current five minutes writes nothing. Two processes at the same
moment may both write: every write may be repeated, and two points of a curve close together do no harm.

What is kept is thinned once a day, or a small database would be full within half a year.
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
"""How far back settlements are looked for: they may be amended, and we may have been away."""
_TRADED_SECONDS = 3 * 86_400
"""How long a market is watched after the bot's last trade in it."""
_OVER = "finalized"
"""A market that is paid out has no prices any more."""
_PATIENCE_SECONDS = 5.0
_DAY_SECONDS = 86_400
_PRUNED_PER_CALL = 20_000
"""A day's worth: 50 markets leave 13,200 rows to delete. One call takes about a quarter of a second."""
_PRUNE_SECONDS = 3.0
"""With less time left no call is begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotCounts:
    """Rows written; 0 where they were there already."""

    balances: int
    markets: int
    settlements: int


class SnapshotWriter:
    """One per process, called as often as one likes."""

    def __init__(self, kalshi: Kalshi, store: Store, cache: Cache) -> None:
        self._kalshi = kalshi
        self._store = store
        self._account = ExchangeAccount(kalshi, cache)
        self._last_slot: int | None = None

    def take(self, now: float, *, patience_seconds: float = _PATIENCE_SECONDS) -> SnapshotCounts | None:
        """Keep how things stand, once per slot; None where that was done. `now` in unix seconds."""
        slot = int(now) // SLOT_SECONDS * SLOT_SECONDS
        if slot == self._last_slot:
            return None
        kept = (
            None
            if has_balance_since(self._store, slot)
            else self._keep(int(now), self._kalshi.for_seconds(patience_seconds))
        )
        self._last_slot = slot
        return kept

    def _keep(self, moment: int, kalshi: Kalshi) -> SnapshotCounts:
        return SnapshotCounts(
            settlements=upsert_settlements(self._store, kalshi.all_settlements(since=moment - _SETTLED_SECONDS)),
            markets=insert_market_snapshots(self._store, moment, self._watched(kalshi, moment)),
            balances=insert_balance(self._store, moment, self._account.balance_now(kalshi), source=KALSHI),
        )

    def _watched(self, kalshi: Kalshi, moment: int) -> list[Market]:
        tickers = choose_tickers(kalshi.positions(), recently_traded_tickers(self._store, moment - _TRADED_SECONDS))
        markets = kalshi.markets(tickers=tickers, limit=len(tickers)).items if tickers else ()
        return [market for market in markets if market.status != _OVER]


class HistoryPruner:
    """One per process: the first call of a day deletes what has grown too old, as the migrations define it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last_day: int | None = None

    def run(self, now: float, *, time_left: Callable[[], float]) -> dict[str, int] | None:
        """Rows deleted by table; None where today's work is done. What time does not allow is left to the next call."""
        day = int(now) // _DAY_SECONDS
        if day == self._last_day:
            return None
        deleted: Counter[str] = Counter()
        while time_left() > _PRUNE_SECONDS:
            counts = prune_history(self._store, now, limit=_PRUNED_PER_CALL)
            deleted.update(counts)
            if max(counts.values(), default=0) < _PRUNED_PER_CALL:
                self._last_day = day
                break
        return dict(deleted)


class HistoryMaintenance:
    """What the poller does for the account's history behind a minute. A failure costs one point of a curve, or a day's
    thinning waits for the next minute."""

    def __init__(self, store: Store | None, exchange: Kalshi | None, cache: Cache) -> None:
        """Nothing is kept without a database, and nothing of the account without the exchange's key."""
        self._snapshots = None if store is None or exchange is None else SnapshotWriter(exchange, store, cache)
        self._retention = None if store is None else HistoryPruner(store)

    def keep(self, *, time_left: Callable[[], float], clock: Callable[[], float] = time.time) -> None:
        """Take the snapshot that is due, then thin. Never raises for a source that fails."""
        try:
            if self._snapshots is not None and time_left() > 1:
                self._snapshots.take(clock(), patience_seconds=min(_PATIENCE_SECONDS, time_left()))
        except ColiseumError as error:
            logger().warning("no snapshot of the account", problem=str(error))
        try:
            deleted = {} if self._retention is None else self._retention.run(clock(), time_left=time_left) or {}
            if any(deleted.values()):
                logger().info("history thinned", extra=deleted)
        except ColiseumError as error:
            logger().warning("the history was not thinned", problem=str(error))
