"""Follow a Coliseum stream from Python: `for event in follow(url)`, or `async for event in follow_async(url)`.

It needs only httpx and no other module of this package. It resumes by event id, reconnects with jitter after
temporary failures, drops entries that were delivered before, and passes on what the stream says about itself: `gap`,
`reset`, `stale`, `closing`. It ends where the server refuses for good (4xx: `StreamRefused`) or has nothing to send
(204).
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import Any

import httpx

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0
WATCHDOG_SECONDS = 45.0
"""A connection without a byte for so long counts as dead. The server writes at least every 10 s."""
_ID = re.compile(r"(\d{1,16})-(\d{1,16})", re.ASCII)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Ignored at the very beginning of a stream."""
_CONTROL = frozenset({"ready", "snapshot", "heartbeat", "gap", "reset", "stale", "fresh", "closing"})
_TEMPORARY_STATUSES = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of the stream."""

    name: str
    data: Any
    """The event's JSON."""
    id: str | None
    """None where the event has none; then it does not move the cursor."""


class StreamRefused(Exception):
    """The server refused for good: wrong address, malformed query, no permission."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"the stream responded with {status}: {detail}")
        self.status = status
        self.detail = detail


class _NoContent(Exception):
    """204: the server asks the client not to reconnect."""


class Parser:
    """Parses bytes into events by the WHATWG rules, however the bytes are cut. Drops an event that is cut off.

    Invariant: `_rest` holds, in pieces, the beginning of a line whose end has not arrived yet.
    """

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._after_cr = False
        self._begun = False
        self._name = ""
        self._data: list[str] = []
        self._id: str | None = None
        self.retry_seconds: float | None = None

    def feed(self, chunk: bytes) -> Iterator[StreamEvent]:
        """The events that `chunk` completes, in order."""
        for line in self._lines(chunk):
            if line:
                self._field(line)
                continue
            if self._data:
                yield StreamEvent(self._name or "message", _parsed("\n".join(self._data)), self._id)
            self._name, self._data, self._id = "", [], None

    def _lines(self, chunk: bytes) -> Iterator[str]:
        if self._after_cr and chunk:
            # CR LF is one line end, also where the chunk was cut between the two.
            chunk, self._after_cr = chunk.removeprefix(b"\n"), False
        if not self._begun:
            chunk, self._rest = b"".join(self._rest) + chunk, []
            if len(chunk) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(chunk):
                self._rest = [chunk]
                return
            chunk, self._begun = chunk.removeprefix(_BYTE_ORDER_MARK), True
        # Only the new bytes are searched and a line is joined once, so that a long line in small chunks stays cheap.
        first, *others = re.split(rb"\r\n|\n|\r", chunk)
        self._after_cr = chunk.endswith(b"\r")
        self._rest.append(first)
        if others:
            lines = [b"".join(self._rest), *others[:-1]]
            self._rest = others[-1:]
            for line in lines:
                yield line.decode("utf-8", "replace")

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_seconds = int(value) / 1000


@dataclass(slots=True)
class Follower:
    """What a client remembers between connections: cursor, waits, and the newest delivered id. Does no I/O."""

    cursor: str | None = None
    """The last id. Another process that gets it goes on where this one stopped."""
    on_gap: Callable[[Mapping[str, Any]], None] | None = None
    failures: int = 0
    retry_seconds: float = FIRST_WAIT_SECONDS
    retry_after: float = 0.0
    _delivered: tuple[int, int] = (-1, -1)
    _rng: random.Random = field(default_factory=random.Random)

    def request(
        self,
        client: httpx.Client | httpx.AsyncClient,
        url: str,
        *,
        params: Mapping[str, str] | None,
        token: str | None,
        watchdog_seconds: float,
    ) -> httpx.Request:
        """The request of the next connection: it resumes behind the cursor."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if self.cursor is not None:
            headers["Last-Event-ID"] = self.cursor
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        timeout = httpx.Timeout(10.0, read=watchdog_seconds)
        return client.build_request("GET", url, params=params, headers=headers, timeout=timeout)

    def accepts(self, response: httpx.Response, body: str) -> bool:
        """Whether to read the stream; False means to try again later. `body` is that of a refusal.

        Raises StreamRefused where trying again would not help.
        """
        if response.status_code == 204:
            raise _NoContent
        if response.status_code == 200:
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "text/event-stream":
                raise StreamRefused(200, f"content type: got {kind!r}, expected text/event-stream")
            return True
        if response.status_code in _TEMPORARY_STATUSES or response.status_code >= 500:
            after = response.headers.get("retry-after", "")
            self.retry_after = min(float(after), LONGEST_WAIT_SECONDS) if after.isdigit() else 0.0
            self.failures += 1
            return False
        raise StreamRefused(response.status_code, body[:500])

    def take(self, parser: Parser, chunk: bytes) -> Iterator[StreamEvent]:
        """The events that `chunk` completes and that were not delivered before. Each moves the cursor."""
        for event in parser.feed(chunk):
            if parser.retry_seconds is not None:
                self.retry_seconds = min(parser.retry_seconds, LONGEST_WAIT_SECONDS)
            if self._is_new(event):
                yield event

    def _is_new(self, event: StreamEvent) -> bool:
        self.failures = 0
        self.retry_after = 0.0
        if event.name == "reset":
            self._delivered = (-1, -1)
        elif event.name == "gap" and self.on_gap is not None and isinstance(event.data, Mapping):
            self.on_gap(event.data)
        if event.id is None:
            return True
        match = _ID.fullmatch(event.id)
        entry_id = (int(match[1]), int(match[2])) if match else None
        # Control events repeat the id of an entry; only entries of the log are delivered once.
        if entry_id is not None and event.name not in _CONTROL:
            if entry_id <= self._delivered:
                return False
            self._delivered = entry_id
        self.cursor = event.id
        return True

    def failed(self) -> None:
        """A connection failed: wait longer before the next one."""
        self.failures += 1

    def wait_seconds(self) -> float:
        """Before the next connection: the server's `retry` after a normal end, full jitter after failures."""
        if not self.failures:
            return self.retry_seconds
        most = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (self.failures - 1))
        return max(self.retry_after, self._rng.uniform(0.0, most))


