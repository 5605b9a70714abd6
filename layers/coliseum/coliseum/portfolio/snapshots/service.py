"""The account over time: every five minutes balance, markets held and settlements into Postgres.

The balance is written last, and who finds one in the current five minutes writes nothing. Two processes at the same
moment may both write: every write may be repeated, and two points of a curve close together do no harm.

What is kept is thinned once a day, or a small database would be full within half a year.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coliseum.cache.service import Cache
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.account.service import Account
from coliseum.portfolio.records import (
    KALSHI,
    keep_balance,
    keep_markets,
    keep_settlements,
    kept_since,
    prune_history,
)
from coliseum.store.client import Store
from coliseum.trading.markets import Balance, Market

SLOT_SECONDS = 300
_SETTLED_SECONDS = 7 * 86_400
"""How far back settlements are looked for: they may be amended, and we may have been away."""
_TICKERS_PER_CALL = 100
_DAY_SECONDS = 86_400
_PRUNED_PER_CALL = 20_000
"""A day's worth: 50 markets leave 13,200 rows to delete. One call takes about a quarter of a second."""
_PRUNE_SECONDS = 3.0
"""With less time left no call is begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Rows written; 0 where they were there already."""

    balances: int
    markets: int
    settlements: int


class Snapshots:
    """One per process, called as often as one likes."""

    def __init__(self, kalshi: Kalshi, store: Store, cache: Cache) -> None:
        self._kalshi = kalshi
        self._store = store
        self._account = Account(kalshi, cache)
        self._last_slot: int | None = None

    def take(self, now: float, *, patience_seconds: float = 5.0) -> Kept | None:
        """Keep how things stand, once per slot; None where that was done. `now` in unix seconds."""
        slot = int(now) // SLOT_SECONDS * SLOT_SECONDS
        if slot == self._last_slot:
            return None
        kept = (
            None if kept_since(self._store, slot) else self._keep(int(now), self._kalshi.for_seconds(patience_seconds))
        )
        self._last_slot = slot
        return kept

    def _keep(self, moment: int, kalshi: Kalshi) -> Kept:
        return Kept(
            settlements=self._settlements(kalshi, moment),
            markets=keep_markets(self._store, moment, _held(kalshi)),
            balances=keep_balance(self._store, moment, self._balance(), source=KALSHI),
        )

    def _balance(self) -> Balance:
        """Through the cache, since all functions share one call a second. A stale one makes no point of a curve."""
        served = self._account.balance()
        if served.error is not None:
            raise served.error
        return served.value

    def _settlements(self, kalshi: Kalshi, moment: int) -> int:
        return keep_settlements(self._store, kalshi.all_settlements(since=moment - _SETTLED_SECONDS))


def _held(kalshi: Kalshi) -> list[Market]:
    tickers = [row.ticker for row in kalshi.positions() if row.position]
    found: list[Market] = []
    for start in range(0, len(tickers), _TICKERS_PER_CALL):
        some: Sequence[str] = tickers[start : start + _TICKERS_PER_CALL]
        found += kalshi.markets(tickers=some, limit=len(some)).items
    return found


class Retention:
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
