"""The clients of the delivery tests: real sessions of one real stream process, cut at any byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tests.chaos.direct import DirectRedis

from coliseum.client import Parser, StreamEvent
from coliseum.errors import SourceUnavailable
from coliseum.feed.entries import EntryId
from coliseum.feed.feed import AsyncFeed
from coliseum.feed.protocol import Command, FeedState
from coliseum.streaming.log_reader import LogReader
from coliseum.streaming.session import Close, Fetch, Session, SessionSettings, Write
from coliseum.streaming.stats import StreamCounters
from coliseum.streaming.subscription import STREAMS, Earliest, Resume, Selection, Subscription
from coliseum.streaming.timings import ReaderTimings
from coliseum.upstash.client import AsyncRedis

Received = tuple[str | None, EntryId, str, Any]
"""Epoch, id of the event, its name, and one entry's data."""
CONTROL = {"ready", "snapshot", "heartbeat", "gap", "reset", "stale", "fresh", "closing"}
TURNS = 10_000


class StreamProcess:
    """The process that serves the viewers: its log reader and ring. `away` cuts it off from Redis."""

    def __init__(self, redis: DirectRedis, prefix: str) -> None:
        self._redis, self._prefix = redis, prefix
        self.away = False
        self.now = 1000.0
        self.lives = 0
        self.restart()

    def restart(self) -> None:
        """Start again with an empty ring. Every connection is closed."""
        self.lives += 1
        self.reader = self._redis.wait(self._begin())
        self.look()

    def look(self) -> None:
        """Read the log once, as the doorbell, a heartbeat of the poller or the poll interval make the reader do."""
        if not self.away:
            self._redis.wait(self.reader.check())

    def read(self, after: EntryId) -> FeedState:
        return cast(FeedState, self._redis.wait(self.reader.read(after)))

    async def transaction(self, commands: Sequence[Command]) -> list[Any]:
        """The one method of `AsyncRedis` that the feed needs."""
        if self.away:
            raise SourceUnavailable("redis", "is away")
        return self._redis.transaction(commands)

    async def _begin(self) -> LogReader:
        feed = AsyncFeed(cast(AsyncRedis, self), prefix=self._prefix)
        return LogReader(feed, doorbell=False, timings=ReaderTimings(ahead_seconds=0.0), counters=StreamCounters(0.0))


@dataclass
class Viewer:
    """One client over many connections. It remembers the last id, as an EventSource does."""

    process: StreamProcess
    ticker: str | None
    """The market it follows; None for all."""
    last_id: str = ""
    received: list[Received] = field(default_factory=list)
    """Every entry that arrived."""
    lost: dict[str | None, set[int]] = field(default_factory=dict)
    """By epoch, the sequence numbers that were declared lost at least once."""
    begins: dict[str | None, int] = field(default_factory=dict)
    """By epoch, the sequence number after which this viewer started; 0 when missing."""
    troubles: int = 0
    """Number of gaps and resets, repeated ones included."""

    def __post_init__(self) -> None:
        self.connect()
        self.pump(TURNS)  # with an id it must get everything from here on

    def connect(self) -> None:
        """Connect as EventSource does: with the last id, if there is one."""
        kinds = STREAMS["trading"]
        selection = Selection(kinds, frozenset() if self.ticker is None else frozenset({self.ticker}))
        start = Resume(EntryId.parse(self.last_id)) if self.last_id else Earliest()
        settings = SessionSettings(
            session_id="s",
            heartbeat_seconds=30.0,
            ends_at=float("inf"),
            session_seconds=1.0,
            retry_ms=1,
            trouble_retry_ms=1,
            identity={},
            ahead_seconds=0.0,
        )
        subscription = Subscription(stream="trading", selection=selection, start=start)
        self.session = Session(subscription, settings, self.process.now)
        self._parser = Parser()
        self._life = self.process.lives

    def pump(self, writes: int, *, cut_at: int | None = None) -> None:
        """Receive at most `writes` writes. With `cut_at` only that many bytes of the last one arrive."""
        self.process.look()
        if self._life != self.process.lives:
            self.connect()
        for data in self._writes(writes):
            writes -= 1
            self._arrive(data if cut_at is None or writes else data[: cut_at % (len(data) + 1)])
        if cut_at is not None:
            self.connect()

    def catch_up(self) -> None:
        """Receive everything up to the end of the log, and a heartbeat."""
        self.pump(TURNS)
        self.process.now += 31
        self.pump(TURNS)

    def _writes(self, most: int) -> Iterator[bytes]:
        view = self.process.reader.view
        for _ in range(TURNS):
            if most <= 0 or (self.session.is_at_head(view) and self.process.now < self.session.heartbeat_at):
                return
            step = self.session.advance(view, self.process.now, int(self.process.now * 1000))
            if isinstance(step, Write):
                most -= 1
                yield step.data
            elif isinstance(step, Fetch):
                self._look_up(step.after)
            elif isinstance(step, Close):
                yield step.data
                self.connect()
            elif self.process.away:
                return
            else:
                self.process.now = step.until
        raise AssertionError("the session never comes to rest")

    def _look_up(self, after: EntryId) -> None:
        try:
            self.session.receive(self.process.read(after), self.process.reader.view, self.process.now)
        except SourceUnavailable:
            self.session.unreachable(self.process.now)

    def _arrive(self, data: bytes) -> None:
        for event in self._parser.feed(data):
            self.troubles += event.name in {"gap", "reset"}
            if event.name == "gap":
                start, end = (EntryId.parse(event.data[name]).seq for name in ("from", "to"))
                assert end - start == event.data["lost"] > 0, event
                self.lost.setdefault(self.session.epoch, set()).update(range(start + 1, end + 1))
            elif event.name == "reset" and event.data["reason"] == "ahead":
                self.begins[self.session.epoch] = EntryId.parse(event.data["head"]).seq
            if event.id is not None:
                self.last_id = event.id
                self.received += () if event.name in CONTROL else self._entries(event)

    def _entries(self, event: StreamEvent) -> list[Received]:
        assert event.id is not None
        rows = event.data["trades"] if event.name == "new_trades" else [event.data]
        return [(self.session.epoch, EntryId.parse(event.id), event.name, row) for row in rows]
