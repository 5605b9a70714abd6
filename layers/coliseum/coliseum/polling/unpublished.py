"""The publications that the log does not have yet, and what is known of the bot including them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from coliseum.feed.entries import Candidate
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT, Checkpoint, KnownTrade, forget_trades, last_list_ids
from coliseum.polling.publications import Publication
from coliseum.trading.trades import Trade

BATCH_SIZE = 500
"""About so many entries in one publish call: some 250 KB, far below Redis' limit for a request."""

TradeOrder = Mapping[tuple[str, str], int]
"""The place of each trade by its key and time. The key alone is not enough, since a bot may use an id again."""


class UnpublishedQueue:
    """Publications that wait for the log, oldest first, and the poller's memory of the bot.

    Invariants:
    - `memory` includes everything that waits, so it may be ahead of the checkpoint in the log.
    - A publication leaves the queue only when the log has confirmed it, or when the memory is replaced as a whole.
      One exception: for an emptied log, `trades_to_publish` drops the waiting trades that the list repeats.
    - No batch's checkpoint includes entries that stand behind it, or trades of the bot's list that an emptied log does
      not have yet. So whatever part of the queue reaches the log, a poller that begins with the checkpoint stored there
      publishes the rest.
    """

    def __init__(self) -> None:
        self._memory = EMPTY_CHECKPOINT
        self._waiting: tuple[Publication, ...] = ()
        self._order: TradeOrder = {}
        self._log_was_emptied = False

    @property
    def memory(self) -> Checkpoint:
        """What is known of the bot."""
        return self._memory

    @property
    def entry_count(self) -> int:
        """How many entries wait."""
        return sum(len(publication.entries) for publication in self._waiting)

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, publication: Publication) -> None:
        """Queue the entries and remember the checkpoint. Without entries only the memory changes."""
        self._memory = publication.checkpoint
        if publication.entries:
            self._waiting += (publication,)
            self._order = extend_order(self._order, publication.checkpoint.known)

    def remember(self, checkpoint: Checkpoint) -> None:
        """Replace the memory by one that needs no entry in the log."""
        self._memory = checkpoint

    def restart_from(self, checkpoint: Checkpoint) -> None:
        """Drop what waits, and begin with the checkpoint of another poller.

        What waits was found by comparison with an older view of the bot. Whatever the log really lacks is found again
        by the next comparison.
        """
        self._memory, self._waiting, self._order = checkpoint, (), {}
        self._log_was_emptied = False

    def log_was_emptied(self) -> None:
        """Redis lost the log: the next list has to be published as a whole."""
        self._log_was_emptied = True

    def trades_to_publish(self, listed: tuple[Trade, ...], *, new: tuple[Trade, ...]) -> tuple[Trade, ...]:
        """The trades of a list that have to be queued: the `new` ones, or all `listed` ones for an emptied log.

        For an emptied log the queue first drops what the list repeats, and puts the rest in the order of the bot's
        lists.
        """
        if not self._log_was_emptied:
            return new
        self._waiting = (republish_before_list(self._waiting, listed, self._memory, self._order),)
        self._log_was_emptied = False
        return listed

    def prepare_batches(self, *, size: int = BATCH_SIZE) -> tuple[Publication, ...]:
        """What waits, joined into batches of about `size` entries. The last one also stores the newest memory.

        While an emptied log waits for the bot's next list, no batch's checkpoint includes the trades of the last list.
        """
        waiting = (*self._waiting, Publication((), self._memory))
        if self._log_was_emptied:
            # The bot may not answer for a while, and what is published meanwhile must not claim its list.
            lost_ids = last_list_ids(self._memory)
            waiting = tuple(replace(each, checkpoint=forget_trades(each.checkpoint, lost_ids)) for each in waiting)
        self._waiting = batches(waiting, size=size)
        return self._waiting

    def confirm_first(self) -> None:
        """The log has the first batch."""
        self._waiting = self._waiting[1:]

    def confirm_all(self) -> None:
        """The log has every batch, so the places of the trades are settled there."""
        self._waiting, self._order = (), {}


def batches(waiting: Iterable[Publication], *, size: int) -> tuple[Publication, ...]:
    """`waiting`, joined into batches of about `size` entries; no publication is split.

    A batch has the checkpoint of its last publication, so it never claims entries of the next batch.
    """
    joined: list[Publication] = []
    for publication in waiting:
        if joined and len(joined[-1].entries) + len(publication.entries) <= size:
            joined[-1] = Publication(joined[-1].entries + publication.entries, publication.checkpoint)
        else:
            joined.append(publication)
    return tuple(joined)


def extend_order(order: TradeOrder, known: Mapping[str, KnownTrade]) -> TradeOrder:
    """`order` with the trades in `known` that it lacks, behind those that it has."""
    places = dict(order)
    for trade_id, trade in known.items():
        places.setdefault((f"trade:{trade_id}", repr(trade.executed_at)), len(places))
    return places


def republish_before_list(
    waiting: Iterable[Publication], listed: Iterable[Trade], memory: Checkpoint, order: TradeOrder
) -> Publication:
    """What waits, without the trades that `listed` repeats, in the order of the bot's lists.

    For a log that was emptied: what waits may be a correction of a trade that the log no longer has, and it stands in
    the order of publication. `order` has the place of each trade; their times are the bot's and prove no order. The
    checkpoint is `memory` without the trades of the list, which are published behind this: a crash between the two must
    not make them count as published.
    """
    listed = tuple(listed)
    in_list = {(f"trade:{trade.trade_id}", repr(trade.timestamp)) for trade in listed}
    latest = -1
    placed: list[tuple[int, Candidate]] = []
    for entry in (entry for publication in waiting for entry in publication.entries):
        # An entry that is no trade, such as a gap, stays behind the newest trade that it came after.
        place = order.get((entry.key, entry.at), latest)
        latest = max(latest, place)
        if (entry.key, entry.at) not in in_list:
            placed.append((place, entry))
    placed.sort(key=lambda row: row[0])
    checkpoint = forget_trades(memory, {trade.trade_id for trade in listed})
    return Publication(tuple(entry for _, entry in placed), checkpoint)
