"""A real server around the stream, listeners on real sockets, and a wire that can be cut and frozen."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit
from uuid import uuid4

import uvicorn
from pydantic import SecretStr
from tests.fixtures.redis import RedisServer
from tests.fixtures.waiting import PATIENCE_SECONDS, until
from tests.unit.streaming.whatwg import Interpreter

from coliseum.config import Settings
from coliseum.feed.entries import Candidate, EntryKind, event_candidate
from coliseum.feed.feed import Feed, Published, now_ms
from coliseum.feed.protocol import PollerHeartbeat
from coliseum.streaming.app import StreamApp
from coliseum.streaming.server import serve
from coliseum.streaming.timings import ReaderTimings
from coliseum.upstash.client import Redis

QUICK = ReaderTimings(
    poll_seconds=0.1,
    quiet_seconds=2.0,
    first_retry_seconds=0.05,
    longest_retry_seconds=0.2,
    judge_seconds=0.05,
    ahead_seconds=0.6,
    linger_seconds=0.5,
)
Received = tuple[str, dict[str, Any], str]
"""Name, data, and the id in force after it."""


@dataclass
class StreamServer:
    """The app on a server in a thread of its own."""

    app: StreamApp
    url: str

    def get(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET", body: str = "") -> Answer:
        """A whole answer."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=PATIENCE_SECONDS)
        connection.request(method, path, body=body or None, headers=dict(headers or {}))
        response = connection.getresponse()
        answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        connection.close()
        return answer

    def stats(self) -> dict[str, Any]:
        return self.get("/sse/stats").json()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value


def settings_for(redis_server: RedisServer, prefix: str, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "upstash_redis_rest_url": redis_server.url,
        "upstash_redis_rest_token": SecretStr(redis_server.token),
        "redis_key_prefix": prefix,
        "poll_interval_seconds": 0.2,
        "environment": "test",
    }
    return Settings(_env_file=None, **(values | changes))


@contextmanager
def serving(
    settings: Settings, *, timings: ReaderTimings = QUICK, server: str = "own", **changes: Any
) -> Iterator[StreamServer]:
    """The stream on a free port of this machine, on our `own` server or under `uvicorn`."""
    app = StreamApp(settings, timings=timings, **changes)
    with closing(socket.create_server(("127.0.0.1", 0), backlog=512)) as listening:
        loop, started, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

        async def run() -> None:
            if server == "own":
                await serve(app, listening, ended=ended, ready=started.set)
                return
            config = uvicorn.Config(app, log_level="critical", ws="none", lifespan="off")
            running = uvicorn.Server(config)
            task = asyncio.ensure_future(running.serve([listening]))
            started.set()
            await ended.wait()
            await app.close()
            running.should_exit = running.force_exit = True  # nothing is left to wait for
            await task

        def live() -> None:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(run())

        thread = threading.Thread(target=live)
        thread.start()
        assert started.wait(PATIENCE_SECONDS)
        try:
            yield StreamServer(app, f"http://127.0.0.1:{listening.getsockname()[1]}")
        finally:
            hang_up()
            loop.call_soon_threadsafe(ended.set)
            thread.join(PATIENCE_SECONDS)


@dataclass
class Publisher:
    """Writes to the log as the poller does."""

    feed: Feed
    published: list[str] = field(default_factory=list)

    def trades(self, count: int = 1, *, ticker: str = "A-1", at_ms: int | None = None, **more: Any) -> Published:
        """New trades in one publish; `more` are fields of theirs."""
        start = len(self.published)
        names = [f"t{start + index}" for index in range(count)]
        self.published += names
        found = [
            Candidate(
                kind=EntryKind.TRADE,
                key=name,
                digest="d",
                data={"trade_id": name, "ticker": ticker, "price": 0.5, "source": "bot_live", **more},
            )
            for name in names
        ]
        return self.feed.publish(found, now_ms=now_ms() if at_ms is None else at_ms)

    def from_tomorrow(self) -> None:
        """An entry of a kind that a later version will write."""
        kind = cast(EntryKind, SimpleNamespace(value="from_tomorrow"))
        entry = Candidate(kind=kind, key=uuid4().hex, digest="", data={"new": True}, correctable=False)
        self.feed.publish([entry], now_ms=now_ms())

    def status(self, status: str) -> None:
        data: dict[str, object] = {"status": status, "since": None, "trades": 0, "detail": None}
        self.feed.publish([event_candidate(EntryKind.BOT_STATUS, uuid4().hex, data)], now_ms=now_ms(), bot=data)

    def report(self, *, fresh_for: int = 60_000) -> None:
        at = now_ms()
        self.feed.send_heartbeat(
            PollerHeartbeat(owner="p", at=at, fresh_for=fresh_for, bot_ok_at=at, bot=None), ttl_ms=600_000
        )


