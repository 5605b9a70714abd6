"""One reader of the log per process: doorbell, catch-up and outage; all sessions share what it learns.

The doorbell is a hint, the log is the truth: a ring that names our head as its predecessor is appended without
asking Redis; anything else makes the reader look. `FEED_MODE=poll` looks at every interval instead.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass

from coliseum.errors import ColiseumError
from coliseum.feed.contiguity import Ahead, Continue, Gap, Reading, Reset, follow
from coliseum.feed.entries import START, Entry, EntryId, EntryKind
from coliseum.feed.feed import AsyncFeed, now_ms
from coliseum.feed.protocol import FeedState, Notification
from coliseum.observability import logger
from coliseum.streaming.session import AHEAD_SECONDS, OUTAGE_SECONDS
from coliseum.streaming.sources import REDIS_STALE_SECONDS, stale_sources
from coliseum.streaming.stats import Counts
from coliseum.streaming.view import View

READ_COMMANDS = 3
"""What one look costs: its transaction's commands are billed one by one."""
SEED = 200
"""Entries loaded at the start, so that most resumes need no read of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The reader's times in seconds."""

    poll: float = 3.0
    first_answer: float = 15.0
    """How long a process that is starting waits for Redis before it calls it down. Above one keepalive interval."""
    retry_starting: float = 1.0
    """The longest wait between two attempts meanwhile: a client is waiting for the first one that succeeds."""
    quiet: float = 30.0
    """No ring for this long, not even the poller's report: look whether anybody is there. 1.5 reports."""
    quiet_most: float = 300.0
    """Its limit while the silence lasts: a dead poller must not cost much."""
    confirm: float = 5.0
    retry_first: float = 0.25
    retry_most: float = 5.0
    ahead: float = AHEAD_SECONDS
    redis_patience: float = REDIS_STALE_SECONDS
    """Silence of Redis that nobody needs to hear of."""
    outage: float = OUTAGE_SECONDS
    """How long live sessions outlive Redis."""
    tick: float = 1.0
    """How often freshness is judged."""
    linger: float = 60.0
    """How long the reader goes on without a session: the next one finds everything in place."""


