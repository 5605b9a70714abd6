"""A small HTTP/1.1 server for streams: thousands of clients in one process. `python -m coliseum.streaming`.

Any ASGI server can run the stream. This one exists for three things they do not give: no work per write beyond the
chunk's frame, a connection that can be cut when its client stops reading (so that nothing stays buffered for it),
and a callback instead of a task to learn that a client left. It logs no address and no query.

Laws, for use behind a load balancer or alone:
1. A request is a head of at most 16 KB and, with Content-Length, a body of at most 64 KB; what else a head may hold
   (folded lines, two lengths, Transfer-Encoding, upgrades) is refused and the connection closed.
2. One request at a time; the next one is read when the answer is complete.
3. A client gets 10 s for its head and 75 s of rest between requests.
"""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from coliseum.observability import logger
from coliseum.streaming.app import StreamApp

HEAD_BYTES = 16_384
BODY_BYTES = 65_536
HEAD_SECONDS = 10.0
REST_SECONDS = 75.0
WRITE_HIGH_WATER = 65_536
"""Bytes buffered for one client before its writes wait."""
App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]
_REQUEST_LINE = re.compile(rb"^([A-Z]{1,16}) (/[!-~]*) HTTP/1\.([01])$")
_FIELD = re.compile(rb"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$")
_REASONS = {200: b"OK", 201: b"Created", 204: b"No Content"}


