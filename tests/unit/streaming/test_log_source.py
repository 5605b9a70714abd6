"""Reads of the log are counted, shared, and tell whether Redis answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.fixtures.waiting import PATIENCE_SECONDS

from coliseum.errors import SourceUnavailable
from coliseum.feed.contiguity import Reading
from coliseum.feed.entries import START, EntryId
from coliseum.feed.protocol import FeedState
from coliseum.streaming.log_source import READ_COMMANDS, LogSource
from coliseum.streaming.redis_health import RedisHealth
from coliseum.streaming.stats import StreamCounters

STATE = FeedState(Reading("e", 0, START, ()), None, None)


class GatedLog:
    """Answers when it is allowed to; fails while it is `down`."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.down = False
        self.reads = 0

    async def read(self, after: EntryId) -> FeedState:
        self.reads += 1
        await self.gate.wait()
        if self.down:
            raise SourceUnavailable("redis", "is down")
        return STATE

    async def latest(self, count: int) -> FeedState:
        return await self.read(START)


def run(story: Callable[[GatedLog, LogSource, RedisHealth, StreamCounters], Coroutine[Any, Any, None]]) -> None:
    async def prepared() -> None:
        log, health, counters = GatedLog(), RedisHealth(), StreamCounters(0.0)
        await story(log, LogSource(log, health=health, counters=counters), health, counters)

    asyncio.run(asyncio.wait_for(prepared(), PATIENCE_SECONDS))


def test_a_read_is_counted_as_billed_and_shows_that_redis_answers() -> None:
    async def story(log: GatedLog, source: LogSource, health: RedisHealth, counters: StreamCounters) -> None:
        log.gate.set()
        assert await source.read(START) is STATE
        assert counters.redis_commands == READ_COMMANDS
        assert health.answered_ms is not None

    run(story)


def test_a_read_that_is_open_counts_as_silence_and_one_that_failed_begins_the_outage() -> None:
    async def story(log: GatedLog, source: LogSource, health: RedisHealth, counters: StreamCounters) -> None:
        log.down = True
        reading = asyncio.ensure_future(source.read(START))
        await asyncio.sleep(0)
        now = asyncio.get_running_loop().time()
        assert health.silent_seconds(now) is not None
        log.gate.set()
        with pytest.raises(SourceUnavailable) as failure:
            await reading
        source.failed(failure.value)
        assert health.down_since is not None
        assert health.down_since <= now
        assert counters.redis_errors == 1

    run(story)


def test_equal_reads_at_the_same_time_are_sent_once() -> None:
    async def story(log: GatedLog, source: LogSource, health: RedisHealth, counters: StreamCounters) -> None:
        reads = [asyncio.ensure_future(source.read_shared(START)) for _ in range(3)]
        await asyncio.sleep(0)
        log.gate.set()
        assert await asyncio.gather(*reads) == [STATE] * 3
        assert log.reads == 1
        await source.read_shared(START)
        assert log.reads == 2

    run(story)


def test_a_client_that_leaves_does_not_cancel_the_read_of_the_others() -> None:
    async def story(log: GatedLog, source: LogSource, health: RedisHealth, counters: StreamCounters) -> None:
        leaving, staying = (asyncio.ensure_future(source.read_shared(START)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        log.gate.set()
        assert await staying is STATE

    run(story)
