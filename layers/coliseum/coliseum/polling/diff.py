"""What is new in the bot's trade list compared with what we know, and what is missing from it. Pure.

The bot keeps its newest trades (100) in memory and counts the trades of its run. A restart empties both.
1. One known trade in the list proves that nothing was lost: the list is the newest part of one sequence, so
   everything newer than the known trade is in it.
2. Without such a trade, others may have been pushed out (`overflow`) or forgotten (`restart`).
3. The difference of the counts says how many. Where it is zero there is no gap after all. A count that is not larger
   than the list proves nothing, because a bot might report the list's length as its count.
4. The bot's clock proves nothing. Trades have the order of the list, a gap has times of our clock, and a time of the
   bot is only compared for equality. A time ahead of our clock is marked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from coliseum.bot.parse import RejectedTrade
from coliseum.polling.checkpoint import (
    GAP_NEIGHBOURS,
    Checkpoint,
    KnownTrade,
    SourceGap,
    keep_newest,
    reported_ids,
)
from coliseum.trading.clocks import seconds_ahead
from coliseum.trading.trades import Trade

FULL_LIST = 100
"""A list of this length or more may have pushed trades out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotObservation:
    """The bot's list and counts, as they were read in one poll."""

    trades: tuple[Trade, ...]
    """Oldest first, unless the list looked as if it began at its other end."""
    rejected: tuple[RejectedTrade, ...]
    """Rows of the list that are no valid trades."""
    run: str | None
    """The start time that the bot reports; None where it reports none."""
    trade_count: int | None
    """The bot's count of the run's trades, read shortly before the list."""
    trade_count_after: int | None
    """The same count, read shortly after the list. Where both are equal, they belong to exactly this list."""
    at_ms: int
    oldest_first: bool = False
    """The list was taken for one that begins with its oldest trade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDifference:
    """What an observation adds to the checkpoint."""

    trades: tuple[Trade, ...]
    """New or changed ones, oldest first."""
    rejected: tuple[RejectedTrade, ...]
    """Rejected rows that were not announced before."""
    gap: SourceGap | None
    checkpoint: Checkpoint
    """What is known once all this is published."""
    listed: tuple[Trade, ...] = ()
    """The whole list, oldest first."""
    clock_ahead_seconds: float | None = None
    """By how much the bot's clock is ahead of ours at least; None where this list does not show it."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to publish."""
        return not (self.trades or self.rejected or self.gap)


def compare(before: Checkpoint, seen: BotObservation) -> ListDifference:
    """The difference between `before` and `seen`. On first contact nothing can be missing."""
    listed = {trade.trade_id: trade for trade in seen.trades}
    rejected = {rejected_key(row): row for row in seen.rejected}
    restarted = _reports_restart(before.run, seen.run)
    known = _known_ids(before, seen)
    trades, oldest_first = _in_order(before, seen, known=known)
    seen = replace(seen, trades=_marked_trades(trades, at_ms=seen.at_ms))
    listed = {trade.trade_id: trade for trade in seen.trades}
    known_rejected = before.known.keys() & rejected.keys()
    new = tuple(trade for key, trade in listed.items() if not _was_reported(before.known.get(key), trade))
    length = len(listed) + len(rejected)
    unknown = length - len(known) - len(known_rejected)
    newer = {} if restarted or unknown else _newer_trades(before.known, {*listed, *rejected})
    gap = None
    if before.answered_ms is not None and not known and not known_rejected:
        gap = _gap(before, seen, restarted=restarted, length=length)
    new_run = restarted or (gap is not None and gap.reason == "restart")
    return ListDifference(
        trades=new,
        rejected=tuple(row for key, row in rejected.items() if key not in known_rejected),
        gap=gap,
        checkpoint=replace(
            before,
            run=_run(before, seen, new_run=new_run),
            trade_count=before.trade_count
            if newer
            else _trade_count(before, seen, unknown=unknown, broken=new_run or gap is not None),
            list_length=length + len(newer),
            known=_merged(before.known, listed, rejected, newer, new_run=new_run),
            answered_ms=seen.at_ms,
            oldest_first=oldest_first,
        ),
        listed=seen.trades,
        clock_ahead_seconds=_clock_ahead(seen),
    )


