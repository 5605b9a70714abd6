"""A circuit breaker per source: one that just failed is not asked again for a few seconds.

Without it, every request would wait for the time-out of the same dead source.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from coliseum.errors import SourceError, SourceUnavailable

Value = TypeVar("Value")


class CircuitBreaker:
    """One per process, for all sources by name. Thread-safe.

    Only SourceUnavailable opens the circuit. A source that refuses one request may well answer another.
    """

    def __init__(self, *, open_seconds: float = 4.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._open_seconds = open_seconds
        self._clock = clock
        self._failed: dict[str, tuple[float, SourceError]] = {}
        self._lock = threading.Lock()

    def call(self, source: str, fetch: Callable[[], Value]) -> Value:
        """`fetch()`. Raises SourceUnavailable at once while the source's last failure is too recent."""
        self._refuse_while_open(source)
        try:
            value = fetch()
        except SourceUnavailable as error:
            # A fetch may touch a second source; that one's failure says nothing about this one.
            if error.source == source:
                with self._lock:
                    self._failed[source] = (self._clock(), error)
            raise
        with self._lock:
            self._failed.pop(source, None)
        return value

    def _refuse_while_open(self, source: str) -> None:
        with self._lock:
            failure = self._failed.get(source)
        if failure is not None:
            failed_at, error = failure
            seconds_left = failed_at + self._open_seconds - self._clock()
            if seconds_left > 0:
                problem = f"not asked again for {seconds_left:.1f} s after: {error.problem}"
                raise SourceUnavailable(source, problem)
