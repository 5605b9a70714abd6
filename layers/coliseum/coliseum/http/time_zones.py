"""The query parameter `tz`: in which time zone a caller's days begin. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Query

from coliseum.errors import InvalidInput

TimeZone = Annotated[
    str,
    Query(
        max_length=64,
        description="The time zone in which days begin, by its name in the IANA database.",
        examples=["America/New_York"],
    ),
]

UTC_ZONE = ZoneInfo("UTC")
_DEPENDS_ON_THE_MACHINE = frozenset({"localtime", "posixrules", "Factory"})
"""Files beside the zones on some machines. They name no zone, so days would differ from machine to machine."""
_FOLDERS = ("posix/", "right/")
"""Copies of all zones that only some machines have. Those under `right/` count leap seconds."""


def zone_from(text: str, *, field: str = "tz") -> ZoneInfo:
    """The zone of this name. Raises InvalidInput that names `field`."""
    if text in _DEPENDS_ON_THE_MACHINE or text.startswith(_FOLDERS):
        raise InvalidInput(field, text, "a time zone such as UTC or America/New_York")
    try:
        return ZoneInfo(text)
    except (ValueError, KeyError, OSError):  # OSError: the name of a folder such as `America`
        raise InvalidInput(field, text, "a time zone such as UTC or America/New_York") from None


def day_start(at: float, zone: ZoneInfo) -> float:
    """When the day of `at` began in `zone`; both in unix seconds."""
    day = datetime.fromtimestamp(at, UTC).astimezone(zone).date()
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
