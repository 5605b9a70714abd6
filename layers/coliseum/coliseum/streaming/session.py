"""One client as a state machine: position, filter, clock → what to send next. Pure; see docs/sse.md.

Life: opening → catching up (`ready`, then `gap` or `reset`, replay, `snapshot`) → live → closed. The shell asks
`advance` what to do, does it, and asks again; entries older than the shared ring come in through `receive`.
Laws: only a contiguous scan moves the position; `ready` after an unclean resume, `gap`, `reset`, `stale`, `fresh`
and `closing` carry no id, so that a client cut off in between is told again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple

from coliseum.feed.contiguity import Ahead, Continue, Gap, Reset, follow
from coliseum.feed.entries import START, EntryId, EntryKind
from coliseum.feed.protocol import FeedState
from coliseum.streaming.encode import KEEPALIVE, event, framed, json_bytes
from coliseum.streaming.ring import CHUNK, Block, Kept, Lane, compose
from coliseum.streaming.sources import Stale
from coliseum.streaming.subscription import EVENT_NAMES, Earliest, Now, Resume, Since, Subscription
from coliseum.streaming.view import View, clock_text

AHEAD_SECONDS = 3.0
"""A replica may lag: a cursor ahead of the log is believed for this long before `reset`."""
OPENING_SECONDS = 2.0
"""How long a new client waits for an answer of Redis. While its process is starting, it waits longer: see View."""
OUTAGE_SECONDS = 60.0
SNAPSHOT_TRADES = 20
NOTHING_STALE: Mapping[str, Stale] = {}


class Phase(Enum):
    OPENING = auto()
    CATCHING_UP = auto()
    LIVE = auto()
    CLOSED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One connection's times, jitter included. Monotonic seconds where not said otherwise."""

    session_id: str
    heartbeat_seconds: float
    ends_at: float
    """Rotation."""
    session_seconds: float
    """What the client is told of it."""
    retry_ms: int
    """How long the client waits before it reconnects after a normal end."""
    trouble_retry_ms: int
    """The same after trouble on our side."""
    expires_at: float | None = None
    """When the client's ticket ends."""
    comment_seconds: float = 10.0
    """Silence after which a keepalive is written: below every proxy's idle limit."""
    outage_seconds: float = OUTAGE_SECONDS
    """How long a live session outlives Redis."""
    ahead_seconds: float = AHEAD_SECONDS


class Send(NamedTuple):
    """Write these bytes in one piece."""

    data: bytes
    events: int = 0
    entries: int = 0
    lag_ms: int = 0
    """How long ago its newest entry was published; 0 where there is none."""


