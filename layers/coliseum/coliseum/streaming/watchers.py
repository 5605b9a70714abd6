"""Who is called when the process has learnt something, and how long its reader runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

Wake = Callable[[], None]


class Watchers:
    """The callbacks of a process's clients.

    Invariant: `running` is true from the first `add` on, until there has been no watcher for `linger_seconds`. `start`
    and `stop` are called at these two moments.
    """

    def __init__(self, *, start: Callable[[], None], stop: Callable[[], None], linger_seconds: float) -> None:
        self.running = False
        self._start = start
        self._stop = stop
        self._linger_seconds = linger_seconds
        self._loop = asyncio.get_running_loop()
        self._wakes: set[Wake] = set()
        self._linger: asyncio.TimerHandle | None = None
        self._announced = False

    def __len__(self) -> int:
        return len(self._wakes)

    def add(self, wake: Wake) -> None:
        """Call `wake` after every change from now on."""
        self._wakes.add(wake)
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if not self.running:
            self.running = True
            self._start()

    def discard(self, wake: Wake) -> None:
        self._wakes.discard(wake)
        if not self._wakes and self.running and self._linger is None:
            self._linger = self._loop.call_later(self._linger_seconds, self.stop)

    def stop(self) -> None:
        """Stop now, also where there are watchers."""
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if self.running:
            self.running = False
            self._stop()

    def announce(self) -> None:
        """Wake all watchers once, after what is happening now: changes that come together are written together."""
        if not self._announced:
            self._announced = True
            self._loop.call_soon(self._wake_all)

    def _wake_all(self) -> None:
        self._announced = False
        for wake in tuple(self._wakes):
            wake()
