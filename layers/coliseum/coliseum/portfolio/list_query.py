"""Which part of a list a request wants, and the place in its cursor. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coliseum.errors import InvalidInput
from coliseum.http.field_types import seconds_from, utc_from
from coliseum.http.paging import decode_cursor, encode_cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """The parameters that the account's lists share. Times are unix seconds."""

    limit: int
    ticker: str | None
    since: float | None
    """Inclusive."""
    cursor: str | None
    until: float | None = None
    """Exclusive."""

    @property
    def filters(self) -> dict[str, Any]:
        """The parameters that must stay the same from page to page."""
        until = {} if self.until is None else {"until": self.until}
        return {"ticker": self.ticker, "since": self.since, **until}

    @property
    def since_time(self) -> datetime | None:
        return None if self.since is None else utc_from(self.since)

    @property
    def until_time(self) -> datetime | None:
        return None if self.until is None else utc_from(self.until)

    @property
    def exchange_since(self) -> int | None:
        """The exchange takes whole seconds only, both ends included; `holds` applies the fractions."""
        return None if self.since is None else math.floor(self.since)

    @property
    def exchange_until(self) -> int | None:
        return None if self.until is None else math.ceil(self.until)

    def holds(self, at: float) -> bool:
        """Whether a row of this moment is asked for."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def place(self, kind: str) -> dict[str, Any] | None:
        """What the cursor of the list `kind` says; None on the first page. Raises InvalidInput for a foreign one."""
        return None if self.cursor is None else decode_cursor(kind, self.filters, self.cursor)

    def next_cursor(self, kind: str, place: dict[str, Any]) -> str:
        return encode_cursor(kind, self.filters, place)

    def malformed_cursor(self) -> InvalidInput:
        return InvalidInput("cursor", self.cursor, "`next_cursor` of the page before, with the same filters")


def list_query_from(
    *, limit: int, ticker: str | None, since: str | None, until: str | None, cursor: str | None
) -> ListQuery:
    """The query of these parameters. Raises InvalidInput for a malformed time, and for a span without any moment."""
    first = None if since is None else seconds_from(since, field="since")
    last = None if until is None else seconds_from(until, field="until")
    if first is not None and last is not None and first >= last:
        raise InvalidInput("since", since, "a moment before `until`")
    return ListQuery(limit=limit, ticker=ticker, since=first, until=last, cursor=cursor)
