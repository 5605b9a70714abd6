"""The shell around sessions: one connection's loop of ask, write, wait; and who is connected.

A connection owns a position, a timer and at most one write in flight; no queue. A client that does not take
its bytes for `send_seconds` is let go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

from coliseum.errors import ColiseumError
from coliseum.feed.entries import EntryId
from coliseum.feed.readings import State
from coliseum.feed.service import now_ms
from coliseum.streaming.counts import Counts
from coliseum.streaming.service import LogReader
from coliseum.streaming.session import Close, Fetch, Phase, Send, Session, Wait
from coliseum.streaming.view import clock_text

Write = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Listen = Callable[[], Awaitable[MutableMapping[str, Any]]]
SEND_SECONDS = 15.0


class Connection:
    """One client's connection from its first event to its last."""

    __slots__ = (
        "_armed_at",
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
        "_write",
        "opened_ms",
        "session",
    )

    def __init__(
        self, session: Session, reader: LogReader, counts: Counts, write: Write, *, send_seconds: float
    ) -> None:
        self.session = session
        self.opened_ms = now_ms()
        self._reader = reader
        self._counts = counts
        self._write = write
        self._send_seconds = send_seconds
        self._loop = reader.loop
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._armed_at = 0.0
        self._sending_since: float | None = None
        self._task: asyncio.Task[Any] | None = None
        self._fetch: tuple[EntryId, asyncio.Future[State]] | None = None
        self._gone = False
        self._too_slow = False

    def wake(self) -> None:
        """Something changed: ask the session again."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
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
            return "too_slow"
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def _serve(self) -> str:
        session, view, counts = self.session, self._reader.view, self._counts
        clock = self._loop.time
        while not self._gone:
            step = session.advance(view, clock(), now_ms())
            if isinstance(step, Send):
                await self._send(step.data)
                counts.events += step.events
                if step.entries:
                    counts.deliveries += step.entries
                    self._note_lag(step)
            elif isinstance(step, Wait):
                await self._wait(step.until)
            elif isinstance(step, Fetch):
                await self._look_up(step.after)
            elif isinstance(step, Close):
                await self._send(step.data)
                return step.reason
        return "client"

    def _note_lag(self, step: Send) -> None:
        lag_ms = max(0, now_ms() - step.latest_ms)
        self.session.note_lag(lag_ms)
        if self.session.phase is Phase.LIVE:
            self._counts.delays.add(lag_ms, step.entries)

    async def _send(self, data: bytes) -> None:
        self._sending_since = self._loop.time()
        self._arm(self._sending_since + self._send_seconds)
        await self._write({"type": "http.response.body", "body": data, "more_body": True})
        self._sending_since = None

    async def _wait(self, until: float) -> None:
        self._arm(until)
        self._waiter = self._loop.create_future()
        await self._waiter
        self._waiter = None

    async def _look_up(self, after: EntryId) -> None:
        """Read from Redis without deafness: a slow answer holds up neither keepalive nor rotation."""
        if self._fetch is None or self._fetch[0] != after:
            read: asyncio.Future[State] = asyncio.ensure_future(self._reader.read(after))
            read.add_done_callback(lambda _: self.wake())
            self._fetch = (after, read)
        read = self._fetch[1]
        if not read.done():
            await self._wait(self._loop.time() + 1.0)
        if read.done():
            self._fetch = None
            try:
                self.session.receive(read.result(), self._reader.view, self._loop.time())
            except ColiseumError:
                self.session.unreachable(self._loop.time())

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

    connections: set[Connection]

    def __iter__(self) -> Iterator[Connection]:
        return iter(self.connections)

    def open_seconds(self) -> float:
        now = now_ms()
        return sum(now - connection.opened_ms for connection in self.connections) / 1000

    def data(self) -> list[dict[str, Any]]:
        """`/sse/clients`: nothing that tells who somebody is."""
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
