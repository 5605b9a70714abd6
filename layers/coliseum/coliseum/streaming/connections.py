"""The loop around one session, ask, write, wait, and who is connected to this process.

A connection holds a position, a timer and at most one write under way; no queue. A client that takes no bytes for
`send_seconds` is disconnected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from coliseum.errors import ColiseumError
from coliseum.feed.entries import EntryId
from coliseum.feed.feed import now_ms
from coliseum.feed.protocol import FeedState
from coliseum.feed.timestamps import rfc3339
from coliseum.streaming.fanout import FanoutGroup
from coliseum.streaming.reader import SharedReader
from coliseum.streaming.session import Fetch, Phase, Session, Wait, Write
from coliseum.streaming.stats import StreamCounters
from coliseum.streaming.subscription import Selection

AsgiSend = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiReceive = Callable[[], Awaitable[MutableMapping[str, Any]]]
SEND_SECONDS = 15.0


class ClientConnection:
    """One client's connection from its first event to its last.

    Invariant: while it waits, either it is itself among the reader's watchers or its group is.
    """

    __slots__ = (
        "_abort",
        "_armed_at",
        "_counters",
        "_fetch",
        "_gone",
        "_group",
        "_loop",
        "_reader",
        "_send_seconds",
        "_sending_since",
        "_task",
        "_timer",
        "_too_slow",
        "_waiter",
        "_woken",
        "_write",
        "opened_ms",
        "push",
        "session",
    )

    def __init__(
        self,
        session: Session,
        reader: SharedReader,
        counters: StreamCounters,
        write: AsgiSend,
        *,
        send_seconds: float,
        abort: Callable[[], None] | None = None,
        push: Callable[[bytes], bool] | None = None,
        group: FanoutGroup | None = None,
    ) -> None:
        """Where the server can, `abort` disconnects the client and drops what is buffered, and `push` writes at once.

        `push` takes the bytes and returns True, or has done nothing and returns False: the client is behind. Only
        with `push` the connection joins its `group`.
        """
        self.session = session
        self.opened_ms = now_ms()
        self._reader = reader
        self._counters = counters
        self._write = write
        self._send_seconds = send_seconds
        self._abort = abort
        self.push = push or (lambda data: False)
        self._group = group if push is not None else None
        self._loop = reader.loop
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._armed_at = 0.0
        self._sending_since: float | None = None
        self._task: asyncio.Task[Any] | None = None
        self._fetch: tuple[EntryId, asyncio.Future[FeedState]] | None = None
        self._gone = self._woken = False
        self._too_slow = False

    def wake(self) -> None:
        """Something changed: ask the session again."""
        self._woken = True
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            self._leave_group()
            waiter.set_result(None)

    @property
    def is_gone(self) -> bool:
        """Whether the client has disconnected."""
        return self._gone

    def gone(self) -> None:
        """The client disconnected."""
        self._gone = True
        self.wake()

    async def run(self) -> str:
        """Serve until the end. Returns why it ended, as `/sse/stats` counts it."""
        self._task = asyncio.current_task()
        try:
            return await self._serve()
        except asyncio.CancelledError:
            if not self._too_slow:
                raise
            # Cancelled by our own timer, not from outside: the task goes on and tidies up.
            if self._task is not None:
                self._task.uncancel()
            if self._abort is not None:
                self._abort()
            return "too_slow"
        finally:
            self._leave_group()
            if self._timer is not None:
                self._timer.cancel()

    def update_session(self) -> None:
        """Add to the session what was written for it as a member of its group."""
        if self._group is not None:
            self._group.update_session(self)

    def _leave_group(self) -> None:
        if self._group is not None:
            self._group.leave(self)

    async def _serve(self) -> str:
        session, view, counters = self.session, self._reader.view, self._counters
        clock = self._loop.time
        while not self._gone:
            self._woken = False
            step = session.advance(view, clock(), now_ms())
            if isinstance(step, Write):
                await self._send(step.data)
                counters.events += step.events
                if step.entries:
                    counters.deliveries += step.entries
                    if session.phase is Phase.LIVE:
                        counters.delays.add(step.lag_ms, step.entries)
            elif isinstance(step, Wait):
                self._fetch = None
                self._arm(step.until)
                if self._group is not None and not self._woken and session.is_at_head(view):
                    self._group.join(self)
                await self._pause()
            elif isinstance(step, Fetch):
                await self._read_log(step.after)
            else:
                await self._send(step.data)
                counters.events += step.events
                return step.reason
        return "client"

    async def _send(self, data: bytes) -> None:
        self._sending_since = self._loop.time()
        self._arm(self._sending_since + self._send_seconds)
        await self._write({"type": "http.response.body", "body": data, "more_body": True})
        self._sending_since = None

    async def _pause(self) -> None:
        """Until `wake` is called; not at all if that happened since the session was asked."""
        if not self._woken:
            self._waiter = self._loop.create_future()
            await self._waiter
            self._waiter = None

    async def _read_log(self, after: EntryId) -> None:
        """Read from Redis, at most a second at a time: a slow answer must hold up neither keepalive nor rotation."""
        if self._fetch is None or self._fetch[0] != after:
            read: asyncio.Future[FeedState] = asyncio.ensure_future(self._reader.read(after))
            read.add_done_callback(self._finish_read)
            self._fetch = (after, read)
        read = self._fetch[1]
        if not read.done():
            self._arm(self._loop.time() + 1.0)
            await self._pause()
        if read.done():
            self._fetch = None
            try:
                self.session.receive(read.result(), self._reader.view, self._loop.time())
            except ColiseumError:
                self.session.unreachable(self._loop.time())

    def _finish_read(self, read: asyncio.Future[FeedState]) -> None:
        if not read.cancelled():
            read.exception()  # retrieved here, because the session may have gone on meanwhile
        self.wake()

    def _arm(self, until: float) -> None:
        """Make sure that the timer runs out at `until` or earlier: one that is too early costs less than re-arming."""
        if self._timer is not None:
            if self._armed_at <= until:
                return
            self._timer.cancel()
        self._armed_at = until
        self._timer = self._loop.call_at(until, self._time_out)

    def _time_out(self) -> None:
        self._timer = None
        if self._sending_since is None:
            self.wake()
        elif self._loop.time() >= self._sending_since + self._send_seconds:
            self._too_slow = True
            if self._task is not None:
                self._task.cancel()
        else:
            self._arm(self._sending_since + self._send_seconds)


@dataclass(frozen=True, slots=True)
class ConnectionRegistry:
    """The connections of this process, and the groups they share."""

    connections: set[ClientConnection] = field(default_factory=set)
    _groups: WeakValueDictionary[tuple[SharedReader, Selection], FanoutGroup] = field(
        default_factory=WeakValueDictionary
    )

    def __iter__(self) -> Iterator[ClientConnection]:
        return iter(self.connections)

    def group(self, reader: SharedReader, selection: Selection, counters: StreamCounters) -> FanoutGroup:
        """The group of this filter, one object for all connections that hold it."""
        group = self._groups.get((reader, selection))
        if group is None:
            group = self._groups[reader, selection] = FanoutGroup(reader, selection, counters)
        return group

    def open_seconds(self) -> float:
        """The sum of the ages of all connections."""
        now = now_ms()
        return sum(now - connection.opened_ms for connection in self.connections) / 1000

    def data(self) -> list[dict[str, Any]]:
        """The items of `/sse/clients`, oldest first: nothing by which a client could be identified."""
        for connection in self.connections:
            connection.update_session()
        return [
            {
                "id": connection.session.settings.session_id,
                "stream": connection.session.subscription.stream,
                "connected_since": rfc3339(connection.opened_ms),
                "last_event_id": _text(connection.session.stats.sent_id),
                "events_sent": connection.session.stats.events,
            }
            for connection in sorted(self.connections, key=lambda each: each.opened_ms)
        ]


def _text(entry_id: EntryId | None) -> str | None:
    return None if entry_id is None else str(entry_id)
