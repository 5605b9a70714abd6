"""A source that just failed is not asked again for a few seconds: its time-outs would become everybody's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from coliseum.errors import SourceError, SourceUnavailable

Answer = TypeVar("Answer")


class CircuitBreaker:
    """One per process, for all sources by name. Only silence opens it, not a refusal: what refuses one question
    may answer another."""

    def __init__(self, *, open_seconds: float = 4.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._open_seconds = open_seconds
        self._clock = clock
        self._failed: dict[str, tuple[float, SourceError]] = {}
        self._lock = threading.Lock()

    def call(self, source: str, ask: Callable[[], Answer]) -> Answer:
        """`ask()`, or SourceUnavailable at once while the source's last failure is too recent."""
        self._refuse_while_open(source)
        try:
            answer = ask()
        except SourceUnavailable as error:
            if error.source == source:
                with self._lock:
                    self._failed[source] = (self._clock(), error)
            raise
        with self._lock:
            self._failed.pop(source, None)
        return answer

    def _refuse_while_open(self, source: str) -> None:
        with self._lock:
            failure = self._failed.get(source)
        if failure is not None:
            at, error = failure
            left = at + self._open_seconds - self._clock()
            if left > 0:
                raise SourceUnavailable(source, f"not asked again for {left:.1f} s after: {error.problem}")
