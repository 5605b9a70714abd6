"""Subscriptions to the doorbell: confirmed, silent, cut, refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.fixtures.waiting import PATIENCE_SECONDS, until_async

from coliseum.errors import ColiseumError, SourceUnavailable
from coliseum.feed.entries import EntryId
from coliseum.feed.protocol import Notification
from coliseum.streaming.doorbell import Doorbell
from coliseum.streaming.timings import ReaderTimings

NEWS = Notification("e", EntryId(1, 1), EntryId(2, 2), None, None)
FAST = ReaderTimings(first_retry_seconds=0.0, longest_retry_seconds=0.0, confirm_seconds=0.01, quiet_seconds=0.01)
REFUSED = SourceUnavailable("redis", "refused")


@dataclass
class Recorder:
    """The reader's side: what the doorbell called, in order."""

    calls: list[str] = field(default_factory=list)

    async def notified(self, notification: Notification | None) -> None:
        self.calls.append("confirmed" if notification is None else "notified")

    async def check(self) -> None:
        self.calls.append("check")

    async def recover(self, error: ColiseumError) -> None:
        self.calls.append("recover")


@dataclass
class Channel:
    """Gives each subscription its messages; an error is raised, and None at the end means silence."""

    scripts: list[list[Notification | ColiseumError | None]]
    silent: bool = False
    closed: int = 0

    async def subscribe(self) -> AsyncGenerator[Notification | None, None]:
        script = self.scripts.pop(0) if self.scripts else []
        try:
            for message in script:
                if isinstance(message, ColiseumError):
                    raise message
                yield message
            if self.silent or not self.scripts:
                await asyncio.Event().wait()
        finally:
            self.closed += 1


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), PATIENCE_SECONDS))


def test_every_message_reaches_the_listener() -> None:
    async def story() -> None:
        recorder, channel = Recorder(), Channel([[None, NEWS, NEWS]], silent=True)
        assert await Doorbell(channel.subscribe, recorder, FAST).listen(0.01) is True
        assert recorder.calls == ["confirmed", "notified", "notified"]
        assert channel.closed == 1

    run(story)


def test_a_silent_subscription_ends_and_says_that_nothing_came() -> None:
    async def story() -> None:
        recorder, channel = Recorder(), Channel([[None]], silent=True)
        assert await Doorbell(channel.subscribe, recorder, FAST).listen(0.01) is False
        assert recorder.calls == ["confirmed"]

    run(story)


def test_a_subscription_that_is_not_confirmed_makes_the_reader_look() -> None:
    async def story() -> None:
        recorder, channel = Recorder(), Channel([[]], silent=True)
        assert await Doorbell(channel.subscribe, recorder, FAST).listen(3600.0) is False
        assert recorder.calls == ["check"]

    run(story)


def test_a_refused_subscription_is_an_error() -> None:
    async def story() -> None:
        recorder, channel = Recorder(), Channel([[REFUSED]])
        with pytest.raises(SourceUnavailable):
            await Doorbell(channel.subscribe, recorder, FAST).listen(3600.0)
        assert recorder.calls == []

    run(story)


def test_after_a_failure_the_reader_recovers_and_the_doorbell_subscribes_again() -> None:
    async def story() -> None:
        recorder, channel = Recorder(), Channel([[REFUSED], [None, NEWS]])
        task = asyncio.ensure_future(Doorbell(channel.subscribe, recorder, FAST).run())
        await until_async(lambda: recorder.calls[:3] == ["recover", "confirmed", "notified"])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(story)


def test_a_cut_subscription_is_followed_by_another_one() -> None:
    async def story() -> None:
        recorder, channel = Recorder(), Channel([[None], [None], [None, NEWS]])
        task = asyncio.ensure_future(Doorbell(channel.subscribe, recorder, FAST).run())
        await until_async(lambda: recorder.calls[:4] == ["confirmed", "confirmed", "confirmed", "notified"])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(story)
