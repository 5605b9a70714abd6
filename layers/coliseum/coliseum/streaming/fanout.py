"""Those who have heard everything so far, served as one: news is encoded, framed and counted once, then only written.

A live session at the log's head has nothing to decide when news comes: its next bytes are those of everybody with
the same filter. So it leaves its place at the reader to its audience, and takes it back when something concerns
it alone: its timer, its client, a source gone stale, a log that did not simply grow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coliseum.feed.feed import now_ms
from coliseum.streaming.log_reader import LogReader
from coliseum.streaming.ring import Block
from coliseum.streaming.session import Taken
from coliseum.streaming.stats import Counts
from coliseum.streaming.subscription import Selection

if TYPE_CHECKING:
    from coliseum.streaming.connections import Connection


class Audience:
    """The live sessions of one filter that stand at the log's head."""

    def __init__(self, reader: LogReader, selection: Selection, counts: Counts) -> None:
        self._reader = reader
        self._lane = reader.view.ring.lane(selection)
        self._counts = counts
        self._members: dict[Connection, Taken] = {}
        """Each with what all had taken when it was last told so."""
        self._taken = Taken()
        self._known: tuple[int, str | None] = (0, None)
        self._stale: object = None

    def join(self, member: Connection) -> None:
        """Take a session that rests at the head. It stays alone while the others have not heard as much yet."""
        view = self._reader.view
        if not self._members:
            self._known, self._stale = (view.ring.history, view.ring.epoch), view.stale
            self._taken = self._taken._replace(position=view.ring.head)
            self._reader.hold(self.wake)
        elif not self._is_current() or self._taken.position != view.ring.head:
            return
        self._members[member] = self._taken
        self._reader.release(member.wake)

    def settle(self, member: Connection) -> None:
        """Tell a member's session what it was given since it was last told."""
        since = self._members.get(member)
        if since is not None:
            self._members[member] = self._taken
            member.session.took(self._taken, since)

    def leave(self, member: Connection) -> None:
        """Let a member go on alone."""
        if member not in self._members:
            return
        self.settle(member)
        del self._members[member]
        self._reader.hold(member.wake)
        if not self._members:
            self._reader.release(self.wake)

    def wake(self) -> None:
        """Something changed: news for all, or for each to look at by itself."""
        ring, position = self._reader.view.ring, self._taken.position
        current = self._is_current()
        if current and position == ring.head:
            return
        block = self._lane.after(position) if current and ring.covers(position) else None
        if block is not None and block.end == ring.head:
            self._give(block)
        else:
            self._let_go(list(self._members))

    def _is_current(self) -> bool:
        """Whether the log has at most grown, and nothing else is to be told."""
        view = self._reader.view
        return self._stale is view.stale and self._known == (view.ring.history, view.ring.epoch)

    def _give(self, block: Block) -> None:
        if block.entries:
            self._let_go([member for member in self._members if not member.push(block.data)])
        size, lag_ms = len(self._members), max(0, now_ms() - block.latest_ms)
        self._taken = self._taken.plus(block, at=self._reader.loop.time(), lag_ms=lag_ms)
        self._counts.events += block.events * size
        self._counts.deliveries += block.entries * size
        if block.entries and size:
            self._counts.delays.add(lag_ms, block.entries * size)

    def _let_go(self, members: list[Connection]) -> None:
        for member in members:
            member.wake()
