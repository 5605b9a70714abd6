"""Events as bytes: LF only, ASCII JSON on one data line, `id` last (SSE-010 to SSE-013). Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from coliseum.feed.entries import EntryId

KEEPALIVE = b":\n"
"""A comment line without an empty line behind it, which some clients would take for the end of an event."""
_NAME = re.compile(r"[a-z][a-z_]*")


def json_bytes(value: object) -> bytes:
    """Compact ASCII JSON: one line for every client, also for those that split lines at U+2028."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def event(name: str, data: Mapping[str, Any], *, event_id: EntryId | None = None, retry_ms: int | None = None) -> bytes:
    """One whole event. With `event_id` None the client keeps the last id it has."""
    return framed(name, json_bytes(data), event_id=event_id, retry_ms=retry_ms)


def framed(name: str, data: bytes, *, event_id: EntryId | None = None, retry_ms: int | None = None) -> bytes:
    """As `event`, with data that is JSON already. Raises ValueError for a malformed name.

    `id` comes last, so that an event that is cut off anywhere moves no cursor.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"event name {name!r} is not lower-case words joined by underscores")
    retry_line = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
    id_line = b"" if event_id is None else b"id: %d-%d\n" % (event_id.ms, event_id.seq)
    return b"event: %b\n%bdata: %b\n%b\n" % (name.encode("ascii"), retry_line, data, id_line)


def trades_json(trades: Iterable[bytes], source: str) -> bytes:
    """The data of one `new_trades` event from trades that are JSON already."""
    encoded = list(trades)
    return b'{"trades":[%b],"count":%d,"source":%b}' % (b",".join(encoded), len(encoded), json_bytes(source))
