"""The exchange's trading hours: always, except on Thursdays from 03:00 to 05:00 Eastern time. Pure.

Eastern time is computed here, because the exchange must also run on a machine without a time zone database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

THURSDAY = 3
PAUSE_FROM, PAUSE_TO = 3, 5
"""Hours of Eastern time."""


def pause_end(at: float) -> float | None:
    """The end of the weekly pause that `at` lies in, None outside of a pause. Both in unix seconds."""
    now = datetime.fromtimestamp(at, UTC)
    eastern = now + _offset(now)
    if eastern.weekday() != THURSDAY or not PAUSE_FROM <= eastern.hour < PAUSE_TO:
        return None
    end = eastern.replace(hour=PAUSE_TO, minute=0, second=0, microsecond=0)
    return (end - _offset(now)).timestamp()


def _offset(now: datetime) -> timedelta:
    """Eastern time's offset from UTC.

    Daylight saving lasts from the second Sunday of March to the first Sunday of November, both at 2 o'clock local time.
    """
    begin = _sunday(now.year, 3, 2) + timedelta(hours=7)
    end = _sunday(now.year, 11, 1) + timedelta(hours=6)
    return timedelta(hours=-4 if begin <= now < end else -5)


def _sunday(year: int, month: int, number: int) -> datetime:
    """Midnight UTC of the `number`-th Sunday of a month."""
    first = datetime(year, month, 1, tzinfo=UTC)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (number - 1))
