"""Paging of lists: the query parameters that all lists share, and opaque cursors. Pure."""

from __future__ import annotations

import binascii
import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Path, Query

from coliseum.errors import InvalidInput

Row = TypeVar("Row")
Place = tuple[Any, ...]
MAX_LIMIT = 1000
MAX_CURSOR = 2048
TICKER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items per page.")]
Cursor = Annotated[
    str | None,
    Query(max_length=MAX_CURSOR, description="`next_cursor` of the page before, with the same filters."),
]
TickerPath = Annotated[str, Path(pattern=TICKER_PATTERN, description="The market's ticker.", examples=["PRES24-GOP"])]
TickerQuery = Annotated[str | None, Query(pattern=TICKER_PATTERN, description="Only this market.")]


def encode_cursor(kind: str, filters: Mapping[str, Any], position: Mapping[str, Any]) -> str:
    """An opaque text that continues the list `kind` with the same `filters` after `position` (JSON values)."""
    body = json.dumps(position, separators=(",", ":"), sort_keys=True).encode()
    return urlsafe_b64encode(_checksum(kind, filters, body) + body).decode().rstrip("=")


def decode_cursor(kind: str, filters: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The position in a cursor. Raises InvalidInput for other texts, and for a cursor with other filters."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        checksum, body = raw[:_CHECKSUM_BYTES], raw[_CHECKSUM_BYTES:]
        if checksum == _checksum(kind, filters, body):
            position = json.loads(body)
            if isinstance(position, dict) and _storable(position):
                return position
    except (ValueError, binascii.Error, RecursionError):
        pass
    raise InvalidInput("cursor", text, "`next_cursor` of the page before, with the same filters")


def page_behind(items: Iterable[Row], key: Callable[[Row], Place], after: Place | None, limit: int) -> list[Row]:
    """The first `limit` items in the order of `key`, or those behind the place `after`.

    The place need not be that of an item any more: a list may lose it between two pages.
    """
    ordered = sorted(items, key=key)
    start = 0 if after is None else bisect_right(ordered, after, key=key)
    return ordered[start : start + limit]


def page_and_more(
    items: Iterable[Row], key: Callable[[Row], Place], after: Place | None, limit: int
) -> tuple[list[Row], bool]:
    """`page_behind`, and whether further items follow."""
    page = page_behind(items, key, after, limit + 1)
    return page[:limit], len(page) > limit


def _storable(position: Mapping[str, Any]) -> bool:
    """Whether no text holds NUL. Raises ValueError for half a character. No store takes these, and anybody can make up
    a cursor."""
    text = json.dumps(position, ensure_ascii=False)
    text.encode()  # raises ValueError for half a character, as other texts that are no cursor do
    return "\\u0000" not in text


_CHECKSUM_BYTES = 9


def _checksum(kind: str, filters: Mapping[str, Any], body: bytes) -> bytes:
    """Recognises typing errors and cursors of other lists. It is no signature: a cursor gives no rights."""
    scope = json.dumps([kind, sorted(filters.items())], separators=(",", ":")).encode()
    return hashlib.sha256(scope + b"\x1f" + body).digest()[:_CHECKSUM_BYTES]
