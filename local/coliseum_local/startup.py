"""What `make run` says while the system starts: one line per part that answers, and now and then what is missing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

REMIND_SECONDS = 5.0
"""After this long without a line, a line says what is missing."""
RETRY_SECONDS = 0.2
GIVE_UP_SECONDS = 180.0
"""A part that has not answered by then is named, and the table is shown all the same."""
Probe = Callable[[], str | None]
"""Asks one part of the system. None when it answers, otherwise why not."""


class StartupProgress:
    """The parts that have not answered yet, each with the reason that its last probe gave. Threads share it.

    `show` gets the lines. `clock` counts seconds.
    """

    def __init__(self, show: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._waiting: dict[str, str] = {}
        self._show = show
        self._clock = clock
        self._begin = self._last_line = clock()
        self._lock = threading.Lock()

    @property
    def waiting(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._waiting)

    def expect(self, *names: str) -> None:
        with self._lock:
            self._waiting = dict.fromkeys(names, "") | self._waiting

    def answered(self, name: str) -> None:
        with self._lock:
            if self._waiting.pop(name, None) is not None:
                self._print(f"{name:<12} ready after {self._clock() - self._begin:.1f} s")

    def failed(self, name: str, reason: str) -> None:
        with self._lock:
            if name in self._waiting:
                self._waiting[name] = reason

    def remind(self) -> None:
        """Say what is missing, unless there was a line a moment ago."""
        with self._lock:
            if self._waiting and self._clock() - self._last_line >= REMIND_SECONDS:
                missing = ", ".join(f"{name} ({why})" if why else name for name, why in self._waiting.items())
                self._print(f"still waiting for {missing} after {self._clock() - self._begin:.0f} s")

    def _print(self, line: str) -> None:
        self._last_line = self._clock()
        self._show(line)


class Startup:
    """Runs the probes of a start, each in a thread of its own, until every part has answered or `stopping` is set."""

    def __init__(self, *, show: Callable[[str], None], stopping: threading.Event) -> None:
        self._progress = StartupProgress(show, time.monotonic)
        self._show = show
        self._stopping = stopping
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=32, thread_name_prefix="startup")
        self._reminder = threading.Thread(target=self._remind, name="startup-reminder", daemon=True)

    def __enter__(self) -> Self:
        self._reminder.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._reminder.join()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def expect(self, *names: str) -> None:
        """Parts that will be probed once they serve."""
        self._progress.expect(*names)

    def probe(self, name: str, probe: Probe) -> None:
        """Ask again and again until `name` answers."""
        self._progress.expect(name)
        self._pool.submit(self._ask, name, probe)

    def wait(self, *, seconds: float = GIVE_UP_SECONDS) -> None:
        """Returns when every part has answered, after `seconds`, or when the system is stopped."""
        deadline = time.monotonic() + seconds
        while self._progress.waiting and not self._stopping.wait(RETRY_SECONDS / 2):
            if time.monotonic() > deadline:
                self._show(f"going on without an answer of {', '.join(self._progress.waiting)}; see their logs")
                return

    def _ask(self, name: str, probe: Probe) -> None:
        while not self._ended.is_set() and not self._stopping.is_set():
            try:
                reason = probe()
            except Exception as error:  # noqa: BLE001 - a probe that fails is a part that does not answer yet
                reason = f"{type(error).__name__}: {error}"
            if reason is None:
                self._progress.answered(name)
                return
            self._progress.failed(name, reason)
            self._stopping.wait(RETRY_SECONDS)

    def _remind(self) -> None:
        while not self._ended.wait(RETRY_SECONDS):
            if not self._stopping.is_set():
                self._progress.remind()
