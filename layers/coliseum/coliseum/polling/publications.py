"""What one poll of the bot or of the exchange adds to the log, with the checkpoint that belongs to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from coliseum.feed.entries import Candidate
from coliseum.polling import candidates
from coliseum.polling.backfill import GAP_TIMEOUT_MS, Recovery
from coliseum.polling.checkpoint import Checkpoint, KnownTrade, keep_newest
from coliseum.polling.diff import ListDifference
from coliseum.trading.trades import Trade


@dataclass(frozen=True, slots=True)
class Publication:
    """Entries to publish in this order, and the checkpoint to store with them.

    The checkpoint includes these entries and those of earlier publications, and nothing else.
    """

    entries: tuple[Candidate, ...]
    checkpoint: Checkpoint


def status_publication(checkpoint: Checkpoint, status: dict[str, Any] | None) -> Publication:
    """The bot's new status; nothing where `status` is None."""
    if status is None:
        return Publication((), checkpoint)
    return Publication((candidates.bot_status_candidate(status),), replace(checkpoint, status=status))


def list_publication(difference: ListDifference, recovery: Recovery | None, *, trades: Iterable[Trade]) -> Publication:
    """What a poll of the bot's list adds: the gap before it, backfilled trades, rejected rows, then `trades`.

    `recovery` is None where the exchange gave no answer. The gap then stays open for a later one.
    """
    checkpoint, gap = difference.checkpoint, difference.gap
    entries: list[Candidate] = []
    if gap is not None and recovery is None:
        entries.append(candidates.source_gap_candidate(gap))
        checkpoint = replace(checkpoint, gap=gap)
    elif gap is not None and recovery is not None:
        entries.append(candidates.source_gap_candidate(recovery.gap))
        entries += _trade_candidates(recovery.trades, checkpoint)
        checkpoint = _with_recovery(checkpoint, recovery)
    entries += map(candidates.rejected_trade_candidate, difference.rejected)
    entries += _trade_candidates(trades, difference.checkpoint)
    return Publication(tuple(entries), checkpoint)


def late_recovery_publication(before: Checkpoint, recovery: Recovery) -> Publication:
    """What a later answer of the exchange adds to a gap announced before; no entries where it says nothing new."""
    checkpoint = _with_recovery(before, recovery)
    if not recovery.trades and before.gap == recovery.gap:
        return Publication((), checkpoint)
    announcement = candidates.source_gap_candidate(recovery.gap, late=True)
    return Publication((announcement, *_trade_candidates(recovery.trades, before)), checkpoint)


def fills_publication(before: Checkpoint, trades: tuple[Trade, ...]) -> Publication:
    """Trades that the exchange reports while the bot is offline."""
    return Publication(tuple(_trade_candidates(trades, before)), replace(before, known=_known_with(before, trades)))


def without_expired_gap(before: Checkpoint, *, now_ms: int) -> Checkpoint:
    """The checkpoint without its gap where that has been open for longer than `GAP_TIMEOUT_MS`."""
    gap = before.gap
    return before if gap is None or now_ms - gap.to_ms <= GAP_TIMEOUT_MS else replace(before, gap=None)


def _trade_candidates(trades: Iterable[Trade], checkpoint: Checkpoint) -> list[Candidate]:
    return [candidates.trade_candidate(trade, run=checkpoint.run) for trade in trades]


def _with_recovery(checkpoint: Checkpoint, recovery: Recovery) -> Checkpoint:
    gap = None if recovery.final else recovery.gap
    return replace(checkpoint, gap=gap, known=_known_with(checkpoint, recovery.trades))


def _known_with(checkpoint: Checkpoint, trades: Iterable[Trade]) -> dict[str, KnownTrade]:
    """The known trades and those of the exchange, which have no digest: the bot has not reported them."""
    merged = dict(checkpoint.known) | {trade.trade_id: KnownTrade("", trade.timestamp) for trade in trades}
    return keep_newest(merged, at_least=checkpoint.list_length)
