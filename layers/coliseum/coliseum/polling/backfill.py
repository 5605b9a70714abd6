"""Which of the exchange's fills stand in for trades the bot can no longer tell. Pure.

The exchange may stand in only where both speak of trades by the same ids: some trade the bot told us must be among
the fills. A bot that invents its own ids (or trades on paper) never joins; then a hole is announced, not guessed at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from coliseum.polling.checkpoint import KnownTrade, SourceGap, newest_reported_ms
from coliseum.trading.trades import Fill, Trade

START_MARGIN_MS = 30_000
"""Fills are looked up from this long before the hole: the exchange shows them late, and clocks differ."""
END_MARGIN_MS = 5_000
"""And until this long after its end."""
FILL_DELAY_MS = 10_000
"""A fill may be this late at the exchange's own interface; an answer given sooner may be incomplete."""
ID_MATCH_WINDOW_MS = 24 * 3_600_000
"""How far back we look for one trade known from both sides."""
GAP_TIMEOUT_MS = 15 * 60_000
"""A hole not filled by then stays a hole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What the exchange contributed to a hole."""

    trades: tuple[Trade, ...]
    """Oldest first, marked as backfilled."""
    hole: SourceGap
    """What remains of it."""
    settled: bool
    """No later answer can tell more."""


def fills_since_seconds(from_ms: int, known: Mapping[str, KnownTrade]) -> int:
    """From when to ask for fills: the overlap, and back to the newest trade told by the bot, the proof of joining."""
    told_ms = newest_reported_ms(known)
    start = from_ms - START_MARGIN_MS
    if start > told_ms >= from_ms - ID_MATCH_WINDOW_MS:
        start = told_ms - 1000
    return max(0, start // 1000)


def earliest_missing_ms(from_ms: int, told_ms: int) -> int:
    """Fills from here on may be missing: in the overlap, but none older than a trade the bot told."""
    return max(from_ms - START_MARGIN_MS, told_ms)


def ids_match(fills: Iterable[Fill], known: Mapping[str, KnownTrade], listed: Iterable[Trade] = ()) -> bool:
    """Whether a trade told by the bot is among the fills under the same id.

    A known trade that only the exchange told proves the same: it became known behind such a proof.
    """
    told = set(known) | {trade.trade_id for trade in listed}
    return any(fill.fill_id in told for fill in fills)


def recover(
    hole: SourceGap, fills: Collection[Fill], *, known: Mapping[str, KnownTrade], listed: Collection[Trade], now_ms: int
) -> Recovery:
    """The trades of `hole` among `fills`. `known` and `listed` are the bot's trades, so not missing."""
    if not ids_match(fills, known, listed):
        return Recovery(trades=(), hole=hole, settled=True)
    trades = unknown_fills(
        fills,
        known=known,
        listed=listed,
        from_ms=earliest_missing_ms(hole.from_ms, hole.told_ms),
        to_ms=hole.to_ms + END_MARGIN_MS,
        backfilled=True,
    )
    complete = now_ms - hole.to_ms >= FILL_DELAY_MS
    at_least = max(0, hole.at_least - len(trades))
    lost = None if hole.lost is None else max(0, hole.lost - len(trades))
    if lost is None and complete and at_least == 0:
        lost = 0
    rest = replace(hole, lost=lost, at_least=at_least, backfilled=hole.backfilled + len(trades))
    return Recovery(trades=trades, hole=rest, settled=complete or lost == 0)


def unknown_fills(
    fills: Iterable[Fill],
    *,
    known: Mapping[str, KnownTrade],
    listed: Iterable[Trade] = (),
    from_ms: int,
    to_ms: int,
    backfilled: bool,
) -> tuple[Trade, ...]:
    """The fills between the two times that nobody told us yet, as trades, oldest first."""
    told = set(known) | {trade.trade_id for trade in listed}
    inside = {
        fill.fill_id: fill for fill in fills if fill.fill_id not in told and from_ms <= fill.timestamp * 1000 <= to_ms
    }
    ordered = sorted(inside.values(), key=lambda fill: (fill.timestamp, fill.fill_id))
    return tuple(fill.as_trade(backfilled=backfilled) for fill in ordered)
