"""Whether another machine's clock is ahead of ours. Pure.

A time that lies ahead of our clock shows that the other clock is wrong. A time in the past shows nothing, because what
it describes may be old. So no decision may rest on a time that another machine wrote.
"""

from __future__ import annotations

TOLERANCE_SECONDS = 10.0
"""Clocks differ by a few seconds, and reading an answer takes some. Kalshi tolerates the same difference."""


def seconds_ahead(stamp: float, *, now: float) -> float | None:
    """By how many seconds `stamp` is ahead of `now` (both unix seconds); None within the tolerance and in the past."""
    ahead = stamp - now
    return round(ahead, 1) if ahead > TOLERANCE_SECONDS else None
