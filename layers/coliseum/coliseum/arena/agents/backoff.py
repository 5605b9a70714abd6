"""How long a decision that failed for now waits until it is asked again. Pure."""

from __future__ import annotations

FIRST_SECONDS = 10.0
LONGEST_SECONDS = 600.0


def wait_seconds(*, attempt: int, retry_after: float | None, jitter: float) -> int:
    """Doubling from ten seconds, never earlier than the source asked for; `jitter` in [0, 1) spreads it by a half."""
    doubling = FIRST_SECONDS * 2.0 ** (max(1, attempt) - 1) * (1 + jitter / 2)
    return int(min(LONGEST_SECONDS, max(doubling, retry_after or 0.0)))
