"""Pages of the public tables as the list envelope, and single rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from coliseum.arena.records.public import PublicRecords, Row, Table
from coliseum.errors import NotFound
from coliseum.http.field_types import utc_from
from coliseum.http.paging import decode_cursor, encode_cursor
from coliseum.store.client import Condition

SOURCE = "postgres"
Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """Which page of a list."""

    limit: int
    cursor: str | None


@dataclass(frozen=True, slots=True)
class RowPage:
    """Rows, and where they go on."""

    rows: Sequence[Row]
    next_cursor: str | None


class PublicQueries:
    """The public tables, with cursors and the answers' stamp."""

    def __init__(self, rows: PublicRecords, clock: Callable[[], float] = time.time) -> None:
        self.rows = rows
        self.clock = clock

    def page(
        self,
        kind: str,
        table: Table,
        filters: Mapping[str, str | bool | None],
        paging: PageRequest,
        *,
        where: Sequence[Condition] = (),
        scope: Mapping[str, object] | None = None,
    ) -> RowPage:
        """Rows whose columns equal `filters` and meet `where`; the cursor holds for the same `filters` and `scope`."""
        kept = {**filters, **(scope or {})}
        after = None if paging.cursor is None else decode_cursor(kind, kept, paging.cursor)
        equal: list[Condition] = [
            (name, "is" if isinstance(value, bool) else "eq", value)
            for name, value in filters.items()
            if value is not None
        ]
        found = self.rows.page(table, where=[*equal, *where], after=after, limit=paging.limit + 1)
        rows = found[: paging.limit]
        more = len(found) > len(rows)
        return RowPage(rows, encode_cursor(kind, kept, table.position(rows[-1])) if more else None)

    def listed(self, shape: type[Shape], page: RowPage) -> dict[str, Any]:
        """The list envelope around a page."""
        items = [shape(**row) for row in page.rows]
        return {"items": items, "count": len(items), "next_cursor": page.next_cursor, **self.stamp()}

    def sliced(
        self, kind: str, lines: Sequence[object], filters: Mapping[str, object], paging: PageRequest
    ) -> dict[str, Any]:
        """The list envelope around a part of what is known whole."""
        first = 0 if paging.cursor is None else int(decode_cursor(kind, filters, paging.cursor).get("first", 0))
        items = list(lines[first : first + paging.limit])
        following = first + len(items)
        return {
            "items": items,
            "count": len(items),
            "next_cursor": encode_cursor(kind, filters, {"first": following}) if following < len(lines) else None,
            **self.stamp(),
        }

    def stamp(self) -> dict[str, Any]:
        return {"source": SOURCE, "as_of": utc_from(self.clock()), "stale": False, "age_seconds": 0.0}

    def found(self, kind: str, name: str, table: Table, where: Sequence[Condition]) -> Row:
        """The row. Raises NotFound, calling it a `kind` named `name`, where there is none."""
        row = self.rows.one(table, where)
        if row is None:
            raise NotFound(kind, name)
        return row
