"""How long the poller does not use Redis after it failed. Pure; time is counted in ticks."""

from __future__ import annotations

REST_TICKS_MAX = 10
"""The longest rest while Redis keeps failing."""


class Backoff:
    """Twice as long a rest after each failure in a row: 1, 2, 4, 8, then 10 ticks.

    Invariant: the rest grows only with failures in a row; one success ends the row.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._rest_until = 0

    def is_resting(self, tick: int) -> bool:
        """Whether Redis must not be used in this tick."""
        return tick < self._rest_until

    def failed(self, tick: int) -> None:
        """Redis failed in this tick."""
        self._failures += 1
        self._rest_until = tick + min(REST_TICKS_MAX, 2 ** (self._failures - 1))

    def succeeded(self) -> None:
        """Redis answered: the next failure begins with a short rest again."""
        self._failures = 0
