"""What the clients of a process need of its log reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from coliseum.feed.entries import EntryId
from coliseum.feed.protocol import FeedState
from coliseum.streaming.timings import ReaderTimings
from coliseum.streaming.view import LogView


class SharedReader(Protocol):
    """One process's knowledge of the log, and who is called when it changes. `LogReader` is the real one."""

    @property
    def view(self) -> LogView: ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop it belongs to. It cannot serve another one."""
        ...

    @property
    def timings(self) -> ReaderTimings: ...

    def hold(self, wake: Callable[[], None]) -> None:
        """Run, and call `wake` after every change of the view."""

    def release(self, wake: Callable[[], None]) -> None:
        """Call `wake` no more."""

    async def ready(self, seconds: float, *, give_up: Callable[[], bool] = lambda: False) -> bool:
        """Wait so many seconds for Redis, longer while the process is starting. Returns whether it has answered.

        The wait ends early with False when `give_up()` is true, or when the reader stops.
        """
        ...

    async def read(self, after: EntryId) -> FeedState:
        """The log behind `after`, from Redis. Raises ColiseumError where Redis does not answer."""
        ...

    async def close(self) -> None:
        """Stop at once."""
