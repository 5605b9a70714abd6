"""Callbacks are woken once per turn, and the reader runs while somebody watches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from tests.fixtures.waiting import PATIENCE_SECONDS, until_async

from coliseum.streaming.watchers import Watchers


class Watched:
    """Watchers with a record of what they called."""

    def __init__(self, linger_seconds: float = 3600.0) -> None:
        self.calls: list[str] = []
        self.watchers = Watchers(
            start=lambda: self.calls.append("start"),
            stop=lambda: self.calls.append("stop"),
            linger_seconds=linger_seconds,
        )

    def wake(self) -> None:
        self.calls.append("wake")

    def other_wake(self) -> None:
        self.calls.append("other wake")


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), PATIENCE_SECONDS))


def test_changes_of_one_turn_are_announced_once() -> None:
    async def story() -> None:
        watched = Watched()
        watched.watchers.add(watched.wake)
        watched.watchers.announce()
        watched.watchers.announce()
        assert watched.calls == ["start"]
        await asyncio.sleep(0)
        assert watched.calls == ["start", "wake"]
        watched.watchers.announce()
        await asyncio.sleep(0)
        assert watched.calls == ["start", "wake", "wake"]

    run(story)


def test_a_callback_may_leave_while_all_are_woken() -> None:
    async def story() -> None:
        watched = Watched()

        def leave() -> None:
            watched.watchers.discard(leave)
            watched.watchers.add(watched.wake)

        watched.watchers.add(leave)
        watched.watchers.announce()
        await asyncio.sleep(0)
        watched.watchers.announce()
        await asyncio.sleep(0)
        assert watched.calls == ["start", "wake"]

    run(story)


def test_it_stops_when_nobody_has_watched_for_the_linger_time() -> None:
    async def story() -> None:
        watched = Watched(linger_seconds=0.0)
        watched.watchers.add(watched.wake)
        watched.watchers.discard(watched.wake)
        assert watched.watchers.running
        await until_async(lambda: watched.calls == ["start", "stop"])
        assert not watched.watchers.running

    run(story)


def test_a_client_that_comes_in_time_finds_it_running() -> None:
    async def story() -> None:
        watched = Watched(linger_seconds=0.0)
        watched.watchers.add(watched.wake)
        watched.watchers.discard(watched.wake)
        watched.watchers.add(watched.other_wake)
        await asyncio.sleep(0.01)
        assert watched.calls == ["start"]
        assert len(watched.watchers) == 1

    run(story)


def test_it_starts_again_after_a_stop() -> None:
    async def story() -> None:
        watched = Watched()
        watched.watchers.add(watched.wake)
        watched.watchers.stop()
        watched.watchers.stop()
        watched.watchers.add(watched.other_wake)
        assert watched.calls == ["start", "stop", "start"]

    run(story)