def in_bot_order(before: Checkpoint, seen: BotObservation) -> tuple[tuple[Trade, ...], bool | None]:
    """The listed trades, oldest first as the bot lists them, and `Checkpoint.oldest_first` as the list shows it.

    Trades ahead of our clock are marked.
    """
    trades, oldest_first = _in_order(before, seen, known=_known_ids(before, seen))
    return _marked_trades(trades, at_ms=seen.at_ms), oldest_first


def is_same_run(before: Checkpoint, seen: BotObservation) -> bool:
    """Whether the bot reports that the list belongs to the known run."""
    return not _is_unreported(before.run) and seen.run == before.run


def _known_ids(before: Checkpoint, seen: BotObservation) -> set[str]:
    """The ids of the listed trades that are known, whether as they stand or with other facts."""
    same_run = is_same_run(before, seen)
    return {
        trade.trade_id
        for trade in seen.trades
        if is_reported_trade(before.known.get(trade.trade_id), trade, same_run=same_run)
    }


def _in_order(
    before: Checkpoint, seen: BotObservation, *, known: Collection[str]
) -> tuple[tuple[Trade, ...], bool | None]:
    """The list, oldest first, and whether the bot lists its oldest trade first (None where that is not certain).

    New trades stand at the list's newer end. Where no known trade stands beside a new one, an earlier list decides.
    """
    # True for a trade that the bot reported before, False for an id that was never reported.
    sides = [key in known for key in (trade.trade_id for trade in seen.trades) if _shows_order(before, key, known)]
    is_proven = len(set(sides)) > 1 and sides in (sorted(sides), sorted(sides, reverse=True))
    oldest_first = before.oldest_first
    if is_proven:
        oldest_first = seen.oldest_first != (not sides[0])
    is_reversed = oldest_first is not None and oldest_first != seen.oldest_first
    return seen.trades[::-1] if is_reversed else seen.trades, oldest_first


def _shows_order(before: Checkpoint, trade_id: str, known: Collection[str]) -> bool:
    earlier = before.known.get(trade_id)
    if earlier is not None:  # what only the exchange reported may be newer or older than the bot's own list
        return trade_id in known and bool(earlier.digest)
    return not any(key.startswith(f"!{trade_id}:") for key in before.known)  # a row that was rejected before is not new


def _marked_trades(trades: Iterable[Trade], *, at_ms: int) -> tuple[Trade, ...]:
    return tuple(_marked(trade, at_ms=at_ms) for trade in trades)


def _marked(trade: Trade, *, at_ms: int) -> Trade:
    ahead = seconds_ahead(trade.timestamp, now=at_ms / 1000)
    return trade if ahead is None else replace(trade, clock_ahead_seconds=ahead)


def _clock_ahead(seen: BotObservation) -> float | None:
    differences = (trade.clock_ahead_seconds for trade in seen.trades)
    return max((difference for difference in differences if difference is not None), default=None)


def _is_unreported(run: str) -> bool:
    """Whether the bot did not report the start of this run, so that the name is our own."""
    return run == "" or run.startswith("~")


def _reports_restart(before: str, now: str | None) -> bool:
    return now is not None and not _is_unreported(before) and now != before


def _has_digest(known: KnownTrade | None, digest: str) -> bool:
    return known is not None and known.digest in {"", digest}


def _was_reported(known: KnownTrade | None, trade: Trade) -> bool:
    """Whether the bot reported exactly this before. A trade that only the exchange reported is published again."""
    return known is not None and known.digest == trade.digest()


def is_reported_trade(known: KnownTrade | None, trade: Trade, *, same_run: bool) -> bool:
    """Whether both are one trade. Another run may use an id again: then the execution time or the digest decides."""
    if known is None:
        return False
    return (
        (same_run and not known.from_earlier_run)
        or known.executed_at == trade.timestamp
        or _has_digest(known, trade.digest())
    )


def rejected_key(row: RejectedTrade) -> str:
    """The key of a rejected row. It differs from every trade's, as the row may carry the id of a valid trade."""
    return f"!{row.trade_id or ''}:{row.digest}"


