"""Reads times: RFC 3339, or a number of seconds, milliseconds, microseconds or nanoseconds since 1970. Pure.

The unit of a number follows from its size. A number of milliseconds between 1973 and 5138 is larger than every number
of seconds in that time, and so on. So a number is never taken for another unit, except in the first years after 1970.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

_UNITS = (("seconds", 1), ("milliseconds", 1_000), ("microseconds", 1_000_000), ("nanoseconds", 1_000_000_000))
_LARGEST_SECONDS = 10**11
"""The year 5138. Larger numbers are milliseconds, numbers a thousand times as large microseconds, and so on."""
EARLIEST_LIKELY = 631_152_000.0
"""1990. An earlier time of a forecast is probably no time, but a day of a spreadsheet, a year, or 0 for nothing."""
_EXPECTED = "a time as 2026-11-21T12:00:00Z, or unix seconds"


@dataclass(frozen=True, slots=True)
class Moment:
    """A time."""

    seconds: float
    """Unix seconds."""
    unit: str | None
    """The unit of the number that was read; None for a text such as RFC 3339."""
    zoned: bool | None = None
    """Whether the text names its zone; None for a number."""


def moment(text: str) -> Moment:
    """Read a time. A time without a zone is UTC. Raises ValueError, whose message says what was expected."""
    try:
        value = float(text)
    except ValueError:
        return _from_text(text)
    if not math.isfinite(value) or "_" in text:
        raise ValueError(_EXPECTED)
    if len(text) == 8 and text.isdecimal() and _is_day(text):
        raise ValueError(f"{_EXPECTED}; write the day as {text[:4]}-{text[4:6]}-{text[6:]}")
    size = _LARGEST_SECONDS
    for unit, per_second in _UNITS:
        if abs(value) < size:
            # A fraction, because nanoseconds have more digits than a float.
            return Moment(value if per_second == 1 else float(Fraction(text) / per_second), unit)
        size *= 1000
    raise ValueError(f"{_EXPECTED}; this number is too large for any unit")


def _from_text(text: str) -> Moment:
    try:
        found = datetime.fromisoformat(text.removesuffix("UTC").rstrip().replace("Z", "+00:00"))
        seconds = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(_EXPECTED) from None
    return Moment(seconds, None, zoned=found.tzinfo is not None)


def _is_day(text: str) -> bool:
    try:
        return 1900 <= datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).year <= 2200
    except ValueError:
        return False
