"""The shell around sessions: one connection's loop of ask, write, wait; and who is connected.

A connection owns a position, a timer and at most one write in flight; no queue. A client that does not take
its bytes for `send_seconds` is let go.
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
from coliseum.streaming.fanout import Audience
from coliseum.streaming.log_reader import LogReader
from coliseum.streaming.session import Fetch, Phase, Send, Session, Wait
from coliseum.streaming.stats import Counts
from coliseum.streaming.subscription import Selection
from coliseum.streaming.view import clock_text

Write = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Listen = Callable[[], Awaitable[MutableMapping[str, Any]]]
SEND_SECONDS = 15.0


class Connection:
    """One client's connection from its first event to its last."""

    __slots__ = (
        "_abort",
        "_armed_at",
        "_audience",
        "_counts",
        "_fetch",
        "_gone",
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
        reader: LogReader,
        counts: Counts,
        write: Write,
        *,
        send_seconds: float,
        abort: Callable[[], None] | None = None,
        push: Callable[[bytes], bool] | None = None,
        audience: Audience | None = None,
    ) -> None:
        """Where the server can, `abort` cuts the client off with what is buffered for it, and `push` writes at once.

        `push` takes the bytes and says True, or says False and has done nothing: the client is behind. With it
        the connection may rest in an `audience`.
        """
        self.session = session
        self.opened_ms = now_ms()
        self._reader = reader
        self._counts = counts
        self._write = write
        self._send_seconds = send_seconds
        self._abort = abort
        self.push = push or (lambda data: False)
        self._audience = audience if push is not None else None
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
            self._stand_alone()
            waiter.set_result(None)

    def gone(self) -> None:
        """The client hung up."""
        self._gone = True
        self.wake()

    async def run(self) -> str:
        """Serve until the end; why it ended."""
        self._task = asyncio.current_task()
        try:
            return await self._serve()
        except asyncio.CancelledError:
            if not self._too_slow:
                raise
            if self._task is not None:
                self._task.uncancel()
            if self._abort is not None:
                self._abort()
            return "too_slow"
        finally:
            self._stand_alone()
            if self._timer is not None:
                self._timer.cancel()

    def settle(self) -> None:
        """Bring the session up to date with what it was given together with others."""
        if self._audience is not None:
            self._audience.settle(self)

    def _stand_alone(self) -> None:
        if self._audience is not None:
            self._audience.leave(self)

    async def _serve(self) -> str:
        session, view, counts = self.session, self._reader.view, self._counts
        clock = self._loop.time
        while not self._gone:
            self._woken = False
            step = session.advance(view, clock(), now_ms())
            if isinstance(step, Send):
                await self._send(step.data)
                counts.events += step.events
                if step.entries:
                    counts.deliveries += step.entries
                    if session.phase is Phase.LIVE:
                        counts.delays.add(step.lag_ms, step.entries)
            elif isinstance(step, Wait):
                self._fetch = None
                self._arm(step.until)
                if self._audience is not None and not self._woken and session.rests(view):
                    self._audience.join(self)
                await self._pause()
            elif isinstance(step, Fetch):
                await self._look_up(step.after)
            else:
                await self._send(step.data)
                counts.events += step.events
                return step.reason
        return "client"

    async def _send(self, data: bytes) -> None:
        self._sending_since = self._loop.time()
        self._arm(self._sending_since + self._send_seconds)
        await self._write({"type": "http.response.body", "body": data, "more_body": True})
        self._sending_since = None

    async def _pause(self) -> None:
        """Until somebody wakes us or the timer rings; not at all if somebody has since we last asked."""
        if not self._woken:
            self._waiter = self._loop.create_future()
            await self._waiter
            self._waiter = None

    async def _look_up(self, after: EntryId) -> None:
        """Read from Redis without deafness: a slow answer holds up neither keepalive nor rotation."""
        if self._fetch is None or self._fetch[0] != after:
            read: asyncio.Future[FeedState] = asyncio.ensure_future(self._reader.read(after))
            read.add_done_callback(self._looked_up)
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

    def _looked_up(self, read: asyncio.Future[FeedState]) -> None:
        if not read.cancelled():
            read.exception()  # seen, even where the session has moved on meanwhile
        self.wake()

    def _arm(self, until: float) -> None:
        """Make sure that the timer rings at `until` or earlier: one that rings too early costs less than re-arming."""
        if self._timer is not None:
            if self._armed_at <= until:
                return
            self._timer.cancel()
        self._armed_at = until
        self._timer = self._loop.call_at(until, self._ring)

    def _ring(self) -> None:
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
class Register:
    """Who is connected to this process."""

    connections: set[Connection] = field(default_factory=set)
    _audiences: WeakValueDictionary[tuple[LogReader, Selection], Audience] = field(default_factory=WeakValueDictionary)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self.connections)

    def audience(self, reader: LogReader, selection: Selection, counts: Counts) -> Audience:
        """That of this filter, shared as long as a connection holds it."""
        audience = self._audiences.get((reader, selection))
        if audience is None:
            audience = self._audiences[reader, selection] = Audience(reader, selection, counts)
        return audience

    def open_seconds(self) -> float:
        now = now_ms()
        return sum(now - connection.opened_ms for connection in self.connections) / 1000

    def data(self) -> list[dict[str, Any]]:
        """`/sse/clients`: nothing that tells who somebody is."""
        for connection in self.connections:
            connection.settle()
        return [
            {
                "id": connection.session.plan.session_id,
                "stream": connection.session.subscription.stream,
                "connected_since": clock_text(connection.opened_ms),
                "last_event_id": None if connection.session.sent_id is None else str(connection.session.sent_id),
                "events_sent": connection.session.tally.events,
            }
            for connection in sorted(self.connections, key=lambda each: each.opened_ms)
        ]