class Taken(NamedTuple):
    """What an audience has been given, added up."""

    position: EntryId = START
    entries: int = 0
    events: int = 0
    last_id: EntryId | None = None
    at: float = 0.0
    lag_ms: int = 0

    def plus(self, block: Block, *, at: float, lag_ms: int) -> Taken:
        if not block.entries:
            return self._replace(position=block.end)
        return Taken(block.end, self.entries + block.entries, self.events + block.events, block.last_id, at, lag_ms)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read the log after this position from Redis, then call `receive` or `unreachable`."""

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


Step = Send | Fetch | Wait | Close


@dataclass(slots=True)
class Tally:
    """What happened in one session."""

    entries: int = 0
    events: int = 0
    gaps: int = 0
    lost: int = 0
    resets: int = 0
    resumed: bool = False


@dataclass(slots=True)
class Session:
    """One client. `now` is monotonic seconds, `wall_ms` unix milliseconds; both come in with every call."""

    subscription: Subscription
    plan: Plan
    opened_at: float
    position: EntryId = START
    """The last entry looked at, whether or not the filter let it through."""
    phase: Phase = Phase.OPENING
    tally: Tally = field(default_factory=Tally)
    sent_id: EntryId | None = None
    """The last id this client was given."""
    _epoch: str | None = None
    _history: int = -1
    _lane: Lane | None = None
    _pending: list[bytes] = field(default_factory=list)
    _pending_block: Block | None = None
    _snapshot_due: bool = False
    _told: Mapping[str, Stale] = field(default_factory=lambda: NOTHING_STALE)
    _heartbeat_at: float = 0.0
    _sent_at: float = 0.0
    _ends_at: float = 0.0
    _end_reason: str = "rotate"
    _ahead_since: float | None = None
    _pause_until: float = 0.0
    _failures: int = 0
    _lag_ms: int | None = None

    def __post_init__(self) -> None:
        self._heartbeat_at = self.opened_at + self.plan.heartbeat_seconds
        self._sent_at = self.opened_at
        self._ends_at = self.plan.ends_at
        if self.plan.expires_at is not None and self.plan.expires_at < self._ends_at:
            self._ends_at, self._end_reason = self.plan.expires_at, "auth_expired"

    def drain(self, ends_at: float) -> None:
        """The process is going: end at this time at the latest."""
        if ends_at < self._ends_at:
            self._ends_at, self._end_reason = ends_at, "shutdown"

    def advance(self, view: View, now: float, wall_ms: int) -> Step:
        """What to do next."""
        if self.phase is Phase.OPENING:
            step = self._open(view, now, wall_ms)
            if isinstance(step, Wait | Fetch):
                return self._keep_alive(step, now)
            if step is not None:
                return step
        if now >= self._ends_at:
            return self._close(self._end_reason, view, now, wall_ms)
        if view.down_since is not None and now - view.down_since > self.plan.outage_seconds:
            return self._close("redis", view, now, wall_ms)
        if self._told is not view.stale:
            self._tell_sources(view)
        step = self._pull(view, now, wall_ms)
        if isinstance(step, Send):
            return step
        if step is None and self.phase is Phase.CATCHING_UP:
            self._settle(view, wall_ms)
        self._beat(view, now, wall_ms)
        if self._pending:
            return self._written(now)
        if step is None:
            step = Wait(self._heartbeat_at)
        elif isinstance(step, Wait):
            step = Wait(min(step.until, self._heartbeat_at))
        return self._keep_alive(step, now)

    def receive(self, state: FeedState, view: View, now: float) -> None:
        """What `Fetch` asked for."""
        self._failures = 0
        reading = state.reading
        begin = self.subscription.begin
        if self.phase is Phase.OPENING and not isinstance(begin, Resume):
            first = reading.entries[0].id if reading.entries else None
            self.position = EntryId(first.ms, first.seq - 1) if first and first.seq > 1 else START
            if first is None:
                self.position = reading.head
            self._epoch = reading.epoch
            self._begin(view, resumed=False)
        after = begin.after if self.phase is Phase.OPENING and isinstance(begin, Resume) else self.position
        outcome = follow(after, self._epoch, reading)
        if isinstance(outcome, Ahead):
            self._wait_for_log(view, now)
            return
        self._ahead_since = None
        if isinstance(outcome, Reset):
            self._reset(outcome.reason, view, START, reading.epoch)
            return
        self._epoch = reading.epoch
        self.position = after
        if self.phase is Phase.OPENING:
            self._begin(view, resumed=isinstance(outcome, Continue))
        if isinstance(outcome, Gap):
            self._gap(outcome)
            outcome = follow(self.position, self._epoch, reading)
        if isinstance(outcome, Continue) and outcome.entries:
            stretch = [Kept.of(entry) for entry in outcome.entries[:CHUNK]]
            self._pending_block = compose(stretch, self.subscription.selection)
        else:
            self._pause_until = now + 0.25  # the ring and Redis disagree for a moment: look again soon

    def rests(self, view: View) -> bool:
        """Whether it waits at the log's head, like everybody who has heard all."""
        ring = view.ring
        return self.phase is Phase.LIVE and self._epoch == ring.epoch and self.position == ring.head

    def took(self, now: Taken, since: Taken) -> None:
        """What it was given while it rested, up to `now`."""
        self.position = now.position
        if now.events > since.events:
            self.tally.entries += now.entries - since.entries
            self.tally.events += now.events - since.events
            self.sent_id, self._sent_at, self._lag_ms = now.last_id, now.at, now.lag_ms

    def unreachable(self, now: float) -> None:
        """`Fetch` failed: try again later, more patiently each time."""
        self._pause_until = now + min(5.0, 0.25 * 2.0**self._failures)
        self._failures = min(self._failures + 1, 10)

    def _open(self, view: View, now: float, wall_ms: int) -> Step | None:
        if now >= self._ends_at:
            return self._close(self._end_reason, view, now, wall_ms)
        if "redis" in view.stale:
            return self._degraded(now, view)
        deadline = max(self.opened_at + OPENING_SECONDS, view.first_answer_due)
        if not view.loaded or self._failures:
            if now >= deadline:
                return self._degraded(now, view)
            if not view.loaded:
                return Wait(deadline)
        if now < self._pause_until:
            return Wait(self._pause_until)
        ring = view.ring
        begin = self.subscription.begin
        found: EntryId | None = None
        if isinstance(begin, Now):
            found = ring.head
        elif isinstance(begin, Earliest) and ring.floor == START:
            found = START
        elif isinstance(begin, Since):
            found = ring.before(begin.ms)
        elif isinstance(begin, Resume) and self._ahead_since is None and ring.covers(begin.after):
            found = begin.after
        if found is None:
            return Fetch(self._first_fetch())
        self.position = found
        self._epoch = ring.epoch
        self._begin(view, resumed=isinstance(begin, Resume))
        return None

    def _first_fetch(self) -> EntryId:
        begin = self.subscription.begin
        if isinstance(begin, Resume):
            return begin.after
        return EntryId(begin.ms, 0) if isinstance(begin, Since) else START

    def _begin(self, view: View, *, resumed: bool) -> None:
        self.phase = Phase.CATCHING_UP
        self._history = view.ring.history
        self.tally.resumed = resumed
        wish = self.subscription.snapshot
        self._snapshot_due = wish == "always" or (wish == "auto" and not resumed)
        self._ready(view, resumed=resumed, degraded=False)

    def _ready(self, view: View, *, resumed: bool, degraded: bool) -> None:
        selection = self.subscription.selection
        data: dict[str, Any] = {
            "session": self.plan.session_id,
            "stream": self.subscription.stream,
            "epoch": None if degraded else self._epoch,
            "resumed": resumed,
            "head": None if degraded else str(view.ring.head),
            "oldest": None if degraded or view.oldest is None else str(view.oldest),
            "filters": {
                "events": sorted(EVENT_NAMES[kind] for kind in selection.kinds),
                "tickers": sorted(selection.tickers),
                "series": sorted(selection.series),
            },
            "session_max_seconds": round(self.plan.session_seconds, 1),
            "heartbeat_seconds": self.plan.heartbeat_seconds,
        }
        if degraded:
            data["degraded"] = True
        retry = self.plan.trouble_retry_ms if degraded else self.plan.retry_ms
        self._put(event("ready", data, event_id=self.position if resumed else None, retry_ms=retry))
        if resumed:
            self.sent_id = self.position

    def _degraded(self, now: float, view: View) -> Close:
        self._ready(view, resumed=False, degraded=True)
        self._put(event("stale", {"source": "redis", "last_ok_at": None}))
        return self._farewell("redis", now, self._given_cursor())

    def _given_cursor(self) -> str | None:
        begin = self.subscription.begin
        return str(begin.after) if isinstance(begin, Resume) else None

    def _wait_for_log(self, view: View, now: float) -> None:
        if self._ahead_since is None:
            self._ahead_since = now
        if now - self._ahead_since < self.plan.ahead_seconds:
            self._pause_until = now + 0.4
            return
        self._ahead_since = None
        # What the client has seen is at least what is there: go on at the head rather than replay it all.
        self._reset("ahead", view, view.ring.head, view.ring.epoch)

    def _pull(self, view: View, now: float, wall_ms: int) -> Send | Fetch | Wait | None:
        """The next stretch of the log; None where the position is its end."""
        ring = view.ring
        if self._history != ring.history:
            self._adopt(view)
        if self._epoch is None and self.position == START:
            self._epoch = ring.epoch
        while self._pending_block is not None or self._epoch != ring.epoch or self.position.seq < ring.head.seq:
            block, self._pending_block = self._pending_block, None
            if block is None:
                if self._epoch != ring.epoch or not ring.covers(self.position):
                    return Wait(self._pause_until) if now < self._pause_until else Fetch(self.position)
                if self._lane is None:
                    self._lane = ring.lane(self.subscription.selection)
                block = self._lane.after(self.position)
            self.position = block.end
            if block.entries:
                return self._delivered(now, block, wall_ms)
        if self.position.seq > ring.head.seq and self.phase is Phase.CATCHING_UP:
            return Wait(now + 0.25)  # Redis was ahead of the ring; it is catching up
        return None

    def _adopt(self, view: View) -> None:
        """The ring begins a new history: is our position part of it?"""
        ring = view.ring
        self._history = ring.history
        self._lane = None
        if ring.epoch != self._epoch and not (self._epoch is None and self.position == START):
            self._reset("epoch", view, START, ring.epoch)
        elif ring.epoch == self._epoch and self.position > ring.head:
            self._reset(view.broken, view, ring.head if view.broken == "ahead" else START, ring.epoch)
        self._epoch = ring.epoch

    def _gap(self, gap: Gap) -> None:
        self._put(event("gap", {"lost": gap.lost, "from": str(gap.after), "to": str(gap.to), "reason": "trimmed"}))
        self.position = gap.to
        self.tally.gaps += 1
        self.tally.lost += gap.lost
        self._again_with_snapshot()

    def _reset(self, reason: str, view: View, position: EntryId, epoch: str | None) -> None:
        if self.phase is Phase.OPENING:
            self.position, self._epoch = position, epoch
            self._begin(view, resumed=False)
        self.position, self._epoch = position, epoch
        self._put(event("reset", {"reason": reason, "epoch": epoch, "head": str(view.ring.head)}))
        self.tally.resets += 1
        self._again_with_snapshot()

    def _again_with_snapshot(self) -> None:
        self.phase = Phase.CATCHING_UP
        self._snapshot_due = self.subscription.snapshot != "none"

    def _settle(self, view: View, wall_ms: int) -> None:
        """Replay is over: state as of this very position, then live."""
        self.phase = Phase.LIVE
        selection = self.subscription.selection
        if self._snapshot_due:
            self._snapshot_due = False
            trades = [kept.entry.data for kept in view.ring.newest(selection, SNAPSHOT_TRADES)]
            data = {
                "as_of": clock_text(wall_ms),
                "epoch": self._epoch,
                "head": str(self.position),
                "bot": view.bot,
                "trades": trades,
                "stale": sorted(view.stale),
                "live": True,
            }
            self._put(event("snapshot", data, event_id=self.position))
            self.sent_id = self.position
        if EntryKind.BOT_STATUS in selection.kinds:
            self._put(framed("bot_status", json_bytes(view.bot or _UNKNOWN_BOT)))

    def _tell_sources(self, view: View) -> None:
        told, self._told = self._told, view.stale
        for source, stale in view.stale.items():
            if source not in told:
                self._put(event("stale", {"source": source, "last_ok_at": clock_text(stale.since_ms)}))
        for source in sorted(told.keys() - view.stale.keys()):
            self._put(event("fresh", {"source": source}))

    def _beat(self, view: View, now: float, wall_ms: int) -> None:
        if now < self._heartbeat_at or self.phase is not Phase.LIVE:
            return
        self._heartbeat(view, wall_ms)
        while self._heartbeat_at <= now:
            self._heartbeat_at += self.plan.heartbeat_seconds

    def _heartbeat(self, view: View, wall_ms: int) -> None:
        report = view.report
        cursor = str(self.position)
        data = {
            "timestamp": wall_ms / 1000,
            "last_event_id": cursor,
            "cursor": cursor,
            "seq": self.position.seq,
            "epoch": self._epoch,
            "poll_ok_at": clock_text(report.at if report else None),
            "bot_ok_at": clock_text(report.bot_ok_at if report else None),
            "lag_ms": self._lag_ms,
            "delivered": self.tally.entries,
            "stale": sorted(view.stale),
        }
        self._put(event("heartbeat", data, event_id=self.position))
        self.sent_id = self.position

    def _close(self, reason: str, view: View, now: float, wall_ms: int) -> Close:
        opened = self.phase is not Phase.OPENING
        if opened and self.phase is Phase.LIVE and self.sent_id != self.position:
            self._heartbeat(view, wall_ms)  # or a filtered client would come back with an old cursor
        return self._farewell(reason, now, str(self.position) if opened else self._given_cursor())

    def _farewell(self, reason: str, now: float, cursor: str | None) -> Close:
        retry = self.plan.trouble_retry_ms if reason == "redis" else self.plan.retry_ms
        self._put(event("closing", {"reason": reason, "cursor": cursor}, retry_ms=retry))
        self.phase = Phase.CLOSED
        last = self._written(now)
        return Close(last.data, reason, last.events)

    def _keep_alive(self, step: Wait | Fetch, now: float) -> Step:
        """`step`, unless the connection has been silent for so long that a keepalive comes first."""
        comment_at = self._sent_at + self.plan.comment_seconds
        if now >= comment_at:
            self._sent_at = now
            return Send(KEEPALIVE)
        return Wait(min(step.until, comment_at, self._ends_at)) if isinstance(step, Wait) else step

    def _put(self, data: bytes) -> None:
        self._pending.append(data)
        self.tally.events += 1

    def _written(self, now: float) -> Send:
        pending, self._pending = self._pending, []
        self._sent_at = now
        return Send(b"".join(pending), len(pending))

    def _delivered(self, now: float, block: Block, wall_ms: int) -> Send:
        """A stretch of the log, behind the control events that are due before it."""
        before = self._written(now)
        self.tally.entries += block.entries
        self.tally.events += block.events
        self.sent_id = block.last_id
        self._lag_ms = max(0, wall_ms - block.latest_ms)
        return Send(before.data + block.data, before.events + block.events, block.entries, self._lag_ms)


_UNKNOWN_BOT = {
    "status": "offline",
    "since": None,
    "trades": None,
    "detail": "the poller has not reported yet",
    "mode": None,
    "mode_as_of": None,
}