def publisher(redis: Redis, prefix: str, *, maxlen: int = 10_000) -> Publisher:
    return Publisher(Feed(redis, prefix=prefix, maxlen=maxlen))


class Listener:
    """One connection, read in a thread as fast as it comes."""

    opened: ClassVar[list[Listener]] = []

    def __init__(self, url: str, path: str, *, last_event_id: str | None = None, compressed: bool = False) -> None:
        self.opened.append(self)
        self.bytes_in = b""
        self.ended = False
        self.status: int | None = None
        parts = urlsplit(url)
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
        headers |= {"Accept-Encoding": "gzip, br"} if compressed else {}
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=PATIENCE_SECONDS)
        self._connection.request("GET", path, headers=headers)
        self._socket: socket.socket = self._connection.sock
        self._response: http.client.HTTPResponse | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def encoding(self) -> str | None:
        """How the answer is compressed."""
        return None if self._response is None else self._response.headers["content-encoding"]

    @property
    def received(self) -> list[Received]:
        read = Interpreter().read(self.bytes_in)
        return [(each.type, json.loads(each.data), each.last_event_id) for each in read.dispatched]

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.received]

    @property
    def story(self) -> list[str]:
        """The names without what depends on the clock alone."""
        return [name for name in self.names if name not in {"stale", "fresh", "heartbeat"}]

    @property
    def trades(self) -> list[str]:
        return trades_of(self.received)

    @property
    def last_event_id(self) -> str:
        return Interpreter().read(self.bytes_in).last_event_id

    def data(self, name: str) -> dict[str, Any]:
        """The last event of this name."""
        return [data for received, data, _ in self.received if received == name][-1]

    def wait(self, name: str, count: int = 1) -> Listener:
        """Until so many events of this name have come."""
        until(lambda: self.names.count(name) >= count)
        return self

    def wait_trades(self, count: int) -> Listener:
        until(lambda: len(self.trades) >= count)
        return self

    def wait_end_or_trades(self, count: int) -> Listener:
        until(lambda: self.ended or len(self.trades) >= count)
        return self

    def wait_end(self) -> Listener:
        until(lambda: self.ended)
        return self

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE_SECONDS)
        if self._response is not None:
            self._response.close()
        self._connection.close()

    def _read(self) -> None:
        try:
            self._response = self._connection.getresponse()
            self.status = self._response.status
            while data := self._response.read1(65_536):
                self.bytes_in += data
        except (OSError, http.client.HTTPException, ValueError, AttributeError):
            pass  # cut: what came is what counts
        self.ended = True


def hang_up() -> None:
    """Close every listener that a test has left open."""
    while Listener.opened:
        Listener.opened.pop().close()


def trades_of(received: list[Received]) -> list[str]:
    return [trade["trade_id"] for name, data, _ in received if name == "new_trades" for trade in data["trades"]]


class Wire:
    """A TCP proxy that forwards so many bytes of each answer and then cuts, or freezes without a word."""

    def __init__(
        self, target: str, *, cuts: Iterator[int] | None = None, refusals: int = 0, piece: int | None = None
    ) -> None:
        """`cuts` gives each connection its bytes; the first `refusals` connections get the platform's own 503.

        `piece` splits what passes into pieces of so many bytes.
        """
        parts = urlsplit(target)
        self._target = (str(parts.hostname), int(parts.port or 80))
        self._cuts = cuts
        self._refusals = refusals
        self._piece = piece
        self.frozen = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        """Cut everything, and wait until no thread uses a socket any more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        self._listener.close()
        self._threads[0].join(PATIENCE_SECONDS)
        self.frozen.clear()
        self.cut()
        for thread in self._threads[1:]:
            thread.join(PATIENCE_SECONDS)
        for each in self._sockets:
            each.close()

    def cut(self) -> None:
        """Cut every connection now."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        self._threads.append(threading.Thread(target=work, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._refusals > 0:
                    self._refusals -= 1
                    client.recv(65_536)
                    client.sendall(
                        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    )
                    client.close()
                    continue
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                if self._piece is not None:
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                budget = next(self._cuts) if self._cuts is not None else None
                self._start(self._pass, client, server, None)
                self._start(self._pass, server, client, budget)

    def _pass(self, source: socket.socket, sink: socket.socket, budget: int | None) -> None:
        with suppress(OSError):
            while data := source.recv(65_536 if budget is None else max(1, min(65_536, budget))):
                while self.frozen.is_set():
                    time.sleep(0.02)
                for start in range(0, len(data), self._piece or len(data)):
                    sink.sendall(data[start : start + (self._piece or len(data))])
                if budget is not None:
                    budget -= len(data)
                    if budget <= 0:
                        break
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
