"""Looks for a fill of each trade that the bot lists: once a minute, not in each tick."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from coliseum.polling.backfill import ID_MATCH_WINDOW_MS, earlier_since, recent_since
from coliseum.polling.fill_lookup import FillLookup
from coliseum.trading.bot_check import SETTLING_SECONDS, confirmed_ids
from coliseum.trading.trades import Trade

SETTLING_MS = int(SETTLING_SECONDS * 1000)
OVERDUE_INTERVAL_MS = 600_000
"""Between two requests for trades that have long been without a fill: those requests reach far back."""
OVERDUE_AFTER_MS = 900_000
"""A trade without a fill is looked for each minute until this long after it was first listed."""
REMEMBERED_MS = ID_MATCH_WINDOW_MS
"""How long a trade without a fill is counted."""
PENDING_MAX = 1_000
"""Trades without a fill that are remembered, the newest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillCheckResult:
    """What one request for the account's fills showed."""

    unconfirmed: int | None
    """Trades of the last day without a fill, older than the exchange's delay; None for a bot that is not live."""
    newest_fill_ms: int | None
    """When the account was filled last, as far as this answer reaches."""


@dataclass(frozen=True, slots=True)
class _Pending:
    trade: Trade
    seen_ms: int
    """Our time when it was first listed. The bot's own time proves nothing."""
    since: int
    """The unix second from which fills are requested for it."""


class FillCheck:
    """The listed trades for which no fill has been seen yet. Invariant: a trade is noted once, and leaves for good."""

    def __init__(self, fills: FillLookup, *, watches_paper: bool) -> None:
        """`watches_paper`: fills of a bot that says `paper` would be real money, so they are looked for."""
        self._fills = fills
        self._watches_paper = watches_paper
        self._noted: dict[str, None] = {}
        self._pending: dict[str, _Pending] = {}
        self._checked_ms = self._overdue_checked_ms = 0

    def note(self, listed: Iterable[Trade], *, now_ms: int, is_first: bool) -> None:
        """The bot listed these trades. `is_first`: nothing was known of the bot, so they may be a day old."""
        if not self._fills.available:
            return
        since = earlier_since(now_ms) if is_first or not self._noted else recent_since(now_ms)
        current = {trade.trade_id: trade for trade in listed}
        for trade_id in current.keys() - self._noted.keys():
            self._pending[trade_id] = _Pending(current[trade_id], now_ms, since)
        # What left the list is forgotten here, so that an id that is used again counts again.
        self._noted = dict.fromkeys(current)
        for trade_id in list(self._pending)[:-PENDING_MAX]:
            del self._pending[trade_id]

    def run(self, *, mode: str | None, now_ms: int, tick: int) -> FillCheckResult | None:
        """Compare with the account's fills; None where nothing has to be asked, or the exchange does not answer."""
        if not self._fills.available or mode not in {"live", "paper"}:
            return None
        self._pending = {key: row for key, row in self._pending.items() if now_ms - row.seen_ms < REMEMBERED_MS}
        if mode == "live":
            since = self._since(now_ms)
        else:
            since = recent_since(self._checked_ms or now_ms) if self._watches_paper else None
        if since is None:
            return self._result(mode, now_ms, None)
        fills = self._fills.fills(since, tick=tick, urgent=True)
        if fills is None:
            return None
        self._checked_ms = now_ms
        if mode == "live":
            for trade_id in confirmed_ids((row.trade for row in self._pending.values()), fills):
                del self._pending[trade_id]
        newest = max((int(fill.timestamp * 1000) for fill in fills), default=None)
        return self._result(mode, now_ms, newest)

    def _since(self, now_ms: int) -> int | None:
        """The unix second from which fills are needed now; None where none are."""
        due = [row.since for row in self._pending.values() if now_ms - row.seen_ms < OVERDUE_AFTER_MS]
        if now_ms - self._overdue_checked_ms >= OVERDUE_INTERVAL_MS:
            self._overdue_checked_ms = now_ms
            due = [row.since for row in self._pending.values()]
        return min(due, default=None)

    def _result(self, mode: str, now_ms: int, newest_fill_ms: int | None) -> FillCheckResult:
        late = sum(now_ms - row.seen_ms >= SETTLING_MS for row in self._pending.values())
        return FillCheckResult(unconfirmed=late if mode == "live" else None, newest_fill_ms=newest_fill_ms)
