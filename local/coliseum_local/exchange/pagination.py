"""Pages of a list, newest first. A cursor names the last row of a page.

A cursor that cannot be read gives the first page again, without an error: so does Kalshi.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
Key = tuple[float, str]
"""(unix seconds, id). Rows of the same time are ordered by id."""


def page(rows: Iterable[T], *, key: Callable[[T], Key], limit: int, cursor: str) -> tuple[list[T], str]:
    """One page and the cursor of the next one, which is "" on the last page."""
    ordered = sorted(rows, key=key, reverse=True)
    after = _decode(cursor)
    if after is not None:
        ordered = [row for row in ordered if key(row) < after]
    shown = ordered[:limit]
    return shown, _encode(key(shown[-1])) if len(ordered) > limit else ""


def _encode(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _decode(cursor: str) -> Key | None:
    if not cursor:
        return None
    try:
        time, name = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        return None
    known = isinstance(time, int | float) and math.isfinite(time) and isinstance(name, str)
    return (float(time), name) if known else None
