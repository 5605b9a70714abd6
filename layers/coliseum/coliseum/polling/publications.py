"""What one look at the bot or the exchange adds to the log, and what is known once it is there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from coliseum.feed.entries import Candidate
from coliseum.polling import candidates
from coliseum.polling.backfill import GAP_TIMEOUT_MS, Recovery
from coliseum.polling.checkpoint import Checkpoint, KnownTrade, keep_newest
from coliseum.polling.diff import ListDifference
from coliseum.trading.trades import Trade

TradeOrder = Mapping[tuple[str, str], int]
"""Places of trades by key and time: their ids alone do not tell, since they may begin again."""


@dataclass(frozen=True, slots=True)
class Publication:
    """Entries to publish, in their order, and the checkpoint that they make true."""

    entries: tuple[Candidate, ...]
    after: Checkpoint


def status_publication(after: Checkpoint, status: dict[str, Any] | None) -> Publication:
    """The bot's new status, where it has one."""
    if status is None:
        return Publication((), after)
    return Publication((candidates.bot_status_candidate(status),), replace(after, status=status))


def list_publication(difference: ListDifference, recovery: Recovery | None, *, trades: Iterable[Trade]) -> Publication:
    """A look at the bot's list: the hole before it, what the exchange has of it, what was refused, then `trades`.

    `recovery` is None where the exchange gave no answer: a hole then stays open for a later one.
    """
    after, hole = difference.after, difference.hole
    entries: list[Candidate] = []
    if hole is not None and recovery is None:
        entries.append(candidates.source_gap_candidate(hole))
        after = replace(after, hole=hole)
    elif hole is not None and recovery is not None:
        entries.append(candidates.source_gap_candidate(recovery.hole))
        entries += _told(recovery.trades, after)
        after = _filled(after, recovery)
    entries += map(candidates.rejected_trade_candidate, difference.rejected)
    entries += _told(trades, difference.after)
    return Publication(tuple(entries), after)


def late_recovery_publication(before: Checkpoint, recovery: Recovery) -> Publication:
    """The exchange's later answer about a hole announced before; nothing where it tells nothing new."""
    if not recovery.trades and before.hole == recovery.hole:
        return Publication((), _filled(before, recovery))
    entries = (candidates.source_gap_candidate(recovery.hole, late=True), *_told(recovery.trades, before))
    return Publication(entries, _filled(before, recovery))


def fills_publication(before: Checkpoint, trades: tuple[Trade, ...]) -> Publication:
    """What the exchange tells while the bot is silent."""
    return Publication(tuple(_told(trades, before)), replace(before, known=_with(before, trades)))


def batches(waiting: Iterable[Publication], *, size: int) -> tuple[Publication, ...]:
    """`waiting` joined to parts of about `size` entries. A part's checkpoint tells of nothing that is not in it."""
    joined: list[Publication] = []
    for found in waiting:
        if joined and len(joined[-1].entries) + len(found.entries) <= size:
            joined[-1] = Publication(joined[-1].entries + found.entries, found.after)
        else:
            joined.append(found)
    return tuple(joined)


def extend_order(order: TradeOrder, known: Mapping[str, KnownTrade]) -> TradeOrder:
    """`order` with the places of what is `known` now behind those it has."""
    places = dict(order)
    for trade_id, one in known.items():
        places.setdefault((f"trade:{trade_id}", repr(one.at)), len(places))
    return places


def republish_before_list(
    waiting: Iterable[Publication], trades: Iterable[Trade], memory: Checkpoint, order: TradeOrder
) -> Publication:
    """What waits, in the order in which it happened, without what a list of `trades` behind it tells again.

    For a log that was emptied: a correction may stand there for a trade the log no longer has. `order` decides
    between trades of one moment.
    """
    told = {(f"trade:{trade.trade_id}", repr(trade.timestamp)) for trade in trades}
    latest = 0.0
    dated: list[tuple[float, int, Candidate]] = []
    for one in (entry for found in waiting for entry in found.entries):
        latest = max(latest, float(one.at or 0))  # what has no time of its own stays behind what it came after
        if (one.key, one.at) not in told:
            dated.append((float(one.at) if one.at else latest, order.get((one.key, one.at), len(order)), one))
    dated.sort(key=lambda row: row[:2])
    return Publication(tuple(one for _, _, one in dated), memory)


def without_expired_gap(before: Checkpoint, *, now_ms: int) -> Checkpoint:
    """The checkpoint without a hole that has been open for too long."""
    hole = before.hole
    return before if hole is None or now_ms - hole.to_ms <= GAP_TIMEOUT_MS else replace(before, hole=None)


def _told(trades: Iterable[Trade], checkpoint: Checkpoint) -> list[Candidate]:
    return [candidates.trade_candidate(trade, run=checkpoint.run) for trade in trades]


def _filled(checkpoint: Checkpoint, recovery: Recovery) -> Checkpoint:
    hole = None if recovery.settled else recovery.hole
    return replace(checkpoint, hole=hole, known=_with(checkpoint, recovery.trades))


def _with(checkpoint: Checkpoint, trades: Iterable[Trade]) -> dict[str, KnownTrade]:
    """Trades the exchange told are known, but not in the bot's wording."""
    merged = dict(checkpoint.known) | {trade.trade_id: KnownTrade("", trade.timestamp) for trade in trades}
    return keep_newest(merged, at_least=checkpoint.listed)