class Refused(Exception):
    """A request that we do not read on; `status` says why."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


def head_from(head: bytes) -> tuple[MutableMapping[str, Any], int]:
    """An ASGI scope without its connection, and the length of the body. Raises Refused."""
    first, *rest = head.split(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise Refused(400)
    headers: list[tuple[bytes, bytes]] = []
    for text in rest:
        field = _FIELD.fullmatch(text)
        if field is None:
            raise Refused(400)
        headers.append((field[1].lower(), field[2]))
    names = [name for name, _ in headers]
    if b"transfer-encoding" in names:
        raise Refused(501)
    lengths = [value for name, value in headers if name == b"content-length"]
    if len(lengths) > 1 or (lengths and not (lengths[0].isdigit() and len(lengths[0]) < 10)):
        raise Refused(400)
    length = int(lengths[0]) if lengths else 0
    if length > BODY_BYTES:
        raise Refused(413)
    raw_path, _, query = line[2].partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": f"1.{line[3].decode()}",
        "method": line[1].decode(),
        "scheme": "http",
        "path": unquote(raw_path.decode("ascii"), errors="replace"),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
    }
    return scope, length


class HttpProtocol(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, app: App, open_connections: set[HttpProtocol]) -> None:
        self._app = app
        self._open = open_connections
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.writable: asyncio.Future[None] | None = None
        """Done once the client takes bytes again; None while it does."""
        self._buffer = b""
        self._exchange: Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        self._open.add(self)
        self._wait_for_head(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)
        self._stop_timer()
        self.resume_writing()
        if self._exchange is not None:
            self._exchange.lose()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._exchange is not None:
            if len(self._buffer) > HEAD_BYTES + BODY_BYTES:
                self.transport.abort()  # talks on and on without waiting for its answer
            return
        try:
            self._begin()
        except Refused as refused:
            self.transport.write(
                b"HTTP/1.1 %d Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % refused.status
            )
            self.transport.close()

    def pause_writing(self) -> None:
        self.writable = self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self.writable = self.writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    def rest(self) -> None:
        """Between two answers: nothing would be lost by closing."""
        if self._exchange is None:
            self.transport.close()

    async def write(self, data: bytes) -> None:
        """Hand bytes to the client, waiting while it does not take them."""
        self.transport.write(data)
        if self.writable is not None:
            await self.writable

    def finished(self, *, keep: bool) -> None:
        """The answer is complete."""
        self._exchange = None
        if not keep:
            self.transport.close()
            return
        self._wait_for_head(REST_SECONDS)
        if self._buffer:
            self.data_received(b"")

    def _begin(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or end > HEAD_BYTES:
            if len(self._buffer) > HEAD_BYTES:
                raise Refused(431)
            return
        scope, length = head_from(self._buffer[:end])
        if len(self._buffer) < end + 4 + length:
            return
        body = self._buffer[end + 4 : end + 4 + length]
        self._buffer = self._buffer[end + 4 + length :]
        self._stop_timer()
        scope["client"] = self.transport.get_extra_info("peername")
        scope["server"] = self.transport.get_extra_info("sockname")
        scope["coliseum.abort"] = self.transport.abort
        self._exchange = Exchange(self, scope, body)
        self._exchange.start(self._app)

    def _wait_for_head(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(seconds, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Exchange:
    """One request and its answer: what the app holds."""

    __slots__ = (
        "_body",
        "_chunked",
        "_gone",
        "_keep",
        "_lost",
        "_protocol",
        "_scope",
        "_silent",
        "_task",
        "_unfinished",
    )

    def __init__(self, protocol: HttpProtocol, scope: MutableMapping[str, Any], body: bytes) -> None:
        connection = {value.lower() for name, value in scope["headers"] if name == b"connection"}
        self._protocol = protocol
        self._scope = scope
        self._body: bytes | None = body
        self._keep = scope["http_version"] == "1.1" and b"close" not in connection
        self._silent = scope["method"] == "HEAD"
        self._chunked = self._unfinished = self._lost = False
        self._gone: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        scope["coliseum.on_gone"] = self.tell_when_gone
        scope["coliseum.push"] = self.push

    def start(self, app: App) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(app))

    def lose(self) -> None:
        """The client has gone."""
        self._lost = True
        for tell in self._gone:
            tell()

    def tell_when_gone(self, tell: Callable[[], None]) -> None:
        """Call back once the client has left; at once where it has."""
        if self._lost:
            tell()
        else:
            self._gone.append(tell)

    def push(self, data: bytes) -> bool:
        """A part of the body, without waiting; False where the client is behind."""
        protocol = self._protocol
        if protocol.writable is not None or self._lost:
            return False
        protocol.transport.write(_chunk(data) if self._chunked else data)
        return True

    async def _run(self, app: App) -> None:
        try:
            await app(self._scope, self._receive, self._send)
        except Exception:  # noqa: BLE001  # one request must not end the server
            logger().exception("a request failed")
            self._keep = False
        self._gone.clear()
        if not self._lost:
            self._protocol.finished(keep=self._keep and not self._unfinished)

    async def _receive(self) -> MutableMapping[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if not self._lost:
            left = asyncio.Event()
            self._gone.append(left.set)
            await left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if self._lost:
            return
        if message["type"] == "http.response.start":
            self._unfinished = True
            await self._protocol.write(self._head(message["status"], message["headers"]))
            return
        data, more = message.get("body", b""), message.get("more_body", False)
        if self._chunked and not self._silent:
            data = (_chunk(data) if data else b"") + (b"" if more else b"0\r\n\r\n")
        if data and not self._silent:
            await self._protocol.write(data)
        if not more:
            self._unfinished = False

    def _head(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        lines = [b"HTTP/1.1 %d %b" % (status, _REASONS.get(status, b"-"))]
        lines += [b"%b: %b" % field for field in headers]
        if status != 204 and b"content-length" not in dict(headers):
            self._chunked = self._scope["http_version"] == "1.1"
            self._keep = self._keep and self._chunked
            lines += [b"transfer-encoding: chunked"] if self._chunked else []
        lines += [] if self._keep else [b"connection: close"]
        return b"\r\n".join([*lines, b"", b""])


@lru_cache(maxsize=8)
def _chunk(data: bytes) -> bytes:
    """One chunk. Clients that get the same bytes, which is the rule, share their frame too."""
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve(
    app: StreamApp, listening: socket.socket, *, ended: asyncio.Event, ready: Callable[[], None] = lambda: None
) -> None:
    """Serve until `ended`, then let every client go in the app's own time."""
    open_connections: set[HttpProtocol] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HttpProtocol(app, open_connections), sock=listening, backlog=4096)
    ready()
    await ended.wait()
    server.close()
    app.drain()
    for connection in list(open_connections):
        connection.rest()
    await app.drained()
    await app.close()
    for connection in list(open_connections):
        connection.rest()


async def run(app: StreamApp, listening: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    port = listening.getsockname()[1]
    await serve(app, listening, ended=ended, ready=lambda: logger().info("streams on port %d", port))
