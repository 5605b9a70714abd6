"""A log, its shared ring and any number of clients, in one thread and on a clock that the test moves."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.unit.streaming.whatwg import Interpreter

from coliseum.feed.contiguity import Reading
from coliseum.feed.entries import START, Entry, EntryId, EntryKind
from coliseum.feed.protocol import FeedState, PollerHeartbeat
from coliseum.streaming.session import Close, Fetch, Session, SessionSettings, Wait, Write
from coliseum.streaming.sources import StaleSource
from coliseum.streaming.subscription import STREAMS, Now, Resume, Selection, StartPoint, Subscription
from coliseum.streaming.view import LogView

BEGAN_MS = 1_700_000_000_000


@dataclass
class World:
    """Redis is `entries`; the ring follows at once unless `ring_follows` is off."""

    view: LogView = field(default_factory=LogView)
    epoch: str = "e1"
    base_ms: int = BEGAN_MS
    entries: list[Entry] = field(default_factory=list)
    head: EntryId = START
    now: float = 1000.0
    redis_up: bool = True
    ring_follows: bool = True
    fetches: int = 0

    def __post_init__(self) -> None:
        self.view.loaded = True
        self.view.ring.epoch = self.epoch

    @property
    def wall_ms(self) -> int:
        return BEGAN_MS + int(self.now * 1000)

    def publish(self, *tickers: str, kind: EntryKind = EntryKind.TRADE) -> list[Entry]:
        ms = max(self.wall_ms, self.head.ms)
        added = []
        for ticker in tickers:
            self.head = EntryId(ms, self.head.seq + 1)
            data: dict[str, Any] = {"trade_id": f"{self.epoch}/{self.head.seq}", "ticker": ticker, "source": "bot_live"}
            added.append(Entry(self.head, kind, data))
        self.entries += added
        if self.ring_follows:
            self.view.ring.extend(added)
        return added

    def trim(self, keep: int) -> None:
        """Redis forgets; the ring too, as after a reader that was away."""
        self.entries = self.entries[len(self.entries) - keep :] if keep else []
        floor = EntryId(self.entries[0].id.ms, self.entries[0].id.seq - 1) if self.entries else self.head
        self.view.ring.restart(self.epoch, floor, self.entries, same_history=True)

    def forget_ring(self) -> None:
        """The ring holds nothing: everything older than the head must come from Redis."""
        self.view.ring.restart(self.epoch, self.head, same_history=True)

    def new_epoch(self) -> None:
        self.epoch += "'"
        self.base_ms, self.entries, self.head = self.wall_ms, [], START
        self.view.reset_reason = "epoch"
        self.view.ring.restart(self.epoch, START)

    def rewind(self, seq: int) -> None:
        """Redis comes back from an old dump."""
        self.entries = [entry for entry in self.entries if entry.id.seq <= seq]
        self.head = self.entries[-1].id if self.entries else START
        self.view.reset_reason = "ahead"
        first = self.entries[0].id if self.entries else None
        floor = EntryId(first.ms, first.seq - 1) if first and first.seq > 1 else START
        self.view.ring.restart(self.epoch, floor, self.entries)

    def state(self, after: EntryId, count: int = 200) -> FeedState:
        found = tuple(entry for entry in self.entries if entry.id >= after)[: count + 1]
        return FeedState(Reading(self.epoch, self.base_ms, self.head, found), None, None)

    def stale(self, *sources: str) -> None:
        self.view.stale = {source: StaleSource(source, None) for source in sources}

    def report(self, **changes: Any) -> None:
        values: dict[str, Any] = {"owner": "p", "at": self.wall_ms, "fresh_for": 30_000, "bot_ok_at": self.wall_ms}
        self.view.heartbeat = PollerHeartbeat(**{**values, "bot": None, **changes})


@dataclass
class Client:
    """One connection at a time to a World; remembers like EventSource."""

    world: World
    stream: str = "trading"
    tickers: frozenset[str] = frozenset()
    start: StartPoint = field(default_factory=Now)
    snapshot: Any = "auto"
    last_event_id: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    bytes_in: bytes = b""
    closed: str | None = None
    session: Session = field(init=False)
    _reader: Interpreter = field(init=False)
    _read_to: int = 0

    def __post_init__(self) -> None:
        self.connect()

    def connect(self) -> None:
        """As EventSource does: with the last id if there is one."""
        start = Resume(EntryId.parse(self.last_event_id)) if self.last_event_id else self.start
        selection = Selection(STREAMS[self.stream], self.tickers)
        subscription = Subscription(stream=self.stream, selection=selection, start=start, snapshot=self.snapshot)
        values: dict[str, Any] = {
            "session_id": "s",
            "heartbeat_seconds": 30.0,
            "ends_at": self.world.now + 240,
            "session_seconds": 240.0,
            "retry_ms": 1500,
            "trouble_retry_ms": 9000,
            "identity": {"exchange": "sandbox", "exchange_host": "127.0.0.1", "account": "sandbox/a", "bot": "bot"},
        }
        self.session = Session(subscription, SessionSettings(**{**values, **self.settings}), self.world.now)
        self.bytes_in, self.closed = b"", None
        self._reader, self._read_to = Interpreter(), 0

    def pump(self, most_sends: int = 10_000) -> list[tuple[str, dict[str, Any]]]:
        """Do what the session says until it waits; the events that arrived."""
        before = len(self.events())
        sends = 0
        while sends < most_sends and self.closed is None:
            step = self.session.advance(self.world.view, self.world.now, self.world.wall_ms)
            if isinstance(step, Write):
                self.bytes_in += step.data
                sends += 1
            elif isinstance(step, Close):
                self.bytes_in += step.data
                self.closed = step.reason
            elif isinstance(step, Fetch):
                self.world.fetches += 1
                if not self.world.redis_up:
                    self.session.unreachable(self.world.now)
                    continue
                self.session.receive(self.world.state(step.after), self.world.view, self.world.now)
            else:
                assert isinstance(step, Wait)
                assert step.until > self.world.now
                break
        self.last_event_id = self._read().last_event_id or self.last_event_id
        return self.events()[before:]

    def run(self, seconds: float) -> list[tuple[str, dict[str, Any]]]:
        """Pump while the clock moves on in the steps that the session asks for."""
        end, seen = self.world.now + seconds, []
        while self.closed is None:
            seen += self.pump()
            if self.closed is not None:
                break
            step = self.session.advance(self.world.view, self.world.now, self.world.wall_ms)
            assert isinstance(step, Wait)
            if step.until > end:
                break
            self.world.now = step.until
        self.world.now = end
        return seen + self.pump()

    def cut(self, at: int | None = None) -> list[tuple[str, dict[str, Any]]]:
        """Lose the connection after `at` bytes of it; what had arrived whole."""
        kept = self.bytes_in if at is None else self.bytes_in[:at]
        read = Interpreter().read(kept)
        self.last_event_id = read.last_event_id or self.last_event_id
        return [(each.type, json.loads(each.data)) for each in read.dispatched]

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        return [(each.type, json.loads(each.data)) for each in self._read().dispatched]

    def _read(self) -> Interpreter:
        self._reader.read(self.bytes_in[self._read_to :])
        self._read_to = len(self.bytes_in)
        return self._reader


def names(events: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [name for name, _ in events]


def trade_ids(events: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """The ids of all trades in `new_trades` events, in order."""
    return [trade["trade_id"] for name, data in events if name == "new_trades" for trade in data["trades"]]
