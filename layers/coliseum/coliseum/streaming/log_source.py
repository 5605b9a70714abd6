"""The log as one process reads it from Redis: every read is counted as billed, and tells whether Redis answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from coliseum.errors import ColiseumError
from coliseum.feed.entries import EntryId
from coliseum.feed.feed import now_ms
from coliseum.feed.protocol import FeedState
from coliseum.observability import logger
from coliseum.streaming.redis_health import RedisHealth
from coliseum.streaming.stats import StreamCounters

READ_COMMANDS = 3
"""One read is a transaction of three commands, and each of them is billed."""


class ReadableLog(Protocol):
    """The reads of `coliseum.feed.feed.AsyncFeed`."""

    async def read(self, after: EntryId) -> FeedState: ...

    async def latest(self, count: int) -> FeedState: ...


class LogSource:
    """Reads of the log. Invariant: `health` is updated at the beginning and at the end of each of them."""

    def __init__(self, log: ReadableLog, *, health: RedisHealth, counters: StreamCounters) -> None:
        self._log = log
        self._health = health
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._shared: dict[EntryId, asyncio.Task[FeedState]] = {}

    async def read(self, after: EntryId) -> FeedState:
        """The log behind `after`. Raises ColiseumError where Redis does not answer."""
        return await self._metered(self._log.read(after))

    async def latest(self, count: int) -> FeedState:
        """The newest `count` entries. Raises ColiseumError where Redis does not answer."""
        return await self._metered(self._log.latest(count))

    async def read_shared(self, after: EntryId) -> FeedState:
        """As `read`; equal reads that overlap are sent once."""
        task = self._shared.get(after)
        if task is None:
            task = self._shared[after] = asyncio.ensure_future(self.read(after))
            task.add_done_callback(lambda done: self._finish(after, done))
        # A client that leaves cancels its own waiting, not the read that others wait for.
        return await asyncio.shield(task)

    def answered(self) -> None:
        """Redis sent something."""
        if self._health.answered(now_ms()):
            logger().info("redis answers again")

    def failed(self, error: ColiseumError) -> None:
        """Redis refused something or did not answer."""
        self._counters.redis_errors += 1
        if self._health.failed(self._loop.time()):
            logger().warning("redis does not answer", problem=str(error))

    async def _metered(self, answer: Awaitable[FeedState]) -> FeedState:
        self._counters.redis_commands += READ_COMMANDS
        key = self._health.begin_read(self._loop.time())
        try:
            state = await answer
        except ColiseumError:
            self._health.end_read(key, failed=True)
            raise
        finally:
            self._health.end_read(key)
        self.answered()
        return state

    def _finish(self, after: EntryId, done: asyncio.Task[FeedState]) -> None:
        self._shared.pop(after, None)
        if not done.cancelled():
            done.exception()  # retrieved here, because every client that waited for it may have left
