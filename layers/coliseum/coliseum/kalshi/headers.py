"""What an answer's headers say about time: when to ask again, and how far our clock is from the exchange's. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_PAUSE_SECONDS = 600.0
"""A longer `Retry-After` is cut to this: a wrong header must not stop us for a day."""
MAX_CLOCK_SECONDS = 10 * 366 * 86_400.0


def retry_after_seconds(text: str | None, *, now: datetime) -> float | None:
    """`Retry-After` as seconds from `now`: a number of seconds or an HTTP date. None where it asks for no pause.

    The standard allows whole seconds only; a fraction is kept to as well, since ignoring it would call too soon.
    """
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        seconds = float(text[:12])
    else:
        moment = _http_date(text)
        if moment is None:
            return None
        seconds = (moment - now).total_seconds()
    return min(seconds, MAX_PAUSE_SECONDS) if seconds > 0 else None


def clock_ahead_seconds(text: str | None, *, now: datetime) -> float | None:
    """How far `now` is ahead of the `Date` header, which has whole seconds; below 0 where it is behind.

    None where the header is missing or of no use.
    """
    moment = None if text is None else _http_date(text)
    if moment is None:
        return None
    seconds = (now - moment).total_seconds()
    return seconds if abs(seconds) <= MAX_CLOCK_SECONDS else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
