"""Times as the log and the stream write them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


@overload
def rfc3339(ms: int) -> str: ...


@overload
def rfc3339(ms: None) -> None: ...


def rfc3339(ms: int | None) -> str | None:
    """Unix milliseconds as RFC 3339 text in UTC, with milliseconds; None stays None."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
