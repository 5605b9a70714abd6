"""Which fills of the exchange replace trades that the bot no longer reports. Pure.

The exchange is used only where both sources name trades by the same ids: some trade that the bot reported must be
among the fills. A bot that invents its own ids, or trades on paper, never matches. Its gap is only announced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from coliseum.polling.checkpoint import KnownTrade, SourceGap, newest_reported_ms
from coliseum.trading.trades import Fill, Trade

START_MARGIN_MS = 30_000
"""Fills are looked up from this long before the gap: the exchange shows them late, and clocks differ."""
END_MARGIN_MS = 5_000
"""Fills count until this long after the end of the gap."""
FILL_DELAY_MS = 10_000
"""The exchange may show a fill this late. An answer given sooner may be incomplete."""
ID_MATCH_WINDOW_MS = 24 * 3_600_000
"""How far before the gap we look for a trade that both sources know."""
GAP_TIMEOUT_MS = 15 * 60_000
"""A gap that the exchange has not filled after this time stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What the exchange supplied for a gap."""

    trades: tuple[Trade, ...]
    """Oldest first, marked as backfilled."""
    gap: SourceGap
    """What remains of the gap."""
    final: bool
    """A later answer of the exchange cannot add anything."""


def fills_since_seconds(from_ms: int, known: Mapping[str, KnownTrade]) -> int:
    """The time, in unix seconds, from which to request fills for a gap that begins at `from_ms`.

    It reaches back to the newest trade that the bot reported, because that one proves that the ids match.
    """
    reported_ms = newest_reported_ms(known)
    start = from_ms - START_MARGIN_MS
    if start > reported_ms >= from_ms - ID_MATCH_WINDOW_MS:
        start = reported_ms - 1000
    return max(0, start // 1000)


def earliest_missing_ms(from_ms: int, reported_ms: int) -> int:
    """The time of the oldest fill that may be missing: within the margin, but not older than a reported trade."""
    return max(from_ms - START_MARGIN_MS, reported_ms)


def ids_match(fills: Iterable[Fill], known: Mapping[str, KnownTrade], listed: Iterable[Trade] = ()) -> bool:
    """Whether some trade that the bot reported is among the fills under the same id.

    A known trade that only the exchange reported counts as well: it became known after an earlier match.
    """
    known_ids = set(known) | {trade.trade_id for trade in listed}
    return any(fill.fill_id in known_ids for fill in fills)


def recover(
    gap: SourceGap, fills: Collection[Fill], *, known: Mapping[str, KnownTrade], listed: Collection[Trade], now_ms: int
) -> Recovery:
    """The missing trades of `gap` among `fills`. The bot reported `known` and `listed`: not missing."""
    if not ids_match(fills, known, listed):
        return Recovery(trades=(), gap=gap, final=True)
    trades = unknown_fills(
        fills,
        known=known,
        listed=listed,
        from_ms=earliest_missing_ms(gap.from_ms, gap.newest_reported_ms),
        to_ms=gap.to_ms + END_MARGIN_MS,
        backfilled=True,
    )
    complete = now_ms - gap.to_ms >= FILL_DELAY_MS
    at_least = max(0, gap.at_least - len(trades))
    lost = None if gap.lost is None else max(0, gap.lost - len(trades))
    if lost is None and complete and at_least == 0:
        lost = 0
    rest = replace(gap, lost=lost, at_least=at_least, backfilled=gap.backfilled + len(trades))
    return Recovery(trades=trades, gap=rest, final=complete or lost == 0)


def unknown_fills(
    fills: Iterable[Fill],
    *,
    known: Mapping[str, KnownTrade],
    listed: Iterable[Trade] = (),
    from_ms: int,
    to_ms: int,
    backfilled: bool,
) -> tuple[Trade, ...]:
    """The fills between two times (unix ms) that no source has reported yet, as trades, oldest first."""
    known_ids = set(known) | {trade.trade_id for trade in listed}
    inside = {
        fill.fill_id: fill
        for fill in fills
        if fill.fill_id not in known_ids and from_ms <= fill.timestamp * 1000 <= to_ms
    }
    ordered = sorted(inside.values(), key=lambda fill: (fill.timestamp, fill.fill_id))
    return tuple(fill.as_trade(backfilled=backfilled) for fill in ordered)
