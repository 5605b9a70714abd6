"""A small HTTP/1.1 server for streams: thousands of clients in one process. `python -m coliseum.streaming`.

Any ASGI server can run the stream. This one exists for three things that they do not offer: a write costs nothing
beyond the frame of its chunk, a connection is cut when its client stops reading (so that nothing stays buffered for
it), and a callback instead of a task reports that a client left. It logs no address and no query.

It may stand behind a load balancer or alone:
1. `http_parser` says what a request is; anything else is refused and the connection closed.
2. It reads one request at a time, and the next one when the response is complete.
3. A client has 10 s for its request, and 75 s of silence between requests.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

from coliseum.observability import logger
from coliseum.streaming.app import StreamApp
from coliseum.streaming.http_parser import RequestHead, RequestReader, RequestRefused

REQUEST_SECONDS = 10.0
IDLE_SECONDS = 75.0
WRITE_HIGH_WATER = 65_536
"""Bytes buffered for one client before its writes wait."""
App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]
_REASONS = {200: b"OK", 201: b"Created", 204: b"No Content"}


class HttpProtocol(asyncio.Protocol):
    """One client's connection: reads requests, and runs the app for one of them at a time."""

    def __init__(self, app: App, open_connections: set[HttpProtocol]) -> None:
        self._app = app
        self._open = open_connections
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.writable: asyncio.Future[None] | None = None
        """Done once the client takes bytes again; None while it does."""
        self._reader = RequestReader()
        self._cycle: RequestCycle | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        self._open.add(self)
        self._close_after(REQUEST_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)
        self._stop_timer()
        self.resume_writing()
        if self._cycle is not None:
            self._cycle.client_left()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        if self._cycle is None:
            self._start_next()
        elif self._reader.overflows:
            self.transport.abort()  # it goes on sending without waiting for its response

    def pause_writing(self) -> None:
        self.writable = self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self.writable = self.writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def close_if_idle(self) -> None:
        """Close between two responses, when nothing would be lost."""
        if self._cycle is None:
            self.transport.close()

    async def write(self, data: bytes) -> None:
        """Hand bytes to the client; wait while it does not take them."""
        self.transport.write(data)
        if self.writable is not None:
            await self.writable

    def response_complete(self, *, keep: bool) -> None:
        """Read the next request, which may have arrived already; close where the connection is not kept."""
        self._cycle = None
        if not keep:
            self.transport.close()
            return
        self._close_after(IDLE_SECONDS)
        self._start_next()

    def _start_next(self) -> None:
        try:
            request = self._reader.next_request()
        except RequestRefused as refused:
            self.transport.write(
                b"HTTP/1.1 %d Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % refused.status
            )
            self.transport.close()
            return
        if request is None:
            return
        self._stop_timer()
        head, body = request
        head.scope["client"] = self.transport.get_extra_info("peername")
        head.scope["server"] = self.transport.get_extra_info("sockname")
        head.scope["coliseum.abort"] = self.transport.abort
        self._cycle = RequestCycle(self, head, body)
        self._cycle.start(self._app)

    def _close_after(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(seconds, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class RequestCycle:
    """One request and its response, as the app sees them."""

    __slots__ = (
        "_body",
        "_chunked",
        "_keep",
        "_left",
        "_on_left",
        "_protocol",
        "_scope",
        "_task",
        "_unfinished",
        "_without_body",
    )

    def __init__(self, protocol: HttpProtocol, head: RequestHead, body: bytes) -> None:
        self._protocol = protocol
        self._scope = head.scope
        self._body: bytes | None = body
        self._keep = head.keep_alive
        self._without_body = head.scope["method"] == "HEAD"
        self._chunked = self._unfinished = self._left = False
        self._on_left: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        head.scope["coliseum.on_gone"] = self.call_when_left
        head.scope["coliseum.push"] = self.push

    def start(self, app: App) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(app))

    def client_left(self) -> None:
        """The connection is gone: run the callbacks."""
        self._left = True
        for callback in self._on_left:
            callback()

    def call_when_left(self, callback: Callable[[], None]) -> None:
        """Call back once the client has left; at once where it has left already."""
        if self._left:
            callback()
        else:
            self._on_left.append(callback)

    def push(self, data: bytes) -> bool:
        """Send a part of the body without waiting. False where the client is behind; then nothing is sent."""
        protocol = self._protocol
        if protocol.writable is not None or self._left:
            return False
        protocol.transport.write(_chunk(data) if self._chunked else data)
        return True

    async def _run(self, app: App) -> None:
        try:
            await app(self._scope, self._receive, self._send)
        except Exception:  # noqa: BLE001  # one request must not end the server
            logger().exception("stream request failed")
            self._keep = False
        self._on_left.clear()
        if not self._left:
            self._protocol.response_complete(keep=self._keep and not self._unfinished)

    async def _receive(self) -> MutableMapping[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if not self._left:
            left = asyncio.Event()
            self._on_left.append(left.set)
            await left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if self._left:
            return
        if message["type"] == "http.response.start":
            self._unfinished = True
            await self._protocol.write(self._response_head(message["status"], message["headers"]))
            return
        data, more = message.get("body", b""), message.get("more_body", False)
        if self._chunked and not self._without_body:
            # An empty chunk would end the body, so no data means no chunk.
            data = (_chunk(data) if data else b"") + (b"" if more else b"0\r\n\r\n")
        if data and not self._without_body:
            await self._protocol.write(data)
        if not more:
            self._unfinished = False

    def _response_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        lines = [b"HTTP/1.1 %d %b" % (status, _REASONS.get(status, b"-"))]
        lines += [b"%b: %b" % field for field in headers]
        if status != 204 and b"content-length" not in dict(headers):
            # HTTP/1.0 knows no chunks: there the end of the connection ends the body.
            self._chunked = self._scope["http_version"] == "1.1"
            self._keep = self._keep and self._chunked
            lines += [b"transfer-encoding: chunked"] if self._chunked else []
        lines += [] if self._keep else [b"connection: close"]
        return b"\r\n".join([*lines, b"", b""])


@lru_cache(maxsize=8)
def _chunk(data: bytes) -> bytes:
    """One chunk. Clients mostly get the same bytes at the same time, so they share the frame too."""
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve(
    app: StreamApp, listening: socket.socket, *, ended: asyncio.Event, ready: Callable[[], None] = lambda: None
) -> None:
    """Serve until `ended` is set, then let every client go at the pace that the app sets."""
    open_connections: set[HttpProtocol] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HttpProtocol(app, open_connections), sock=listening, backlog=4096)
    ready()
    await ended.wait()
    server.close()
    app.drain()
    for connection in list(open_connections):
        connection.close_if_idle()
    await app.drained()
    await app.close()
    for connection in list(open_connections):
        connection.close_if_idle()


async def run(app: StreamApp, listening: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    port = listening.getsockname()[1]
    await serve(app, listening, ended=ended, ready=lambda: logger().info("stream server listens", port=port))
