"""What one poll of the bot or of the exchange adds to the log, with the checkpoint that belongs to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from coliseum.feed.entries import Candidate
from coliseum.polling import candidates
from coliseum.polling.backfill import GAP_TIMEOUT_MS, FillAnswer, Recovery, recover
from coliseum.polling.checkpoint import Checkpoint, KnownTrade, keep_newest, supplied_since_list, with_gap
from coliseum.polling.diff import ListDifference
from coliseum.trading.trades import Trade


@dataclass(frozen=True, slots=True)
class Publication:
    """Entries to publish in this order, and the checkpoint to store with them.

    The checkpoint includes these entries and those of earlier publications, and nothing else.
    """

    entries: tuple[Candidate, ...]
    checkpoint: Checkpoint


def status_publication(
    checkpoint: Checkpoint, status: dict[str, Any] | None, *, marked_ms: int | None = None
) -> Publication:
    """The bot's new status; nothing where `status` is None. `marked_ms`: when only a mark of it changed."""
    if status is None:
        return Publication((), checkpoint)
    candidate = candidates.bot_status_candidate(status, marked_ms=marked_ms)
    return Publication((candidate,), replace(checkpoint, status=status))


def list_publication(difference: ListDifference, recovery: Recovery | None, *, trades: Iterable[Trade]) -> Publication:
    """What a poll of the bot's list adds: the gap before it, backfilled trades, rejected rows, then `trades`.

    `recovery` is None where the exchange gave no answer. The gap then stays open for a later one.
    """
    checkpoint, gap = difference.checkpoint, difference.gap
    entries: list[Candidate] = []
    if gap is not None and recovery is None:
        entries.append(candidates.source_gap_candidate(gap))
        checkpoint = with_gap(checkpoint, gap, final=False)
    elif gap is not None and recovery is not None:
        entries.append(candidates.source_gap_candidate(recovery.gap))
        entries += trade_candidates(recovery.trades, checkpoint)
        checkpoint = _with_recovery(checkpoint, recovery)
    entries += map(candidates.rejected_trade_candidate, difference.rejected)
    entries += trade_candidates(trades, difference.checkpoint)
    return Publication(tuple(entries), checkpoint)


def late_recovery_publication(before: Checkpoint, recovery: Recovery) -> Publication:
    """What a later answer of the exchange adds to a gap announced before; no entries where it says nothing new."""
    checkpoint = _with_recovery(before, recovery)
    if not recovery.trades and recovery.gap in before.gaps:
        return Publication((), checkpoint)
    announcement = candidates.source_gap_candidate(recovery.gap, late=True)
    return Publication((announcement, *trade_candidates(recovery.trades, before)), checkpoint)


def late_recoveries(before: Checkpoint, answer: FillAnswer, *, now_ms: int) -> Publication:
    """What one answer of the exchange adds to all gaps that are open, the oldest first.

    The margins of two gaps may overlap. A fill in both is published once and counts for both: otherwise the second one
    would go on to call it lost.
    """
    entries: tuple[Candidate, ...] = ()
    checkpoint = before
    for gap in before.gaps:
        recovery = recover(gap, answer.fills, ids_match=answer.ids_match, known=before.known, listed=(), now_ms=now_ms)
        added = late_recovery_publication(checkpoint, without_known(recovery, checkpoint))
        entries, checkpoint = entries + added.entries, added.checkpoint
    return Publication(entries, checkpoint)


def without_known(recovery: Recovery, checkpoint: Checkpoint) -> Recovery:
    """The recovery without trades that were added to the checkpoint since. What they count for the gap stays."""
    trades = tuple(trade for trade in recovery.trades if trade.trade_id not in checkpoint.known)
    return replace(recovery, trades=trades)


def fills_publication(before: Checkpoint, trades: tuple[Trade, ...]) -> Publication:
    """Trades that the exchange reports while the bot is offline."""
    known = _known_with(before, trades, before=0)
    return Publication(tuple(trade_candidates(trades, before)), replace(before, known=known))


def without_expired_gaps(before: Checkpoint, *, now_ms: int) -> Checkpoint:
    """The checkpoint without the gaps that have been open for longer than `GAP_TIMEOUT_MS`."""
    gaps = tuple(gap for gap in before.gaps if now_ms - gap.to_ms <= GAP_TIMEOUT_MS)
    return before if gaps == before.gaps else replace(before, gaps=gaps)


def trade_candidates(trades: Iterable[Trade], checkpoint: Checkpoint) -> list[Candidate]:
    """The trades as candidates of the checkpoint's run."""
    return [candidates.trade_candidate(trade, run=checkpoint.run) for trade in trades]


def _with_recovery(checkpoint: Checkpoint, recovery: Recovery) -> Checkpoint:
    since_list = supplied_since_list(checkpoint.known) + checkpoint.list_length
    known = _known_with(checkpoint, recovery.trades, before=since_list)
    return with_gap(replace(checkpoint, known=known), recovery.gap, final=recovery.final)


def _known_with(checkpoint: Checkpoint, trades: Iterable[Trade], *, before: int) -> dict[str, KnownTrade]:
    """The known trades and those of the exchange, which have no digest: the bot has not reported them.

    They come before the newest `before` known ones: missing trades are older than the list behind their gap.
    """
    known = list(checkpoint.known.items())
    place = max(0, len(known) - before)
    supplied = [(trade.trade_id, KnownTrade("", trade.timestamp)) for trade in trades]
    return keep_newest(dict([*known[:place], *supplied, *known[place:]]), at_least=checkpoint.list_length)
