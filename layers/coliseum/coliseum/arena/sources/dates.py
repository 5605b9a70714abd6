"""When a source was published, by the date that it names. Pure.

A date counts only with a time zone. Where its meaning is open, the latest moment that it can mean is taken, so that no
source counts as known before it was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

LAST_ZONE = timezone(timedelta(hours=-12))
"""Where a day ends last. A date without a time means the end of its day there."""
LONGEST = 80
"""Characters of a date that are looked at."""
_ZONES = {
    **{"UT": 0, "UTC": 0, "GMT": 0, "Z": 0},
    **{"EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7, "PDT": -7, "PST": -8},
    **{"AKDT": -8, "AKST": -9, "HST": -10},
    **{"WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3},
}
"""Hours from UTC. Names that stand for several zones (BST, IST) are left out: such a date does not count.

RFC 822 fixes the American ones. A publisher who writes EST in summer means an hour earlier, so this errs late.
"""
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_RFC_822 = re.compile(
    r"(?:[A-Za-z]{3,9},? +)?(?P<day>\d{1,2}) +(?P<month>[A-Za-z]{3,9}) +(?P<year>\d{4}|\d{2})"
    r"(?: +(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))? +(?P<zone>[A-Za-z]{1,4}|[+-]\d{4}))?"
)
_RFC_3339 = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
    r"(?:[Tt ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d{1,9})?)? ?(?P<zone>[Zz]|[+-]\d{2}:?\d{2}))?"
)


@dataclass(frozen=True, slots=True)
class PublishedDate:
    """The moment from which on a source counts as published, in UTC. `date_only`: no time was named."""

    at: datetime
    date_only: bool


def published_date(text: str, *, fetched_at: datetime) -> PublishedDate | None:
    """What a date of RFC 822 (RSS) or RFC 3339 (Atom) means.

    None for a date that cannot be read, that has a time without a known zone, or that lies after `fetched_at`: what was
    read before its date has a false date. A date without a time means the end of its day, wherever that ends last, and
    may therefore lie up to a day and a half after `fetched_at`.
    """
    text = text.strip()
    if len(text) > LONGEST or not text.isascii():
        return None
    match = _RFC_822.fullmatch(text) or _RFC_3339.fullmatch(text)
    if match is None:
        return None
    try:
        day = date(_year(match["year"]), _month(match["month"]), int(match["day"]))
        if match["hour"] is None:
            return _end_of(day, fetched_at)
        at = datetime.combine(day, _clock(match), _zone(match["zone"])).astimezone(UTC)
    except (ValueError, OverflowError, KeyError):
        return None
    return PublishedDate(at, date_only=False) if at <= fetched_at else None


def _end_of(day: date, fetched_at: datetime) -> PublishedDate | None:
    begins = datetime.combine(day, time(), timezone(timedelta(hours=14)))  # where it begins first
    if begins > fetched_at:
        return None
    end = datetime.combine(day, time(), LAST_ZONE) + timedelta(days=1)
    return PublishedDate(end.astimezone(UTC), date_only=True)


def _clock(match: re.Match[str]) -> time:
    """A leap second becomes the second before it."""
    return time(int(match["hour"]), int(match["minute"]), min(59, int(match["second"] or 0)))


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else 2000 + int(text)


def _month(text: str) -> int:
    return int(text) if text.isdigit() else _MONTHS[text[:3].lower()]


def _zone(text: str) -> timezone:
    """Raises KeyError for a name that is not known, ValueError for a day's distance or more."""
    name = text.upper()
    if name in _ZONES:
        return timezone(timedelta(hours=_ZONES[name]))
    if name[0] not in "+-":
        raise KeyError(name)
    digits = name[1:].replace(":", "")
    distance = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-distance if name[0] == "-" else distance)
