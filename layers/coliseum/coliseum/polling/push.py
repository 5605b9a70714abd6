"""Which trades of a list that the bot pushed may be published without a poll. Pure.

A push concludes nothing. It publishes only what stands behind the newest trade that the checkpoint knows from the bot,
the anchor: there the order is certain and nothing can be missing. First contact, restarts, gaps, corrections and rows
that are no trades wait for the next poll.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from coliseum.bot.parse import BotTrades
from coliseum.polling.checkpoint import Checkpoint, KnownTrade, keep_newest
from coliseum.polling.diff import BotObservation, in_bot_order, is_reported_trade, is_same_run, rejected_key
from coliseum.polling.publications import Publication, trade_candidates
from coliseum.trading.trades import Trade

LISTED_MAX = 1_000
"""So many trades may be published between two polls: what a late poll shows must still be recognised."""


@dataclass(frozen=True, slots=True)
class PushComparison:
    """What a pushed list adds to the log."""

    publication: Publication | None = None
    """None: nothing to publish now."""
    waits_for: str | None = None
    """Why this list has to wait for the next poll; None where it is published or known."""


def compare_push(before: Checkpoint, pushed: BotTrades, *, at_ms: int) -> PushComparison:
    """What `pushed` adds to the log with the checkpoint `before`."""
    if before.answered_ms is None:
        return PushComparison(waits_for="the bot has not been polled yet")
    if pushed.started_at is not None and pushed.started_at != before.run:
        return PushComparison(waits_for="the bot has been restarted, and was not polled since")
    if any(rejected_key(row) not in before.known for row in pushed.rejected):
        return PushComparison(waits_for="a row is not a valid trade")
    seen = _observation(before, pushed, at_ms=at_ms)
    listed, oldest_first = in_bot_order(before, seen)
    if all(_is_reported(before.known, trade) for trade in listed):
        return PushComparison()
    place = _anchor_place(before.known, listed)
    if place is None:
        return PushComparison(waits_for="the list does not hold the newest trade that is known")
    new = listed[place + 1 :]
    same_run = is_same_run(before, seen)
    if not new:
        return PushComparison(waits_for="an earlier trade of the list is not known as it stands there")
    if any(is_reported_trade(before.known.get(trade.trade_id), trade, same_run=same_run) for trade in new):
        return PushComparison(waits_for="the list is in another order than the known trades")
    if before.list_length + len(new) > LISTED_MAX:
        return PushComparison(waits_for=f"{LISTED_MAX} trades were pushed since the last poll")
    return PushComparison(
        Publication(tuple(trade_candidates(new, before)), _with_trades(before, new, oldest_first, at_ms=at_ms))
    )


def _observation(before: Checkpoint, pushed: BotTrades, *, at_ms: int) -> BotObservation:
    return BotObservation(
        trades=pushed.trades,
        rejected=pushed.rejected,
        # The anchor proves the run of a list that does not name it.
        run=pushed.started_at or before.run,
        trade_count=None,
        trade_count_after=None,
        at_ms=at_ms,
        oldest_first=pushed.oldest_first,
    )


def _is_reported(known: Mapping[str, KnownTrade], trade: Trade) -> bool:
    before = known.get(trade.trade_id)
    return before is not None and before.digest == trade.digest()


def _anchor_place(known: Mapping[str, KnownTrade], listed: tuple[Trade, ...]) -> int | None:
    """The place in `listed` of the newest trade that the bot reported in this run; None where it is not there as known.

    A trade that only the exchange reported is no anchor: its place among the bot's trades is not certain.
    """
    for trade_id, trade in reversed(tuple(known.items())):
        if trade.digest and not trade.from_earlier_run and not trade_id.startswith("!"):
            same = (each.trade_id == trade_id and each.digest() == trade.digest for each in listed)
            return next((place for place, found in enumerate(same) if found), None)
    return None


def _with_trades(before: Checkpoint, new: tuple[Trade, ...], oldest_first: bool | None, *, at_ms: int) -> Checkpoint:
    """The checkpoint with these trades. What only a poll can conclude stays as it is."""
    added = {trade.trade_id: KnownTrade(trade.digest(), trade.timestamp) for trade in new}
    known = {trade_id: trade for trade_id, trade in before.known.items() if trade_id not in added}
    length = before.list_length + len(new)
    return replace(
        before,
        known=keep_newest(known | added, at_least=length),
        trade_count=None if before.trade_count is None else before.trade_count + len(new),
        list_length=length,
        oldest_first=oldest_first,
        pushed_ms=at_ms,
    )