class LogReader:
    """The process's reader. Runs while sessions hold it, and a little longer."""

    def __init__(self, feed: AsyncFeed, *, doorbell: bool, pace: Pace, counts: Counts) -> None:
        self.view = View()
        self._feed = feed
        self._doorbell = doorbell
        self._pace = pace
        self._counts = counts
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = False
        self._holders: set[Callable[[], None]] = set()
        self._linger: asyncio.TimerHandle | None = None
        self._asked: dict[object, float] = {}
        self._redis_ok_ms: int | None = None
        self._silent_since: float | None = None
        """When the first question was asked that Redis has left without an answer."""
        self._reads: dict[EntryId, asyncio.Task[FeedState]] = {}
        self._looking = False
        self._telling = False
        self._loop = asyncio.get_running_loop()

    @property
    def pace(self) -> Pace:
        return self._pace

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where this reader lives; it cannot serve another one."""
        return self._loop

    def hold(self, wake: Callable[[], None]) -> None:
        """Run from now on; `wake` is called after every change of the view."""
        self._holders.add(wake)
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if not self._running:
            self._running = True
            if self._redis_ok_ms is None:
                # Nothing can be called down that was never up: Redis, or the network, may be starting as we are.
                self.view.first_answer_due = self._loop.time() + self._pace.first_answer
            self._spawn(self._lasting(self._follow_doorbell if self._doorbell else self._poll))
            self._spawn(self._lasting(self._judge))

    def release(self, wake: Callable[[], None]) -> None:
        self._holders.discard(wake)
        if not self._holders and self._running and self._linger is None:
            self._linger = self._loop.call_later(self._pace.linger, self._rest)

    async def close(self) -> None:
        """Stop at once."""
        tasks = list(self._tasks)
        self._rest()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ready(self, seconds: float) -> bool:
        """Whether Redis has answered, waiting this long for it, and longer while the process is starting."""
        deadline = max(self._loop.time() + seconds, self.view.first_answer_due)
        while not self.view.loaded or "redis" in self.view.stale:
            if self._loop.time() >= deadline or "redis" in self.view.stale:
                return False
            await asyncio.sleep(0.05)
        return True

    async def read(self, after: EntryId) -> FeedState:
        """The log after `after`, from Redis; equal questions at the same time are asked once."""
        task = self._reads.get(after)
        if task is None:
            task = self._reads[after] = asyncio.ensure_future(self._read(after))
            task.add_done_callback(lambda done: self._forget(after, done))
        try:
            state = await asyncio.shield(task)
        except ColiseumError as error:
            self._failed(error)
            self.nudge()
            raise
        reading, ring = state.reading, self.view.ring
        if reading.head != ring.head or reading.epoch != ring.epoch:
            self.nudge()
        return state

    def nudge(self) -> None:
        """Somebody has reason to believe that the view is old: look."""
        if self._running and not self._looking:
            self._spawn(self._look_until_answered())

    def _forget(self, after: EntryId, done: asyncio.Task[FeedState]) -> None:
        self._reads.pop(after, None)
        if not done.cancelled():
            done.exception()  # seen by those who waited; nobody may have

    def _rest(self) -> None:
        self._running = False
        self._linger = None
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        # A pause is not an outage, and what we knew may be old when somebody comes.
        self.view.loaded = False
        self.view.down_since = None
        self.view.stale = {}
        self._asked.clear()

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _lasting(self, work: Callable[[], Awaitable[None]]) -> None:
        """Begin `work` again whatever ends it: without its reader a process would be deaf and not know it."""
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001  # errors that are expected are handled where they happen
                logger().exception("the reader failed and begins again")
            await asyncio.sleep(self._pace.retry_most)

    def _changed(self) -> None:
        """Wake everybody once, after what is happening now: news that come together are written together."""
        if not self._telling:
            self._telling = True
            self._loop.call_soon(self._tell)

    def _tell(self) -> None:
        self._telling = False
        for wake in tuple(self._holders):
            wake()

    async def _follow_doorbell(self) -> None:
        delay = self._pace.retry_first
        quiet = self._pace.quiet
        while True:
            try:
                heard = await self._listen(quiet)
                quiet = self._pace.quiet if heard else min(quiet * 2, self._pace.quiet_most)
                delay = self._pace.retry_first
            except ColiseumError as error:
                self._failed(error)
                await self._look_until_answered()  # where only subscriptions are refused, this is polling
                await asyncio.sleep(delay * random.uniform(0.8, 1.2))
                delay = min(delay * 2, self._pace.retry_most)

    async def _listen(self, quiet_seconds: float) -> bool:
        """One subscription until it ends or falls silent; whether it rang at all."""
        self._counts.redis_commands += 1
        heard = confirmed = False
        async with aclosing(self._feed.notifications()) as notifications:
            with suppress(TimeoutError, StopAsyncIteration):
                while True:
                    async with asyncio.timeout(quiet_seconds if confirmed else self._pace.confirm):
                        notification = await anext(notifications)
                    heard = heard or notification is not None
                    confirmed = True
                    await self._rung(notification)
        if not confirmed:
            await self._look()  # says whether Redis is gone or only its doorbell
            await asyncio.sleep(self._pace.retry_first)
        return heard

    async def _rung(self, notification: Notification | None) -> None:
        async with self._lock:
            if notification is None:
                await self._catch_up()
            elif notification.heartbeat is not None:
                self.view.report = notification.heartbeat
                if self._missed(notification):
                    await self._catch_up()
                else:
                    self._answered()
            elif not self._append(notification):
                await self._catch_up()
        self._judge_now()
        self._changed()

    def _missed(self, notification: Notification) -> bool:
        """Whether the poller knows of news that never rang here."""
        ring = self.view.ring
        return notification.last is not None and (notification.epoch != ring.epoch or notification.last > ring.head)

    def _append(self, notification: Notification) -> bool:
        """Take the news that came with the ring, if it follows what we have."""
        ring = self.view.ring
        if notification.epoch != ring.epoch or notification.last is None:
            return False
        if notification.last <= ring.head and ring.covers(notification.last):
            return True
        if notification.previous != ring.head or notification.entries is None:
            return False
        self._extend(notification.entries)
        self._answered()
        return True

    async def _poll(self) -> None:
        while True:
            await self._look_until_answered()
            await asyncio.sleep(self._pace.poll)

    async def _look_until_answered(self) -> None:
        if self._looking:
            return
        self._looking = True
        delay = self._pace.retry_first
        try:
            while True:
                try:
                    await self._look()
                    return
                except ColiseumError as error:
                    self._failed(error)
                await asyncio.sleep(delay * random.uniform(0.8, 1.2))
                most = self._pace.retry_starting if self._starting else self._pace.retry_most
                delay = min(delay * 2, most)
        finally:
            self._looking = False

    async def _look(self) -> None:
        async with self._lock:
            await self._catch_up()
        self._judge_now()
        self._changed()

    async def _catch_up(self) -> None:
        """Read until the ring's head is the log's head. Raises ColiseumError where Redis does not answer."""
        ahead_until: float | None = None
        while True:
            ring = self.view.ring
            if not self.view.loaded and ring.epoch is None:
                await self._load("epoch")
                return
            state = await self._read(ring.head)
            reading = state.reading
            outcome = follow(ring.head, ring.epoch, reading)
            if isinstance(outcome, Ahead):
                ahead_until = ahead_until or self._loop.time() + self._pace.ahead
                if self._loop.time() < ahead_until:
                    await asyncio.sleep(min(0.4, self._pace.ahead / 3))
                    continue
                await self._load("ahead")
                return
            if isinstance(outcome, Reset):
                await self._load(outcome.reason)
                return
            if isinstance(outcome, Gap):
                ring.restart(reading.epoch, outcome.to, same_history=True)
                outcome = follow(outcome.to, reading.epoch, reading)
            if isinstance(outcome, Continue):
                if ring.epoch is None and reading.epoch is not None:
                    ring.restart(reading.epoch, START, same_history=True)
                self._extend(outcome.entries)
                if not outcome.entries or ring.head == reading.head:
                    self._learn(state)
                    return
                self._changed()

    async def _load(self, reason: str) -> None:
        """Begin anew with the newest entries."""
        state = await self._ask(self._feed.latest(SEED))
        floor, entries = _tail(state.reading)
        ring = self.view.ring
        fresh = not self.view.loaded and ring.epoch is None
        self.view.broken = reason
        ring.restart(state.reading.epoch, floor, entries, same_history=fresh)
        self._learn(state)

    async def _read(self, after: EntryId) -> FeedState:
        return await self._ask(self._feed.read(after))

    async def _ask(self, answer: Awaitable[FeedState]) -> FeedState:
        """One look at Redis, billed and timed: an answer that is due for long is an outage too."""
        self._counts.redis_commands += READ_COMMANDS
        question, asked_at = object(), self._loop.time()
        self._asked[question] = asked_at
        try:
            state = await answer
        except ColiseumError:
            self._silent_since = self._silent_since or asked_at
            raise
        finally:
            self._asked.pop(question, None)
        self._answered()
        return state

    @property
    def _starting(self) -> bool:
        """Whether Redis may still take its time for the first answer to this process."""
        return self._redis_ok_ms is None and self._loop.time() < self.view.first_answer_due

    def _extend(self, entries: tuple[Entry, ...]) -> None:
        self.view.ring.extend(entries)
        for entry in entries:
            if entry.kind is EntryKind.BOT_STATUS:
                self.view.bot = entry.data

    def _learn(self, state: FeedState) -> None:
        self.view.loaded = True
        self.view.bot = state.bot or self.view.bot
        self.view.report = state.heartbeat or self.view.report

    def _answered(self) -> None:
        self._redis_ok_ms = now_ms()
        self.view.first_answer_due = 0.0
        self._silent_since = None
        if self.view.down_since is not None:
            logger().info("redis answers again")
            self.view.down_since = None

    def _failed(self, error: ColiseumError) -> None:
        self._counts.redis_errors += 1
        if self.view.down_since is None:
            logger().warning("redis does not answer: %s", error)
            self.view.down_since = self._silent_since or self._loop.time()
        self._judge_now()

    async def _judge(self) -> None:
        while True:
            await asyncio.sleep(self._pace.tick)
            self._judge_now()

    def _judge_now(self) -> None:
        """Replace the set of stale sources where it changed, and tell everybody."""
        if self._starting or (not self.view.loaded and self.view.down_since is None and not self._asked):
            return
        now = self._loop.time()
        since = [*self._asked.values(), *([] if self.view.down_since is None else [self.view.down_since])]
        stale = stale_sources(
            self.view.report,
            now_ms=now_ms(),
            redis_ok_ms=self._redis_ok_ms,
            redis_down_seconds=now - min(since) if since else None,
            redis_patience=self._pace.redis_patience,
        )
        if not self.view.loaded:
            stale = {source: entry for source, entry in stale.items() if source == "redis"}
        if stale.keys() != self.view.stale.keys():
            self.view.stale = stale
            self._changed()


def _tail(reading: Reading) -> tuple[EntryId, tuple[Entry, ...]]:
    """The newest entries without a hole, and the id before them."""
    entries = reading.entries
    if not entries or entries[-1].id != reading.head:
        return reading.head, ()
    first = len(entries) - 1
    while first > 0 and entries[first - 1].id.seq == entries[first].id.seq - 1:
        first -= 1
    if first > 0:
        return entries[first - 1].id, entries[first:]
    seq = entries[0].id.seq
    # Its predecessor's time is unknown; a client that names it is answered from Redis instead.
    return (START if seq == 1 else entries[0].id), (entries if seq == 1 else entries[1:])
