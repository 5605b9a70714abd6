"""The one reader of the log in a process. All its clients share what it learns.

It is put together from parts that can be read alone: `doorbell.py` subscribes, `ring_follower.py` keeps the ring,
`log_source.py` reads and counts, `redis_health.py` knows whether Redis answers, `watchers.py` wakes the clients.
With `FEED_MODE=poll` it looks at the log at every interval instead of subscribing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine

from coliseum.errors import ColiseumError
from coliseum.feed.entries import EntryId
from coliseum.feed.feed import AsyncFeed, now_ms
from coliseum.feed.protocol import FeedState, Notification
from coliseum.observability import logger
from coliseum.streaming.doorbell import Doorbell
from coliseum.streaming.log_source import LogSource
from coliseum.streaming.ring_follower import RingFollower
from coliseum.streaming.sources import stale_sources
from coliseum.streaming.stats import StreamCounters
from coliseum.streaming.timings import ReaderTimings
from coliseum.streaming.view import LogView
from coliseum.streaming.watchers import Watchers


class LogReader:
    """Reads the log while clients hold it, and a little longer.

    Invariant: its tasks run exactly while its watchers are `running`; between two runs `view.loaded` is False.
    """

    def __init__(self, feed: AsyncFeed, *, doorbell: bool, timings: ReaderTimings, counters: StreamCounters) -> None:
        self._view = LogView()
        self._timings = timings
        self._loop = asyncio.get_running_loop()
        self._feed = feed
        self._counters = counters
        self._source = LogSource(feed, health=self._view.redis, counters=counters)
        self._watchers = Watchers(start=self._start, stop=self._stop, linger_seconds=timings.linger_seconds)
        self._ring = RingFollower(
            self._view, self._source, ahead_seconds=timings.ahead_seconds, announce=self._watchers.announce
        )
        self._doorbell = Doorbell(self._subscribe, self, timings) if doorbell else None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_recovering = False

    @property
    def view(self) -> LogView:
        return self._view

    @property
    def timings(self) -> ReaderTimings:
        return self._timings

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop it belongs to. It cannot serve another one."""
        return self._loop

    def hold(self, wake: Callable[[], None]) -> None:
        """Run from now on; `wake` is called after every change of the view."""
        self._watchers.add(wake)

    def release(self, wake: Callable[[], None]) -> None:
        """Call `wake` no more, and stop when no client comes for `linger_seconds`."""
        self._watchers.discard(wake)

    async def close(self) -> None:
        """Stop at once."""
        tasks = list(self._tasks)
        self._watchers.stop()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def ready(self, seconds: float, *, give_up: Callable[[], bool] = lambda: False) -> bool:
        """Wait so many seconds for Redis, longer while the process is starting. Returns whether it has answered.

        The wait ends early with False when `give_up()` is true, or when the reader stops.
        """
        view = self._view
        deadline = max(self._loop.time() + seconds, view.redis.first_answer_due)
        while not view.loaded or "redis" in view.stale:
            stopped = give_up() or not self._watchers.running
            if stopped or self._loop.time() >= deadline or "redis" in view.stale:
                return False
            await asyncio.sleep(0.05)
        return True

    async def read(self, after: EntryId) -> FeedState:
        """The log behind `after`, from Redis; equal reads at the same time are sent once.

        Raises ColiseumError where Redis does not answer.
        """
        try:
            state = await self._source.read_shared(after)
        except ColiseumError as error:
            self._failed(error)
            self._look_soon()
            raise
        reading, ring = state.reading, self._view.ring
        if reading.head != ring.head or reading.epoch != ring.epoch:
            self._look_soon()
        return state

    async def check(self) -> None:
        """Look at the log once. Raises ColiseumError where Redis does not answer."""
        await self._ring.catch_up()
        self._judge_and_announce()

    async def notified(self, notification: Notification | None) -> None:
        """The doorbell rang. Raises ColiseumError where that needs a read that fails."""
        if await self._ring.take(notification):
            self._source.answered()  # a notification proves that Redis is there, too
        self._judge_and_announce()

    async def recover(self, error: ColiseumError) -> None:
        """Redis failed: look at the log until it answers."""
        self._failed(error)
        await self._check_until_answered()

    def _start(self) -> None:
        self._view.redis.begin_waiting(self._loop.time(), self._timings.first_answer_seconds)
        self._spawn(self._repeat(self._doorbell.run if self._doorbell is not None else self._poll))
        self._spawn(self._repeat(self._judge_regularly))

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        # What was known may be old when the next client comes.
        self._view.loaded = False
        self._view.stale = {}
        self._view.redis.pause()

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _repeat(self, work: Callable[[], Awaitable[None]]) -> None:
        """Begin `work` again whatever ends it: a process without its reader would serve old data and not notice."""
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001  # errors that are expected are handled where they happen
                logger().exception("the log reader failed and begins again")
            await asyncio.sleep(self._timings.longest_retry_seconds)

    async def _subscribe(self) -> AsyncGenerator[Notification | None, None]:
        self._counters.redis_commands += 1
        notifications = self._feed.notifications()
        try:
            async for notification in notifications:
                yield notification
        finally:
            await notifications.aclose()

    async def _poll(self) -> None:
        while True:
            await self._check_until_answered()
            await asyncio.sleep(self._timings.poll_seconds)

    def _look_soon(self) -> None:
        """A read has shown something else than the ring, or has failed: look."""
        if self._watchers.running and not self._is_recovering:
            self._spawn(self._check_until_answered())

    async def _check_until_answered(self) -> None:
        if self._is_recovering:
            return
        self._is_recovering = True
        delay = self._timings.first_retry_seconds
        try:
            while True:
                try:
                    await self.check()
                    return
                except ColiseumError as error:
                    self._failed(error)
                await asyncio.sleep(delay * random.uniform(0.8, 1.2))
                starting = self._view.redis.is_starting(self._loop.time())
                longest = self._timings.starting_retry_seconds if starting else self._timings.longest_retry_seconds
                delay = min(delay * 2, longest)
        finally:
            self._is_recovering = False

    def _failed(self, error: ColiseumError) -> None:
        self._source.failed(error)
        self._judge()

    async def _judge_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._timings.judge_seconds)
            self._judge()

    def _judge_and_announce(self) -> None:
        self._judge()
        self._watchers.announce()

    def _judge(self) -> None:
        """Replace the set of stale sources where it has changed, and wake all clients then."""
        view, redis, now = self._view, self._view.redis, self._loop.time()
        silent_seconds = redis.silent_seconds(now)
        if redis.is_starting(now) or (not view.loaded and silent_seconds is None):
            return
        stale = stale_sources(
            view.heartbeat,
            now_ms=now_ms(),
            redis_ok_ms=redis.answered_ms,
            redis_down_seconds=silent_seconds,
            redis_patience=self._timings.redis_patience_seconds,
        )
        if not view.loaded:  # nothing is known of the poller and the bot yet
            stale = {source: entry for source, entry in stale.items() if source == "redis"}
        if stale.keys() != view.stale.keys():
            view.stale = stale
            self._watchers.announce()
