"""Times that callers write: RFC 3339 and nothing else. Pure."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime

_RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[-+ ]\d{2}:\d{2})",
    re.ASCII,
)
"""`datetime.fromisoformat` alone takes weeks, any character between date and time, and other forms of ISO 8601."""


def moment_from(text: str) -> datetime:
    """A time such as 2026-11-21T08:00:00Z or 2026-11-21T09:00:00.5+01:00, with its zone. Raises ValueError.

    The `+` of a zone may be a blank: it arrives as one where it is not encoded in a query.
    """
    if _RFC_3339.fullmatch(text):
        with suppress(ValueError):  # no such day or hour
            return datetime.fromisoformat(text.upper().replace(" ", "+"))
    raise ValueError("no RFC 3339 time")
