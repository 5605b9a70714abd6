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
from coliseum.streaming.answers import CrossOrigin, problem
from coliseum.streaming.connections import SEND_SECONDS, Listen, Register, Write
from coliseum.streaming.log_reader import LogReader, Pace
from coliseum.streaming.routes import RETRY_MS, Desk, Request, reply, request_from, respond
from coliseum.streaming.stats import Counts
from coliseum.upstash.client import AsyncRedis

PREFIX = "/api/python"
DRAIN_SECONDS = 25.0
"""The longest goodbye: orchestrators kill after 30 s."""
DRAIN_PER_SECOND = 50
"""Clients let go in one second: of a thousand, 5 % come back at once."""


class StreamApp:
    """One process's stream. Call it as ASGI; `drain` lets its clients go."""

    def __init__(
        self,
        settings: Settings,
        *,
        pace: Pace | None = None,
        drain_seconds: float = DRAIN_SECONDS,
        send_seconds: float = SEND_SECONDS,
        retry_ms: tuple[int, int] = RETRY_MS,
    ) -> None:
        if settings.stream_auth == "ticket":
            settings.require("admin_token", "stream_ticket_secret")
        self._settings = settings
        self._pace = pace or Pace(poll=settings.poll_interval_seconds)
        self._drain_seconds = drain_seconds
        self._reader: LogReader | None = None
        self._redis: AsyncRedis | None = None
        self.desk = Desk(
            settings=settings,
            counts=Counts(time.monotonic()),
            register=Register(),
            cross_origin=CrossOrigin(settings.cors_allow_origins),
            send_seconds=send_seconds,
            retry_ms=retry_ms,
        )

    async def __call__(self, scope: MutableMapping[str, Any], receive: Listen, send: Write) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            raise RuntimeError(f"no {scope['type']} here, only http")

    def drain(self) -> None:
        """Let every client go, not all at once. Call it from the app's loop."""
        if self._reader is None or self.desk.draining:
            return
        self.desk.draining = True
        now = self._reader.loop.time()
        grace = min(self._drain_seconds, len(self.desk.register.connections) / DRAIN_PER_SECOND)
        for connection in self.desk.register:
            connection.session.drain(now + self.desk.rng.uniform(0, grace))
            connection.wake()

    async def drained(self) -> None:
        """Wait until the last client has gone, at most as long as a drain lasts."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._drain_seconds + 1):
                while self.desk.register.connections:  # noqa: ASYNC110  # once, at the very end
                    await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Stop reading and hang up on Redis."""
        if self._reader is not None:
            await self._reader.close()
            self._reader = None
        if self._redis is not None:
            await self._redis.close()
            self._redis = None

    async def _http(self, scope: MutableMapping[str, Any], receive: Listen, send: Write) -> None:
        path = _inner_path(scope)
        try:
            await respond(self.desk, self._own_reader(), request_from(scope, path), receive, send)
            return
        except InvalidInput as error:
            # Raised only while the request is read, so before any byte was sent.
            answer = problem(400, str(error), path=scope["path"])
        except Exception as error:  # noqa: BLE001  # a request must be answered; sessions catch their own
            logger().exception("a request failed")
            known = isinstance(error, ConfigurationError)
            detail = str(error) if known else "an error of ours; it is logged"
            answer = problem(503 if known else 500, detail, path=scope["path"])
        await reply(self.desk, Request(scope["method"], path, scope["path"], dict(scope["headers"]), {}), answer, send)

    def _own_reader(self) -> LogReader:
        """The reader of the running loop: Lambda's loop may be another one after an error."""
        loop = asyncio.get_running_loop()
        if self._reader is None or self._reader.loop is not loop:
            self._redis = AsyncRedis.from_settings(self._settings)
            feed = AsyncFeed.from_settings(self._settings, self._redis)
            self._reader = LogReader(
                feed, doorbell=self._settings.feed_mode == "doorbell", pace=self._pace, counts=self.desk.counts
            )
        return self._reader

    async def _lifespan(self, receive: Listen, send: Write) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                _on_sigterm(asyncio.get_running_loop(), self.drain)
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


def _on_sigterm(loop: asyncio.AbstractEventLoop, drain: Callable[[], None]) -> None:
    """Begin to drain with the signal: servers wait for their connections before they tell the app to shut down."""
    if threading.current_thread() is not threading.main_thread():
        return
    previous = signal.getsignal(signal.SIGTERM)
    if not callable(previous):
        return  # nobody handles it: the process just ends

    def handle(number: int, frame: FrameType | None) -> None:
        with suppress(RuntimeError):  # the loop may be closed already
            loop.call_soon_threadsafe(drain)
        previous(number, frame)

    signal.signal(signal.SIGTERM, handle)
