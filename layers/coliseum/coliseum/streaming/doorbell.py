"""One subscription to the doorbell after another."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Protocol

from coliseum.errors import ColiseumError
from coliseum.feed.protocol import Notification
from coliseum.streaming.timings import ReaderTimings

Subscribe = Callable[[], AsyncGenerator[Notification | None, None]]


class DoorbellListener(Protocol):
    """What a doorbell calls."""

    async def notified(self, notification: Notification | None) -> None:
        """A notification came; None: the subscription was confirmed, or the message could not be read."""

    async def check(self) -> None:
        """Look at the log once. Raises ColiseumError where Redis does not answer."""

    async def recover(self, error: ColiseumError) -> None:
        """Subscription or look failed: look at the log until Redis answers."""


class Doorbell:
    """The subscription to the doorbell's channel, renewed whenever it ends, fails or stays silent for too long.

    Invariant: every new subscription is followed by a look at the log, because a notification may have been missed
    between two of them.
    """

    def __init__(self, subscribe: Subscribe, listener: DoorbellListener, timings: ReaderTimings) -> None:
        self._subscribe = subscribe
        self._listener = listener
        self._timings = timings

    async def run(self) -> None:
        """Listen for ever."""
        timings = self._timings
        retry_seconds, quiet_seconds = timings.first_retry_seconds, timings.quiet_seconds
        while True:
            try:
                was_notified = await self.listen(quiet_seconds)
                # Silence may mean a lost subscription, or a poller that is dead for long: look less and less often.
                longer = min(quiet_seconds * 2, timings.longest_quiet_seconds)
                quiet_seconds = timings.quiet_seconds if was_notified else longer
                retry_seconds = timings.first_retry_seconds
            except ColiseumError as error:
                await self._listener.recover(error)  # where only subscriptions are refused, this amounts to polling
                await asyncio.sleep(retry_seconds * random.uniform(0.8, 1.2))
                retry_seconds = min(retry_seconds * 2, timings.longest_retry_seconds)

    async def listen(self, quiet_seconds: float) -> bool:
        """One subscription, until it ends or is silent for `quiet_seconds`. Returns whether a notification came.

        Raises ColiseumError where Redis does not answer.
        """
        confirmed = was_notified = False
        async with aclosing(self._subscribe()) as notifications:
            with suppress(TimeoutError, StopAsyncIteration):
                while True:
                    async with asyncio.timeout(quiet_seconds if confirmed else self._timings.confirm_seconds):
                        notification = await anext(notifications)
                    confirmed = True
                    was_notified = was_notified or notification is not None
                    await self._listener.notified(notification)
        if not confirmed:
            await self._listener.check()  # shows whether Redis is down or only its doorbell
            await asyncio.sleep(self._timings.first_retry_seconds)
        return was_notified
