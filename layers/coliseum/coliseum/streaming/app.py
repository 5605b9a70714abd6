"""The stream as a raw ASGI app: the same on Lambda, in a container and on one machine.

No framework: between an entry of the log and a client's socket lie one joined bytes object and one `send`.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from types import FrameType
from typing import Any

from coliseum.config import Settings
from coliseum.errors import ConfigurationError, InvalidInput
from coliseum.feed.feed import AsyncFeed
from coliseum.observability import logger
from coliseum.streaming.connections import SEND_SECONDS, AsgiReceive, AsgiSend, ConnectionRegistry
from coliseum.streaming.context import RETRY_MS, StreamContext, StreamRequest, parse_request
from coliseum.streaming.log_reader import LogReader
from coliseum.streaming.reader import SharedReader
from coliseum.streaming.responses import CrossOrigin, problem
from coliseum.streaming.routes import respond, send_response
from coliseum.streaming.stats import StreamCounters
from coliseum.streaming.timings import ReaderTimings
from coliseum.upstash.client import AsyncRedis

PREFIX = "/api/python"
DRAIN_SECONDS = 25.0
"""The longest drain: orchestrators kill after 30 s."""
DRAIN_PER_SECOND = 50
"""Clients let go in one second, so that of a thousand only one in twenty comes back in the same second."""


class StreamApp:
    """One process's stream. Call it as ASGI; `drain` lets its clients go.

    Invariant: the reader belongs to the loop that requests run in; another loop gets another reader.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        timings: ReaderTimings | None = None,
        drain_seconds: float = DRAIN_SECONDS,
        send_seconds: float = SEND_SECONDS,
        retry_ms: tuple[int, int] = RETRY_MS,
        open_reader: Callable[[], SharedReader] | None = None,
    ) -> None:
        """`open_reader` replaces the reader of the log in Redis; it is called inside the loop of the requests."""
        settings.require_stream_secrets()
        self._settings = settings
        self._timings = timings or ReaderTimings(poll_seconds=settings.poll_interval_seconds)
        self._drain_seconds = drain_seconds
        self._open_reader = open_reader or self._open_log_reader
        self._reader: SharedReader | None = None
        self._redis: AsyncRedis | None = None
        self.context = StreamContext(
            settings=settings,
            counters=StreamCounters(time.monotonic()),
            registry=ConnectionRegistry(),
            cross_origin=CrossOrigin(settings.cors_allow_origins),
            send_seconds=send_seconds,
            retry_ms=retry_ms,
        )

    async def __call__(self, scope: MutableMapping[str, Any], receive: AsgiReceive, send: AsgiSend) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            raise RuntimeError(f"ASGI scope: got {scope['type']}, expected http or lifespan")

    @property
    def opened_reader(self) -> SharedReader | None:
        """The reader, where a request has opened it already."""
        return self._reader

    def reader(self) -> SharedReader:
        """The reader of the running loop, opened on first use: Lambda's loop may be another one after an error."""
        loop = asyncio.get_running_loop()
        if self._reader is None or self._reader.loop is not loop:
            self._reader = self._open_reader()
        return self._reader

    def drain(self) -> None:
        """Let every client go, not all at once. Call it from the app's loop."""
        context = self.context
        if self._reader is None or context.draining:
            return
        context.draining = True
        now = self._reader.loop.time()
        spread_seconds = min(self._drain_seconds, len(context.registry.connections) / DRAIN_PER_SECOND)
        for connection in context.registry:
            connection.session.drain(now + context.rng.uniform(0, spread_seconds))
            connection.wake()

    async def drained(self) -> None:
        """Wait until the last client has gone, at most as long as a drain lasts."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._drain_seconds + 1):
                while self.context.registry.connections:  # noqa: ASYNC110  # once, at the very end
                    await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Stop reading, and close the connections to Redis."""
        if self._reader is not None:
            await self._reader.close()
            self._reader = None
        if self._redis is not None:
            await self._redis.close()
            self._redis = None

    async def _http(self, scope: MutableMapping[str, Any], receive: AsgiReceive, send: AsgiSend) -> None:
        path = _inner_path(scope)
        try:
            await respond(self.context, self.reader(), parse_request(scope, path), receive, send)
            return
        except InvalidInput as error:
            # Raised only while the request is read, so before any byte was sent.
            response = problem(400, str(error), path=scope["path"])
        except Exception as error:  # noqa: BLE001  # a request must be answered; sessions catch their own errors
            logger().exception("a stream request failed")
            known = isinstance(error, ConfigurationError)
            detail = str(error) if known else "an error of ours; it is logged"
            response = problem(503 if known else 500, detail, path=scope["path"])
        request = StreamRequest(scope["method"], path, scope["path"], dict(scope["headers"]), {})
        await send_response(self.context, request, response, send)

    def _open_log_reader(self) -> SharedReader:
        self._redis = AsyncRedis.from_settings(self._settings)
        feed = AsyncFeed.from_settings(self._settings, self._redis)
        doorbell = self._settings.feed_mode == "doorbell"
        return LogReader(feed, doorbell=doorbell, timings=self._timings, counters=self.context.counters)

    async def _lifespan(self, receive: AsgiReceive, send: AsgiSend) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                _drain_on_sigterm(asyncio.get_running_loop(), self.drain)
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self.drain()
                await self.drained()
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def create_app(settings: Settings) -> StreamApp:
    """The app for these settings. Nothing is connected before the first request."""
    return StreamApp(settings)


def _inner_path(scope: MutableMapping[str, Any]) -> str:
    """The path below any mount: the app answers under `/api/python` and at the root of a function URL."""
    path: str = scope["path"]
    path = path.removeprefix(scope.get("root_path", "").rstrip("/"))
    return path.removeprefix(PREFIX)


def _drain_on_sigterm(loop: asyncio.AbstractEventLoop, drain: Callable[[], None]) -> None:
    """Begin to drain with the signal: servers wait for their connections before they ask the app to shut down."""
    if threading.current_thread() is not threading.main_thread():
        return
    previous = signal.getsignal(signal.SIGTERM)
    if not callable(previous):
        return  # the default handler: the process just ends

    def handle(number: int, frame: FrameType | None) -> None:
        with suppress(RuntimeError):  # the loop may be closed already
            loop.call_soon_threadsafe(drain)
        previous(number, frame)

    signal.signal(signal.SIGTERM, handle)
