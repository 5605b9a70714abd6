"""The types of answer fields: money, prices and counts as decimal strings, times as RFC 3339 in UTC. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import PlainSerializer, WithJsonSchema

from coliseum.errors import InvalidInput
from coliseum.trading.money import decimal_text
from coliseum.trading.timestamps import moment_from

_DECIMAL = r"^-?[0-9]+\.[0-9]+$"
_UNIX_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)
_LATEST = 253_402_300_799.0
"""9999-12-31T23:59:59Z, the last second that RFC 3339 can write."""


def utc_text(time: datetime) -> str:
    """2026-11-21T08:00:00Z, with milliseconds where they are not 0. Raises ValueError for a time without a zone."""
    if time.tzinfo is None:
        raise ValueError(f"{time!r} has no zone")
    try:
        utc = time.astimezone(UTC)
    except OverflowError:  # at the edge of the calendar, where the offset leads out of it
        utc = time.replace(tzinfo=UTC)
    return utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds").replace("+00:00", "Z")


def exact_utc_text(time: datetime) -> str:
    """As `utc_text`, but with all six places of a second where they are not 0."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def utc_from(seconds: float) -> datetime:
    """Unix seconds as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def seconds_from(text: str, *, field: str) -> float:
    """Unix seconds from a parameter: unix seconds, or an RFC 3339 time with its zone.

    Raises InvalidInput that names `field` for anything else, and for times outside 1970 to 9999.
    """
    try:
        seconds = float(text) if _UNIX_SECONDS.fullmatch(text) else moment_from(text).timestamp()
    except (ValueError, OverflowError):
        seconds = -1.0
    if not 0 <= seconds <= _LATEST:
        raise InvalidInput(field, text, "an RFC 3339 time such as 2026-11-21T08:00:00Z, or unix seconds")
    return seconds


def _price_text(value: Decimal) -> str:
    return decimal_text(value, places=4)


def _shown(description: str, example: str) -> WithJsonSchema:
    schema = {"type": "string", "pattern": _DECIMAL, "description": description, "examples": [example]}
    return WithJsonSchema(schema, mode="serialization")


_AsText = PlainSerializer(decimal_text, return_type=str)
_AsPriceText = PlainSerializer(_price_text, return_type=str)
Dollars = Annotated[Decimal, _AsText, _shown("US dollars, exact", "1234.56")]
Price = Annotated[Decimal, _AsPriceText, _shown("US dollars per contract", "0.6500")]
Contracts = Annotated[Decimal, _AsText, _shown("Number of contracts", "50.00")]
UtcTime = Annotated[
    datetime,
    PlainSerializer(utc_text, return_type=str),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-11-21T08:00:00Z"]},
        mode="serialization",
    ),
]
ExactUtcTime = Annotated[
    datetime,
    PlainSerializer(exact_utc_text, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "description": "To the microsecond, so that rows can be compared with it.",
            "examples": ["2026-11-21T08:00:00.123456Z"],
        },
        mode="serialization",
    ),
]
