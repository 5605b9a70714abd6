"""One client's connection as a state machine: from position, filter and clock to what is written next. Pure.

    opening → catching up (`ready`, then `gap` or `reset`, replay, `snapshot`) → live → closed

`connections.py` asks `advance` what to do, does it, and asks again. Entries older than the shared ring come in
through `receive`. docs/sse-specification.md holds the rules. Two of them explain most of this file:

1. Only entries that were looked at one after the other move the position.
2. `gap`, `reset`, `stale`, `fresh`, `closing` and, except after a clean resume, `ready` carry no id. So a client that
   is cut off in between comes back with its old id and gets the same events again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple

from coliseum.feed.contiguity import Ahead, Gap, Reset
from coliseum.feed.entries import START, EntryId, EntryKind
from coliseum.feed.protocol import FeedState
from coliseum.feed.timestamps import rfc3339
from coliseum.streaming.deadlines import Deadlines
from coliseum.streaming.encode import KEEPALIVE, event, framed, json_bytes
from coliseum.streaming.outbox import Outbox
from coliseum.streaming.read_pauses import ReadPauses
from coliseum.streaming.resume import Cursor, cursor_in_ring, first_read, gap_data, read_on
from coliseum.streaming.ring import EncodedBlock, EncodedEntry, FilteredRing, compose
from coliseum.streaming.sources import StaleSource
from coliseum.streaming.subscription import EVENT_NAMES, Resume, Subscription
from coliseum.streaming.timings import AHEAD_SECONDS, OPENING_SECONDS, OUTAGE_SECONDS
from coliseum.streaming.view import LogView

SNAPSHOT_TRADES = 20
_RING_RETRY_SECONDS = 0.25
"""Where Redis knows more than the ring, the ring will know it within moments."""
_NOTHING_STALE: Mapping[str, StaleSource] = {}


class Phase(Enum):
    OPENING = auto()
    CATCHING_UP = auto()
    LIVE = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """One connection's times, jitter included. Monotonic seconds where no unit is given."""

    session_id: str
    heartbeat_seconds: float
    ends_at: float
    """When the connection is rotated."""
    session_seconds: float
    """How long that is from its beginning; `ready` announces it."""
    retry_ms: int
    """How long the client waits before it reconnects after a normal end."""
    trouble_retry_ms: int
    """The same after trouble on the server's side."""
    identity: Mapping[str, Any]
    """Which exchange, account and bot the log belongs to, as `ready` and `snapshot` say it."""
    expires_at: float | None = None
    """When the client's ticket ends."""
    comment_seconds: float = 10.0
    """Silence after which a keepalive is written: below every proxy's idle limit."""
    outage_seconds: float = OUTAGE_SECONDS
    """How long a live session stays open while Redis is down."""
    ahead_seconds: float = AHEAD_SECONDS


class Write(NamedTuple):
    """Write these bytes in one piece."""

    data: bytes
    events: int = 0
    entries: int = 0
    lag_ms: int = 0
    """How long ago the newest entry in `data` was published; 0 where there is none."""


class DeliveredTotals(NamedTuple):
    """What the members of a fan-out group were given since it was formed."""

    position: EntryId = START
    entries: int = 0
    events: int = 0
    last_id: EntryId | None = None
    at: float = 0.0
    lag_ms: int = 0

    def plus(self, block: EncodedBlock, *, at: float, lag_ms: int) -> DeliveredTotals:
        """The totals after `block`. A block without events only moves the position."""
        if not block.entries:
            return self._replace(position=block.end)
        entries, events = self.entries + block.entries, self.events + block.events
        return DeliveredTotals(block.end, entries, events, block.last_id, at, lag_ms)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read the log behind this position from Redis, then call `receive` or `unreachable`."""

    after: EntryId


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until this time, or until the view changes."""

    until: float


@dataclass(frozen=True, slots=True)
class Close:
    """Write these bytes and end."""

    data: bytes
    reason: str
    events: int


Step = Write | Fetch | Wait | Close


@dataclass(slots=True)
class SessionStats:
    """What happened in one session."""

    entries: int = 0
    events: int = 0
    gaps: int = 0
    lost: int = 0
    resets: int = 0
    resumed: bool = False
    sent_id: EntryId | None = None
    """The last id that this client was given."""
    lag_ms: int | None = None
    """How old the newest delivered entry was when it was written; None before the first one."""


