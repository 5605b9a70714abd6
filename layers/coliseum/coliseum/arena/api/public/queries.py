"""Queries of the arena's public tables: pages as the list envelope of the API, and single rows."""

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
    """Which page of a list the caller wants: at most `limit` items, after `cursor`."""

    limit: int
    cursor: str | None


@dataclass(frozen=True, slots=True)
class RowPage:
    """Rows of one page, and the cursor of the next page (None on the last one)."""

    rows: Sequence[Row]
    next_cursor: str | None


class PublicQueries:
    """Reads the public tables and views, and adds cursors and the fields that every answer has."""

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
        """Rows whose columns equal `filters` (None: any value) and that meet `where`.

        The cursor holds `filters` and `scope`. Raises InvalidInput if it was made with other ones.
        """
        cursor_scope = {**filters, **(scope or {})}
        after = None if paging.cursor is None else decode_cursor(kind, cursor_scope, paging.cursor)
        equal: list[Condition] = [
            (name, "is" if isinstance(value, bool) else "eq", value)
            for name, value in filters.items()
            if value is not None
        ]
        # One row more than the page holds: it shows whether there is a next page without a second query.
        found = self.rows.page(table, where=[*equal, *where], after=after, limit=paging.limit + 1)
        rows = found[: paging.limit]
        has_more = len(found) > len(rows)
        return RowPage(rows, encode_cursor(kind, cursor_scope, table.position(rows[-1])) if has_more else None)

    def listing(self, shape: type[Shape], page: RowPage) -> dict[str, Any]:
        """The fields of the list envelope for a page; each row becomes a `shape`."""
        items = [shape(**row) for row in page.rows]
        return {"items": items, "count": len(items), "next_cursor": page.next_cursor, **self.source_fields()}

    def listing_of(
        self, kind: str, items: Sequence[object], filters: Mapping[str, object], paging: PageRequest
    ) -> dict[str, Any]:
        """The fields of the list envelope for a page of `items`, which are all in memory already."""
        first = 0 if paging.cursor is None else int(decode_cursor(kind, filters, paging.cursor).get("first", 0))
        page = list(items[first : first + paging.limit])
        following = first + len(page)
        return {
            "items": page,
            "count": len(page),
            "next_cursor": encode_cursor(kind, filters, {"first": following}) if following < len(items) else None,
            **self.source_fields(),
        }

    def source_fields(self) -> dict[str, Any]:
        """The fields that say where an answer is from and how old it is."""
        return {"source": SOURCE, "as_of": utc_from(self.clock()), "stale": False, "age_seconds": 0.0}

    def one(self, kind: str, name: str, table: Table, where: Sequence[Condition]) -> Row:
        """The only row that meets `where`. Raises NotFound, which names `kind` and `name`, if there is none."""
        row = self.rows.one(table, where)
        if row is None:
            raise NotFound(kind, name)
        return row
