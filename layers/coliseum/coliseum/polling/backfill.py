"""Which fills of the exchange replace trades that the bot no longer reports. Pure.

The exchange is used only where both sources name trades by the same ids: some trade that the bot reported must be
among the fills. A bot that invents its own ids, or trades on paper, never matches. Its gap is only announced.

Times here are of our clock and of the exchange's, which Kalshi keeps within seconds of each other: it refuses requests
that are signed at another time. The bot's clock has no part: its trades have the times of their fills.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from coliseum.polling.checkpoint import KnownTrade, SourceGap, reported_ids
from coliseum.trading.trades import Fill, Trade

START_MARGIN_MS = 30_000
"""Fills are requested from this long before the gap: the exchange shows them late, and clocks differ."""
CLOCK_DIFFERENCE_MS = 10_000
"""The most by which our clock differs from the exchange's. It refuses requests that are signed with a larger one."""
END_MARGIN_MS = 5_000
"""Fills count until this long after the end of the gap by the exchange's clock: a list may lag or be out of order."""
FILL_DELAY_MS = 10_000
"""The exchange may show a fill this late. An answer given sooner may be incomplete."""
ID_MATCH_WINDOW_MS = 24 * 3_600_000
"""How far before the gap a trade is searched that both sources know, where the fills of the gap show none."""
GAP_TIMEOUT_MS = 15 * 60_000
"""A gap that the exchange has not filled after this time stays as it is."""


@dataclass(frozen=True, slots=True)
class FillAnswer:
    """All fills of a time, and whether the bot and the exchange name trades by the same ids."""

    fills: tuple[Fill, ...]
    ids_match: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What the exchange supplied for a gap."""

    trades: tuple[Trade, ...]
    """Oldest first, marked as backfilled."""
    gap: SourceGap
    """What remains of the gap."""
    final: bool
    """A later answer of the exchange cannot add anything."""


def recent_since(begin_ms: int) -> int:
    """The unix second from which fills are requested where trades may be missing since `begin_ms`."""
    return max(0, (begin_ms - START_MARGIN_MS) // 1000)


def earlier_since(begin_ms: int) -> int:
    """The same, so early that a trade which both sources know is probably among the fills."""
    return max(0, (begin_ms - ID_MATCH_WINDOW_MS) // 1000)


def ids_match(fills: Iterable[Fill], trade_ids: Collection[str]) -> bool:
    """Whether some trade with one of these ids is among the fills.

    The ids are those that the bot reported. One that only the exchange reported counts as well: it became known after
    an earlier match.
    """
    return any(fill.fill_id in trade_ids for fill in fills)


def recover(
    gap: SourceGap,
    fills: Collection[Fill],
    *,
    ids_match: bool,
    known: Mapping[str, KnownTrade],
    listed: Collection[Trade],
    now_ms: int,
    before_ids: Collection[str] | None = None,
) -> Recovery:
    """The missing trades of `gap` among `fills`. The bot reported `known` and `listed`: not missing.

    `before_ids` are all trades that the bot reported before the gap, where they are still known: the fills of the
    newest ones, which the gap itself names, may not be visible yet.

    That nothing is lost any more is only said where it is proven: the fills are as many as the bot's own count, or the
    time in which trades may be missing is known and the exchange answered after the delay of its lists.
    """
    if not ids_match:
        return Recovery(trades=(), gap=gap, final=True)
    trades = unknown_fills(
        fills, known=known, listed=listed, window=_window(gap, fills, before_ids or gap.before_ids), backfilled=True
    )
    is_late_enough = now_ms - gap.to_ms >= FILL_DELAY_MS
    at_least = max(0, gap.at_least - len(trades))
    lost = None if gap.lost is None else max(0, gap.lost - len(trades))
    if lost is None and is_late_enough and gap.is_whole and at_least == 0:
        lost = 0
    rest = replace(gap, lost=lost, at_least=at_least, backfilled=gap.backfilled + len(trades))
    return Recovery(trades=trades, gap=rest, final=is_late_enough)


@dataclass(frozen=True, slots=True, kw_only=True)
class FillWindow:
    """Times of the exchange, unix ms, between which fills may be missing trades."""

    from_ms: float
    to_ms: float


def _window(gap: SourceGap, fills: Iterable[Fill], before_ids: Collection[str]) -> FillWindow:
    """The gap with its margins, narrowed to between the fills of the trades on its two sides."""
    last_ms = gap.to_ms + CLOCK_DIFFERENCE_MS
    end_ms = min((fill.timestamp * 1000 for fill in fills if fill.fill_id in gap.after_ids), default=last_ms)
    begin_ms = begin_after(before_ids, fills, from_ms=gap.from_ms)
    return FillWindow(from_ms=begin_ms, to_ms=min(end_ms, last_ms) + END_MARGIN_MS)


def begin_after(trade_ids: Collection[str], fills: Iterable[Fill], *, from_ms: int) -> float:
    """The time of the oldest fill that may be missing: within the margin, but not older than these trades' fills."""
    reported = (fill.timestamp * 1000 for fill in fills if fill.fill_id in trade_ids)
    return max(from_ms - START_MARGIN_MS, *reported, 0)


def window_while_offline(
    known: Mapping[str, KnownTrade], fills: Iterable[Fill], *, answered_ms: int, now_ms: int
) -> FillWindow:
    """Where the trades of a bot lie that has not answered since `answered_ms`."""
    begin_ms = begin_after(reported_ids(known), fills, from_ms=min(answered_ms, now_ms))
    return FillWindow(from_ms=begin_ms, to_ms=now_ms + CLOCK_DIFFERENCE_MS + END_MARGIN_MS)


def unknown_fills(
    fills: Iterable[Fill],
    *,
    known: Mapping[str, KnownTrade],
    listed: Iterable[Trade] = (),
    window: FillWindow,
    backfilled: bool,
) -> tuple[Trade, ...]:
    """The fills of the window that no source has reported yet, as trades, oldest first."""
    known_ids = set(known) | {trade.trade_id for trade in listed}
    inside = {
        fill.fill_id: fill
        for fill in fills
        if fill.fill_id not in known_ids and window.from_ms <= fill.timestamp * 1000 <= window.to_ms
    }
    ordered = sorted(inside.values(), key=lambda fill: (fill.timestamp, fill.fill_id))
    return tuple(fill.as_trade(backfilled=backfilled) for fill in ordered)