@dataclass(slots=True)
class Session:
    """One client. `now` is monotonic seconds, `wall_ms` unix milliseconds; both come in with every call."""

    subscription: Subscription
    settings: SessionSettings
    opened_at: float
    position: EntryId = START
    """The last entry looked at, whether or not the filter let it through."""
    epoch: str | None = None
    phase: Phase = Phase.OPENING
    stats: SessionStats = field(default_factory=SessionStats)
    _outbox: Outbox = field(init=False)
    _deadlines: Deadlines = field(init=False)
    _pauses: ReadPauses = field(default_factory=ReadPauses)
    _history: int = -1
    """The ring's history that `position` was compared with last."""
    _filtered: FilteredRing | None = None
    _block: EncodedBlock | None = None
    """Entries from Redis that are written next."""
    _snapshot_due: bool = False
    _announced: Mapping[str, StaleSource] = field(default_factory=lambda: _NOTHING_STALE)
    """The stale sources that this client knows of."""

    def __post_init__(self) -> None:
        settings = self.settings
        self._outbox = Outbox(self.opened_at)
        first_heartbeat = self.opened_at + settings.heartbeat_seconds
        self._deadlines = Deadlines(first_heartbeat, settings.heartbeat_seconds, settings.ends_at)
        if settings.expires_at is not None:
            self._deadlines.end_by(settings.expires_at, "auth_expired")

    @property
    def heartbeat_at(self) -> float:
        """When the next heartbeat is due."""
        return self._deadlines.heartbeat_at

    def drain(self, ends_at: float) -> None:
        """The process is going to end: close at this time at the latest."""
        self._deadlines.end_by(ends_at, "shutdown")

    def advance(self, view: LogView, now: float, wall_ms: int) -> Step:
        """What to do next."""
        if self.phase is Phase.OPENING:
            opening = self._open(view, now, wall_ms)
            if isinstance(opening, Wait | Fetch):
                return self._keep_alive(opening, now)
            if opening is not None:
                return opening
        if now >= self._deadlines.ends_at:
            return self._close(self._deadlines.end_reason, view, now, wall_ms)
        down_since = view.redis.down_since
        if down_since is not None and now - down_since > self.settings.outage_seconds:
            return self._close("redis", view, now, wall_ms)
        if self._announced is not view.stale:
            self._announce_sources(view)
        step = self._next_block(view, now, wall_ms)
        if isinstance(step, Write):
            return step
        if step is None and self.phase is Phase.CATCHING_UP:
            self._go_live(view, wall_ms)
        self._beat(view, now, wall_ms)
        if self._outbox:
            return self._write(now)
        if isinstance(step, Fetch):
            return self._keep_alive(step, now)
        heartbeat_at = self._deadlines.heartbeat_at
        return self._keep_alive(Wait(heartbeat_at if step is None else min(heartbeat_at, step.until)), now)

    def receive(self, state: FeedState, view: LogView, now: float) -> None:
        """What `Fetch` asked for."""
        self._pauses.failures = 0
        opening = self.phase is Phase.OPENING
        cursor = None if opening else Cursor(self.position, self.epoch)
        outcome = read_on(self.subscription.start, cursor, state.reading)
        if isinstance(outcome, Ahead):
            if self._pauses.is_ahead(now, self.settings.ahead_seconds):
                # What the client has seen is at least what is there: go on at the head rather than replay it all.
                self._reset("ahead", view, view.ring.head, view.ring.epoch)
            return
        self._pauses.ahead_since = None
        if isinstance(outcome, Reset):
            self._reset(outcome.reason, view, START, state.reading.epoch)
            return
        self.epoch = outcome.cursor.epoch
        if opening:
            start = self.subscription.start
            self.position = start.after if isinstance(start, Resume) else outcome.cursor.position
            self._begin(view, resumed=isinstance(start, Resume) and outcome.gap is None)
        if outcome.gap is not None:
            self._gap(outcome.gap)
        self.position = outcome.cursor.position
        if outcome.entries:
            self._block = compose([EncodedEntry.of(entry) for entry in outcome.entries], self.subscription.selection)
        else:
            self._pauses.wait(now, _RING_RETRY_SECONDS)

    def unreachable(self, now: float) -> None:
        """`Fetch` failed: try again later, and each time after a longer wait."""
        self._pauses.failed(now)

    def is_at_head(self, view: LogView) -> bool:
        """Whether it is live and has been given all that the ring holds."""
        ring = view.ring
        return self.phase is Phase.LIVE and self.epoch == ring.epoch and self.position == ring.head

    def add_delivered(self, total: DeliveredTotals, before: DeliveredTotals) -> None:
        """Count what its fan-out group wrote for it: the difference of the group's totals."""
        self.position = total.position
        if total.events > before.events:
            self.stats.entries += total.entries - before.entries
            self.stats.events += total.events - before.events
            self.stats.sent_id, self.stats.lag_ms = total.last_id, total.lag_ms
            self._outbox.written_at = total.at

    def _open(self, view: LogView, now: float, wall_ms: int) -> Step | None:
        """Find the place to begin. None once it is found."""
        if now >= self._deadlines.ends_at:
            return self._close(self._deadlines.end_reason, view, now, wall_ms)
        if "redis" in view.stale:
            return self._close_degraded(now, view)
        deadline = max(self.opened_at + OPENING_SECONDS, view.redis.first_answer_due)
        if not view.loaded or self._pauses.failures:
            if now >= deadline:
                return self._close_degraded(now, view)
            if not view.loaded:
                return Wait(deadline)
        if now < self._pauses.until:
            return Wait(self._pauses.until)
        # A cursor that is ahead of the log is compared with Redis until it is decided, not with the ring.
        cursor = cursor_in_ring(self.subscription.start, view.ring) if self._pauses.ahead_since is None else None
        if cursor is None:
            return Fetch(first_read(self.subscription.start))
        self.position, self.epoch = cursor.position, cursor.epoch
        self._begin(view, resumed=isinstance(self.subscription.start, Resume))
        return None

    def _begin(self, view: LogView, *, resumed: bool) -> None:
        self.phase = Phase.CATCHING_UP
        self._history = view.ring.history
        self.stats.resumed = resumed
        snapshot = self.subscription.snapshot
        self._snapshot_due = snapshot == "always" or (snapshot == "auto" and not resumed)
        self._ready(view, resumed=resumed, degraded=False)

    def _ready(self, view: LogView, *, resumed: bool, degraded: bool) -> None:
        selection = self.subscription.selection
        data: dict[str, Any] = {
            "session": self.settings.session_id,
            "stream": self.subscription.stream,
            "epoch": None if degraded else self.epoch,
            "resumed": resumed,
            "head": None if degraded else str(view.ring.head),
            "oldest": None if degraded or view.oldest is None else str(view.oldest),
            "filters": {
                "events": sorted(EVENT_NAMES[kind] for kind in selection.kinds),
                "tickers": sorted(selection.tickers),
                "series": sorted(selection.series),
            },
            "session_max_seconds": round(self.settings.session_seconds, 1),
            "heartbeat_seconds": self.settings.heartbeat_seconds,
            "identity": self.settings.identity,
        }
        if degraded:
            data["degraded"] = True
        retry = self.settings.trouble_retry_ms if degraded else self.settings.retry_ms
        self._put(event("ready", data, event_id=self.position if resumed else None, retry_ms=retry))
        if resumed:
            self.stats.sent_id = self.position

    def _next_block(self, view: LogView, now: float, wall_ms: int) -> Write | Fetch | Wait | None:
        """The next entries of the log; None where the position is the log's end."""
        ring = view.ring
        if self._history != ring.history:
            self._compare_history(view)
        if self.epoch is None and self.position == START:
            self.epoch = ring.epoch  # the first epoch ever is no reset for a client that waited for it
        while self._block is not None or self.epoch != ring.epoch or self.position.seq < ring.head.seq:
            block, self._block = self._block, None
            if block is None:
                if self.epoch != ring.epoch or not ring.covers(self.position):
                    return Wait(self._pauses.until) if now < self._pauses.until else Fetch(self.position)
                if self._filtered is None:
                    self._filtered = ring.filtered(self.subscription.selection)
                block = self._filtered.after(self.position)
            self.position = block.end
            if block.entries:
                return self._deliver(now, block, wall_ms)
        if self.position.seq > ring.head.seq and self.phase is Phase.CATCHING_UP:
            return Wait(now + _RING_RETRY_SECONDS)  # a snapshot of the ring would be older than its id
        return None

    def _compare_history(self, view: LogView) -> None:
        """The ring has begun another history: reset the client where its position is not part of it."""
        ring = view.ring
        self._history = ring.history
        self._filtered = None
        if ring.epoch != self.epoch and not (self.epoch is None and self.position == START):
            self._reset("epoch", view, START, ring.epoch)
        elif ring.epoch == self.epoch and self.position > ring.head:
            ahead = view.reset_reason == "ahead"
            self._reset(view.reset_reason, view, ring.head if ahead else START, ring.epoch)
        self.epoch = ring.epoch

    def _gap(self, gap: Gap) -> None:
        self._put(event("gap", gap_data(gap)))
        self.stats.gaps += 1
        self.stats.lost += gap.lost
        self._catch_up_with_snapshot()

    def _reset(self, reason: str, view: LogView, position: EntryId, epoch: str | None) -> None:
        opening = self.phase is Phase.OPENING
        self.position, self.epoch = position, epoch
        if opening:
            self._begin(view, resumed=False)
        self._put(event("reset", {"reason": reason, "epoch": epoch, "head": str(view.ring.head)}))
        self.stats.resets += 1
        self._catch_up_with_snapshot()

    def _catch_up_with_snapshot(self) -> None:
        self.phase = Phase.CATCHING_UP
        self._snapshot_due = self.subscription.snapshot != "none"

    def _go_live(self, view: LogView, wall_ms: int) -> None:
        """The replay is over: the state as of this very position, then live events."""
        self.phase = Phase.LIVE
        selection = self.subscription.selection
        if self._snapshot_due:
            self._snapshot_due = False
            trades = [encoded.entry.data for encoded in view.ring.newest_trades(selection, SNAPSHOT_TRADES)]
            data = {
                "as_of": rfc3339(wall_ms),
                "epoch": self.epoch,
                "head": str(self.position),
                "bot": view.bot,
                "trades": trades,
                "stale": sorted(view.stale),
                "live": True,
                "identity": self.settings.identity,
            }
            self._put(event("snapshot", data, event_id=self.position))
            self.stats.sent_id = self.position
        if EntryKind.BOT_STATUS in selection.kinds:
            self._put(framed("bot_status", json_bytes(view.bot or _UNKNOWN_BOT)))

    def _announce_sources(self, view: LogView) -> None:
        announced, self._announced = self._announced, view.stale
        for source, stale in view.stale.items():
            if source not in announced:
                self._put(event("stale", {"source": source, "last_ok_at": rfc3339(stale.since_ms)}))
        for source in sorted(announced.keys() - view.stale.keys()):
            self._put(event("fresh", {"source": source}))

    def _beat(self, view: LogView, now: float, wall_ms: int) -> None:
        if now >= self._deadlines.heartbeat_at and self.phase is Phase.LIVE:
            self._heartbeat(view, wall_ms)
            self._deadlines.pass_heartbeat(now)

    def _heartbeat(self, view: LogView, wall_ms: int) -> None:
        poller = view.heartbeat
        cursor = str(self.position)
        data = {
            "timestamp": wall_ms / 1000,
            "last_event_id": cursor,
            "cursor": cursor,
            "seq": self.position.seq,
            "epoch": self.epoch,
            "poll_ok_at": rfc3339(poller.at if poller else None),
            "bot_ok_at": rfc3339(poller.bot_ok_at if poller else None),
            "lag_ms": self.stats.lag_ms,
            "delivered": self.stats.entries,
            "stale": sorted(view.stale),
        }
        # Its id moves the client's cursor over entries that the filter refused.
        self._put(event("heartbeat", data, event_id=self.position))
        self.stats.sent_id = self.position

    def _close(self, reason: str, view: LogView, now: float, wall_ms: int) -> Close:
        if self.phase is Phase.OPENING:
            return self._say_closing(reason, now, self._requested_cursor())
        if self.phase is Phase.LIVE and self.stats.sent_id != self.position:
            self._heartbeat(view, wall_ms)  # or a filtered client would come back with an old cursor
        return self._say_closing(reason, now, str(self.position))

    def _close_degraded(self, now: float, view: LogView) -> Close:
        self._ready(view, resumed=False, degraded=True)
        self._put(event("stale", {"source": "redis", "last_ok_at": None}))
        return self._say_closing("redis", now, self._requested_cursor())

    def _requested_cursor(self) -> str | None:
        start = self.subscription.start
        return str(start.after) if isinstance(start, Resume) else None

    def _say_closing(self, reason: str, now: float, cursor: str | None) -> Close:
        retry = self.settings.trouble_retry_ms if reason == "redis" else self.settings.retry_ms
        self._put(event("closing", {"reason": reason, "cursor": cursor}, retry_ms=retry))
        self.phase = Phase.CLOSED
        data, events = self._outbox.take(now)
        return Close(data, reason, events)

    def _put(self, data: bytes) -> None:
        self._outbox.put(data)
        self.stats.events += 1

    def _write(self, now: float) -> Write:
        return Write(*self._outbox.take(now))

    def _keep_alive(self, step: Wait | Fetch, now: float) -> Step:
        """`step`, unless the connection has been silent for so long that a keepalive comes first."""
        comment_at = self._outbox.written_at + self.settings.comment_seconds
        if now >= comment_at:
            self._outbox.written_at = now
            return Write(KEEPALIVE)
        return Wait(min(step.until, comment_at, self._deadlines.ends_at)) if isinstance(step, Wait) else step

    def _deliver(self, now: float, block: EncodedBlock, wall_ms: int) -> Write:
        """Entries of the log, behind the control events that are due before them."""
        data, events = self._outbox.take(now)
        lag_ms = max(0, wall_ms - block.latest_ms)
        self.stats.entries += block.entries
        self.stats.events += block.events
        self.stats.sent_id, self.stats.lag_ms = block.last_id, lag_ms
        return Write(data + block.data, events + block.events, block.entries, lag_ms)


_UNKNOWN_BOT = {
    "status": "offline",
    "since": None,
    "trades": None,
    "detail": "the poller has not reported yet",
    "mode": None,
    "mode_as_of": None,
    "mode_warning": None,
    "clock_ahead_seconds": None,
    "unconfirmed": None,
}
