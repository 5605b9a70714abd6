"""Sessions that have been given everything so far are served as one group.

A live session at the log's head has nothing to decide when an entry comes: it gets the same bytes as every other
session with its filter. So it leaves its place among the reader's watchers to its group, and new entries are encoded,
framed and counted once, then only written. It takes the place back when something concerns it alone: its timer, its
client, a stale source, a log that did not simply grow.
"""

from __future__ import annotations

from typing import Protocol

from coliseum.feed.feed import now_ms
from coliseum.streaming.reader import SharedReader
from coliseum.streaming.ring import EncodedBlock
from coliseum.streaming.session import DeliveredTotals, Session
from coliseum.streaming.stats import StreamCounters
from coliseum.streaming.subscription import Selection


class Member(Protocol):
    """What a group needs of a connection."""

    session: Session

    def wake(self) -> None:
        """Ask the session again; this ends the membership."""

    def push(self, data: bytes) -> bool:
        """Write at once. Returns False, having done nothing, where the client is behind."""
        ...


class FanoutGroup:
    """The live sessions of one filter that stand at the log's head.

    Invariant: every member has been given all entries up to `_totals.position`. What a member was given since its
    session was updated last is the difference of `_totals` to its value in `_members`.
    """

    def __init__(self, reader: SharedReader, selection: Selection, counters: StreamCounters) -> None:
        self._reader = reader
        self._filtered = reader.view.ring.filtered(selection)
        self._counters = counters
        self._members: dict[Member, DeliveredTotals] = {}
        """Each with the totals when its session was updated last."""
        self._totals = DeliveredTotals()
        self._history: tuple[int, str | None] = (0, None)
        self._stale: object = None

    def join(self, member: Member) -> None:
        """Take a session that is at the head. It stays alone while the others have not been given as much yet."""
        view = self._reader.view
        if not self._members:
            self._history, self._stale = (view.ring.history, view.ring.epoch), view.stale
            self._totals = self._totals._replace(position=view.ring.head)
            self._reader.hold(self.wake)
        elif not self._is_current() or self._totals.position != view.ring.head:
            return
        self._members[member] = self._totals
        self._reader.release(member.wake)

    def update_session(self, member: Member) -> None:
        """Add to the member's session what the group has written for it."""
        before = self._members.get(member)
        if before is not None:
            self._members[member] = self._totals
            member.session.add_delivered(self._totals, before)

    def leave(self, member: Member) -> None:
        """The member goes on alone."""
        if member not in self._members:
            return
        self.update_session(member)
        del self._members[member]
        self._reader.hold(member.wake)
        if not self._members:
            self._reader.release(self.wake)

    def wake(self) -> None:
        """Something changed: new entries for all, or something that each session must look at by itself."""
        ring, position = self._reader.view.ring, self._totals.position
        current = self._is_current()
        if current and position == ring.head:
            return
        block = self._filtered.after(position) if current and ring.covers(position) else None
        if block is not None and block.end == ring.head:
            self._write(block)
        else:
            self._dissolve(list(self._members))

    def _is_current(self) -> bool:
        """Whether the log has at most grown, and there is nothing else to announce."""
        view = self._reader.view
        return self._stale is view.stale and self._history == (view.ring.history, view.ring.epoch)

    def _write(self, block: EncodedBlock) -> None:
        if block.entries:
            # A client that is behind leaves before the totals grow: it fetches this block by itself later.
            self._dissolve([member for member in self._members if not member.push(block.data)])
        size, lag_ms = len(self._members), max(0, now_ms() - block.latest_ms)
        self._totals = self._totals.plus(block, at=self._reader.loop.time(), lag_ms=lag_ms)
        self._counters.events += block.events * size
        self._counters.deliveries += block.entries * size
        if block.entries and size:
            self._counters.delays.add(lag_ms, block.entries * size)

    def _dissolve(self, members: list[Member]) -> None:
        for member in members:
            member.wake()
