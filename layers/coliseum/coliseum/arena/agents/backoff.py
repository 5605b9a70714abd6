"""How long a decision waits before it is tried again. Pure."""

from __future__ import annotations

FIRST_SECONDS = 10.0
LONGEST_SECONDS = 600.0


def wait_seconds(*, attempt: int, retry_after: float | None, jitter: float) -> int:
    """Seconds before the next attempt: 10 s, doubled per attempt, at least `retry_after`, at most 10 minutes.

    `jitter` in [0, 1) lengthens the wait by up to a half.
    """
    doubling = FIRST_SECONDS * 2.0 ** (max(1, attempt) - 1) * (1 + jitter / 2)
    return int(min(LONGEST_SECONDS, max(doubling, retry_after or 0.0)))
