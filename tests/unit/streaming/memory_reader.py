"""A reader whose log is this process: tests append to its ring and announce it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from coliseum.errors import SourceUnavailable
from coliseum.feed.entries import START, EntryId
from coliseum.feed.protocol import FeedState
from coliseum.streaming.timings import ReaderTimings
from coliseum.streaming.view import LogView
from coliseum.streaming.watchers import Watchers


class MemoryReader:
    """Reads nothing from Redis; everything older than the ring is unreachable."""

    def __init__(self) -> None:
        self.view = LogView(loaded=True)
        self.view.ring.restart("e", START)
        self.timings = ReaderTimings()
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.watchers = Watchers(start=lambda: None, stop=lambda: None, linger_seconds=3600.0)

    def hold(self, wake: Callable[[], None]) -> None:
        self.watchers.add(wake)

    def release(self, wake: Callable[[], None]) -> None:
        self.watchers.discard(wake)

    async def ready(self, seconds: float, *, give_up: Callable[[], bool] = lambda: False) -> bool:
        return True

    async def read(self, after: EntryId) -> FeedState:
        raise SourceUnavailable("redis", "there is none")

    async def close(self) -> None:
        self.watchers.stop()