def _gap(before: Checkpoint, seen: BotObservation, *, restarted: bool, length: int) -> SourceGap | None:
    """The gap before a list that holds nothing known; None where nothing is missing."""
    run_unknown = seen.run is None or _is_unreported(before.run)
    count_fell = (
        before.trade_count is not None and seen.trade_count is not None and seen.trade_count < before.trade_count
    )
    # Without a reported start, a list that is not full and holds nothing known shows that the bot restarted:
    # a running bot would still list its known trades.
    new_run = restarted or (before.list_length > 0 and (count_fell or (run_unknown and length < FULL_LIST)))
    if not new_run and before.list_length == 0 and length < FULL_LIST:
        return None  # the first trades after an empty list
    lost, at_least = (None, 0) if new_run else _loss(before, seen, length=length)
    if lost == 0:
        return None
    start = seen.at_ms if before.answered_ms is None else before.answered_ms
    oldest = seen.trades[0].trade_id if seen.trades else ""
    last = list(before.known)[-1] if before.known else ""
    identity = f"{before.run}:{seen.run or seen.at_ms}" if new_run else f"{before.run}:{last}:{oldest}"
    reason = "restart" if new_run else "overflow"
    return SourceGap(
        reason=reason,
        key=f"{reason}:{identity}",
        from_ms=min(start, seen.at_ms),
        to_ms=seen.at_ms,
        lost=lost,
        at_least=at_least,
        before_ids=reported_ids(before.known)[-GAP_NEIGHBOURS:],
        after_ids=tuple(trade.trade_id for trade in seen.trades[:GAP_NEIGHBOURS]),
    )


def _loss(before: Checkpoint, seen: BotObservation, *, length: int) -> tuple[int | None, int]:
    """How many trades of the run are neither known nor listed: exactly (or None), and at least."""
    if before.trade_count is None or seen.trade_count is None or seen.trade_count <= length:
        return None, 0
    missing = seen.trade_count - before.trade_count - length
    supplied = sum(not trade.digest and not trade.from_earlier_run for trade in before.known.values())
    if supplied:  # published from fills, some perhaps of this very gap, or of another owner of the account
        return None, max(0, missing - supplied)
    if missing >= 0 and seen.trade_count == seen.trade_count_after:
        return missing, missing
    return None, max(0, missing)


def _run(before: Checkpoint, seen: BotObservation, *, new_run: bool) -> str:
    if seen.run is not None:
        return seen.run
    return f"~{seen.at_ms}" if new_run or before.run == "" else before.run


def _trade_count(before: Checkpoint, seen: BotObservation, *, unknown: int, broken: bool) -> int | None:
    """The run's trades up to the newest in this list; None where that is not certain.

    It is the bot's own count where that belongs to this list, otherwise the known count plus the `unknown` rows.
    """
    count_is_exact = seen.trade_count == seen.trade_count_after or (unknown == 0 and not broken)
    if seen.trade_count is not None and count_is_exact:
        return seen.trade_count
    return None if broken or before.trade_count is None else before.trade_count + unknown


def _newer_trades(known: Mapping[str, KnownTrade], listed: Collection[str]) -> dict[str, KnownTrade]:
    """The trades of the run that the bot reported after this whole list: it pushed them after the list was read.

    All rows of the list have to be known. `listed` are their keys.
    """
    keys = list(known)
    last = max((place for place, key in enumerate(keys) if key in listed), default=len(keys))
    later = {key: known[key] for key in keys[last + 1 :] if not key.startswith("!")}
    return {key: trade for key, trade in later.items() if trade.digest and not trade.from_earlier_run}


def _merged(
    known: Mapping[str, KnownTrade],
    listed: Mapping[str, Trade],
    rejected: Mapping[str, RejectedTrade],
    newer: Mapping[str, KnownTrade],
    *,
    new_run: bool,
) -> dict[str, KnownTrade]:
    """The known trades and the list's, newest last. The list's and the `newer` ones are never dropped."""
    merged = {
        key: replace(trade, from_earlier_run=trade.from_earlier_run or new_run)
        for key, trade in known.items()
        if key not in listed and key not in rejected and key not in newer
    }
    merged |= {key: KnownTrade(row.digest, 0.0) for key, row in rejected.items()}
    merged |= {key: KnownTrade(trade.digest(), trade.timestamp) for key, trade in listed.items()}
    merged |= newer
    return keep_newest(merged, at_least=len(listed) + len(rejected) + len(newer))
