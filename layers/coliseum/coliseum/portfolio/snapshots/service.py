"""The account over time: every five minutes balance, markets held and settlements into Postgres.

Every write may be repeated, by any process: a slot of five minutes is a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.records import KALSHI, keep_balance, keep_markets, keep_settlements
from coliseum.store.client import Store
from coliseum.trading.markets import Market

SLOT_SECONDS = 300
_SETTLED_SECONDS = 7 * 86_400
"""How far back settlements are looked for: they may be amended, and we may have been away."""
_TICKERS_PER_CALL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Rows written; 0 where they were there already."""

    balances: int
    markets: int
    settlements: int


class Snapshots:
    """One per process, called as often as one likes."""

    def __init__(self, kalshi: Kalshi, store: Store) -> None:
        self._kalshi = kalshi
        self._store = store
        self._last_slot: int | None = None

    def take(self, now: float, *, patience_seconds: float = 5.0) -> Kept | None:
        """Keep how things stand, once per slot; None where this slot was done. `now` in unix seconds."""
        slot = int(now) // SLOT_SECONDS * SLOT_SECONDS
        if slot == self._last_slot:
            return None
        kalshi = self._kalshi.for_seconds(patience_seconds)
        kept = Kept(
            balances=keep_balance(self._store, slot, kalshi.balance(), source=KALSHI),
            markets=keep_markets(self._store, slot, _held(kalshi)),
            settlements=self._settlements(kalshi, slot),
        )
        self._last_slot = slot
        return kept

    def _settlements(self, kalshi: Kalshi, slot: int) -> int:
        page = kalshi.settlements(since=slot - _SETTLED_SECONDS, limit=1000)
        return keep_settlements(self._store, page.items)


def _held(kalshi: Kalshi) -> list[Market]:
    tickers = [row.ticker for row in kalshi.positions() if row.position]
    found: list[Market] = []
    for start in range(0, len(tickers), _TICKERS_PER_CALL):
        some: Sequence[str] = tickers[start : start + _TICKERS_PER_CALL]
        found += kalshi.markets(tickers=some, limit=len(some)).items
    return found
