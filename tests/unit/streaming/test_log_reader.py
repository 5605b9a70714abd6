"""How long a client waits for the reader's first answer of Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, cast

from tests.fixtures.waiting import PATIENCE_SECONDS

from coliseum.errors import SourceUnavailable
from coliseum.feed.entries import EntryId
from coliseum.feed.feed import AsyncFeed
from coliseum.feed.protocol import FeedState, Notification
from coliseum.streaming.log_reader import LogReader
from coliseum.streaming.stats import StreamCounters
from coliseum.streaming.timings import ReaderTimings

TIMINGS = ReaderTimings(first_answer_seconds=2 * PATIENCE_SECONDS)
"""The process counts as starting for longer than a test may take."""


class SilentFeed:
    """A log that never answers, as Redis does while a process starts."""

    async def read(self, after: EntryId) -> FeedState:
        raise SourceUnavailable("redis", "silent")

    async def latest(self, count: int) -> FeedState:
        raise SourceUnavailable("redis", "silent")

    async def notifications(self) -> AsyncGenerator[Notification | None, None]:
        raise SourceUnavailable("redis", "silent")
        yield None


def run_with_reader(story: Callable[[LogReader], Coroutine[Any, Any, None]]) -> None:
    """Run `story` with a reader that is held and starting. Raises TimeoutError where it takes too long."""

    async def main() -> None:
        reader = LogReader(cast(AsyncFeed, SilentFeed()), doorbell=False, timings=TIMINGS, counters=StreamCounters(0.0))
        reader.hold(lambda: None)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await story(reader)
        await reader.close()

    asyncio.run(main())


def test_the_wait_for_redis_ends_when_the_request_gives_up() -> None:
    async def story(reader: LogReader) -> None:
        given_up = asyncio.Event()
        waiting = asyncio.ensure_future(reader.ready(2.0, give_up=given_up.is_set))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        given_up.set()
        assert not await waiting

    run_with_reader(story)


def test_the_wait_for_redis_ends_when_the_reader_stops() -> None:
    async def story(reader: LogReader) -> None:
        waiting = asyncio.ensure_future(reader.ready(2.0))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await reader.close()
        assert not await waiting

    run_with_reader(story)
