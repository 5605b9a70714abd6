"""What is new between what we knew of the bot's list and what it shows now, and what is missing. Pure.

The bot keeps its newest trades (100) in memory and counts the trades of its run; a restart empties both.
1. One known trade in the list proves that nothing in between was lost: the list is the newest part of one row.
2. Without such a proof trades may have been pushed out (`overflow`) or forgotten (`restart`).
3. Count arithmetic tells how many: none means that there was no hole after all. A count no larger than the
   list is no proof, since a bot might mean the list's length by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from coliseum.bot.parse import RejectedTrade
from coliseum.polling.checkpoint import Checkpoint, KnownTrade, SourceGap, keep_newest, newest_reported_ms
from coliseum.trading.trades import Trade

FULL_LIST = 100
"""From this length on the bot's list may have pushed trades out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotObservation:
    """One look at the bot."""

    trades: tuple[Trade, ...]
    """Oldest first."""
    rejected: tuple[RejectedTrade, ...]
    """Entries of the list that are no trades."""
    run: str | None
    """When the bot says it started; None where it does not tell."""
    count: int | None
    """The run's trades, counted by the bot shortly before it gave the list."""
    count_after: int | None
    """The same shortly after; equal counts belong to exactly this list."""
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDifference:
    """What a sighting tells beyond the checkpoint."""

    trades: tuple[Trade, ...]
    """New or changed, oldest first."""
    rejected: tuple[RejectedTrade, ...]
    """Refused entries not announced before."""
    hole: SourceGap | None
    after: Checkpoint
    """What is known once all this is published."""

    @property
    def quiet(self) -> bool:
        return not (self.trades or self.rejected or self.hole)


def compare(before: Checkpoint, seen: BotObservation) -> ListDifference:
    """The difference. On first contact nothing can be missing."""
    listed = {trade.trade_id: trade for trade in seen.trades}
    refused = {_name(entry): entry for entry in seen.rejected}
    restarted = _tells_restart(before.run, seen.run)
    same_run = not _silent(before.run) and seen.run == before.run
    met = [name for name, trade in listed.items() if _meets(before.known.get(name), trade, same_run=same_run)]
    again = before.known.keys() & refused.keys()
    new = tuple(trade for name, trade in listed.items() if not _same(before.known.get(name), trade))
    length = len(listed) + len(refused)
    hole = None
    if before.ok_ms is not None and not met and not again:
        hole = _hole(before, seen, restarted=restarted, length=length)
    began = restarted or (hole is not None and hole.reason == "restart")
    return ListDifference(
        trades=new,
        rejected=tuple(entry for name, entry in refused.items() if name not in again),
        hole=hole,
        after=replace(
            before,
            run=_run(before, seen, began=began),
            count=_count(before, seen, fresh=length - len(met) - len(again), broken=began or hole is not None),
            listed=length,
            known=_merged(before.known, listed, refused, began=began),
            ok_ms=seen.at_ms,
        ),
    )


def _silent(run: str) -> bool:
    return run == "" or run.startswith("~")


def _tells_restart(before: str, now: str | None) -> bool:
    return now is not None and not _silent(before) and now != before


def _is(known: KnownTrade | None, digest: str) -> bool:
    return known is not None and known.digest in {"", digest}


def _same(known: KnownTrade | None, trade: Trade) -> bool:
    """Whether the bot itself told exactly this before. What only the exchange told is told once more by the bot."""
    return known is not None and known.digest == trade.digest()


def _meets(known: KnownTrade | None, trade: Trade, *, same_run: bool) -> bool:
    """Whether both are one trade. Ids may begin again with another run: then its time tells."""
    if known is None:
        return False
    return (same_run and not known.past) or known.at == trade.timestamp or _is(known, trade.digest())


def _name(entry: RejectedTrade) -> str:
    """A name of its own beside the trades': a refused row may carry the id of a good one."""
    return f"!{entry.trade_id or ''}:{entry.digest}"


def _hole(before: Checkpoint, seen: BotObservation, *, restarted: bool, length: int) -> SourceGap | None:
    """The hole before a list that holds nothing known."""
    unsure = seen.run is None or _silent(before.run)
    fell = before.count is not None and seen.count is not None and seen.count < before.count
    began = restarted or (before.listed > 0 and (fell or (unsure and length < FULL_LIST)))
    if not began and before.listed == 0 and length < FULL_LIST:
        return None  # the first trades after an empty list
    lost, at_least = (None, 0) if began else _loss(before, seen, length=length)
    if lost == 0:
        return None
    to_ms = _end(seen, began=began)
    start = before.ok_ms if before.ok_ms is not None else to_ms
    oldest = seen.trades[0].trade_id if seen.trades else ""
    last = list(before.known)[-1] if before.known else ""
    mark = f"{before.run}:{seen.run or seen.at_ms}" if began else f"{before.run}:{last}:{oldest}"
    reason = "restart" if began else "overflow"
    return SourceGap(
        reason=reason,
        key=f"{reason}:{mark}",
        from_ms=min(start, to_ms),
        to_ms=to_ms,
        told_ms=newest_reported_ms(before.known),
        lost=lost,
        at_least=at_least,
    )


def _loss(before: Checkpoint, seen: BotObservation, *, length: int) -> tuple[int | None, int]:
    """How many trades of the run are neither known nor in the list: exactly, or at least."""
    if before.count is None or seen.count is None or seen.count <= length:
        return None, 0
    missing = seen.count - before.count - length
    if missing >= 0 and seen.count == seen.count_after:
        return missing, missing
    return None, max(0, missing)


def _end(seen: BotObservation, *, began: bool) -> int:
    """Until when trades may be missing, in unix ms: the bot's start, or its list's oldest trade."""
    end = seen.at_ms
    if seen.trades:
        end = min(end, int(seen.trades[0].timestamp * 1000))
    if began and seen.run is not None:
        end = _start_ms(seen.run, otherwise=end)
    return end


def _start_ms(run: str, *, otherwise: int) -> int:
    try:
        started = datetime.fromisoformat(run)
    except ValueError:
        return otherwise
    return otherwise if started.tzinfo is None else int(started.timestamp() * 1000)


def _run(before: Checkpoint, seen: BotObservation, *, began: bool) -> str:
    if seen.run is not None:
        return seen.run
    return f"~{seen.at_ms}" if began or before.run == "" else before.run


def _count(before: Checkpoint, seen: BotObservation, *, fresh: int, broken: bool) -> int | None:
    """The run's trades up to this list's newest: counted around the list, or added up from one known before."""
    if seen.count is not None and (seen.count == seen.count_after or (fresh == 0 and not broken)):
        return seen.count
    return None if broken or before.count is None else before.count + fresh


def _merged(
    known: Mapping[str, KnownTrade], listed: Mapping[str, Trade], refused: Mapping[str, RejectedTrade], *, began: bool
) -> dict[str, KnownTrade]:
    """The newest of what is known; what is in the list is newest of all and never forgotten."""
    merged = {
        name: replace(value, past=value.past or began)
        for name, value in known.items()
        if name not in listed and name not in refused
    }
    merged |= {name: KnownTrade(entry.digest, 0.0) for name, entry in refused.items()}
    merged |= {name: KnownTrade(trade.digest(), trade.timestamp) for name, trade in listed.items()}
    return keep_newest(merged, at_least=len(listed) + len(refused))