def follow(
    url: str,
    *,
    follower: Follower | None = None,
    params: Mapping[str, str] | None = None,
    token: str | None = None,
    client: httpx.Client | None = None,
    watchdog_seconds: float = WATCHDOG_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Generator[StreamEvent, None, None]:
    """Every event of the stream at `url`, until the caller stops iterating.

    Pass a `follower` to begin at its cursor, and to read the cursor afterwards. `watchdog_seconds` of silence count as
    a dead connection. Raises StreamRefused where the server refuses for good.
    """
    state = follower or Follower()
    owns_client = client is None
    session = client or httpx.Client()
    try:
        while True:
            try:
                request = state.request(session, url, params=params, token=token, watchdog_seconds=watchdog_seconds)
                yield from _once(session, request, state)
            except _NoContent:
                return
            except httpx.UnsupportedProtocol:
                raise  # an address without http:// will never work
            except (httpx.HTTPError, httpx.StreamError):
                state.failed()
            sleep(state.wait_seconds())
    finally:
        if owns_client:
            session.close()


async def follow_async(
    url: str,
    *,
    follower: Follower | None = None,
    params: Mapping[str, str] | None = None,
    token: str | None = None,
    client: httpx.AsyncClient | None = None,
    watchdog_seconds: float = WATCHDOG_SECONDS,
) -> AsyncGenerator[StreamEvent, None]:
    """As `follow`, inside an event loop. Raises StreamRefused where the server refuses for good."""
    state = follower or Follower()
    owns_client = client is None
    session = client or httpx.AsyncClient()
    try:
        while True:
            try:
                request = state.request(session, url, params=params, token=token, watchdog_seconds=watchdog_seconds)
                async with aclosing(_once_async(session, request, state)) as events:
                    async for event in events:
                        yield event
            except _NoContent:
                return
            except httpx.UnsupportedProtocol:
                raise
            except (httpx.HTTPError, httpx.StreamError):
                state.failed()
            await asyncio.sleep(state.wait_seconds())
    finally:
        if owns_client:
            await session.aclose()


def _once(session: httpx.Client, request: httpx.Request, state: Follower) -> Iterator[StreamEvent]:
    with closing(session.send(request, stream=True)) as response:
        body = "" if response.status_code in {200, 204} else response.read().decode("utf-8", "replace")
        if state.accepts(response, body):
            parser = Parser()
            for chunk in response.iter_bytes():
                yield from state.take(parser, chunk)


async def _once_async(
    session: httpx.AsyncClient, request: httpx.Request, state: Follower
) -> AsyncGenerator[StreamEvent, None]:
    async with aclosing(await session.send(request, stream=True)) as response:
        body = "" if response.status_code in {200, 204} else (await response.aread()).decode("utf-8", "replace")
        if state.accepts(response, body):
            parser = Parser()
            async for chunk in response.aiter_bytes():
                for event in state.take(parser, chunk):
                    yield event


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


Event = StreamEvent
"""The name of `StreamEvent` before 0.2.0, for programs that import it."""

__all__ = ["Event", "Follower", "Parser", "StreamEvent", "StreamRefused", "follow", "follow_async"]
