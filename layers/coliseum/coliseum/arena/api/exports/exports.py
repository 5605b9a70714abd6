"""Exports of the public tables, and of the cells of a leaderboard, as files.

Without `limit` and `cursor` a file is the whole table, or the request is refused: nobody gets a part of a table who did
not ask for a part. With one of them it is a page, and the header `Link` holds the address of the next one. All pages
show the rows that were recorded when the first page was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from fastapi import Response
from starlette.datastructures import URL

from coliseum.arena.api.exports.cells import board_cells, report_key
from coliseum.arena.api.exports.files import MEDIA_TYPES, MOST_BYTES, MOST_SECONDS, ExportedRow, ExportFile, Form, fill
from coliseum.arena.api.exports.tables import EXPORTS, SHAPES, Export, ExportName, TableName
from coliseum.arena.api.leaderboards.leaderboards import LeaderboardQueries, ReportFilter
from coliseum.arena.api.leaderboards.rows import StoredReport
from coliseum.arena.api.public.queries import PublicQueries
from coliseum.arena.records.public import Row, Table
from coliseum.errors import InvalidInput, NotFound, TooLarge
from coliseum.http.csv_export import cursor_link
from coliseum.http.field_types import exact_utc_text, utc_from
from coliseum.http.paging import decode_cursor, encode_cursor
from coliseum.store.client import Condition

PAGE = 1000
"""Rows of a page if a cursor comes without a limit."""
_UNTIL = "until"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFilters:
    """Which rows to export. None: all. Each export knows some of these filters only."""

    season: str | None = None
    track: str | None = None
    digest: str | None = None
    """Of a leaderboard."""
    day: date | None = None
    """A UTC day."""
    as_of: float | None = None
    known_at: float | None = None
    """Choose a leaderboard, as in `ReportFilter`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWanted:
    """Which part of an export. Without both it is the whole."""

    limit: int | None
    cursor: str | None

    @property
    def whole(self) -> bool:
        return self.limit is None and self.cursor is None

    @property
    def rows(self) -> int | None:
        return None if self.whole else self.limit or PAGE


class Exports:
    """Answers requests for exports."""

    def __init__(
        self, queries: PublicQueries, leaderboards: LeaderboardQueries, *, most_bytes: int = MOST_BYTES
    ) -> None:
        """`most_bytes` is the size of a response, as JSON."""
        self._queries = queries
        self._leaderboards = leaderboards
        self._most_bytes = most_bytes

    def file(self, name: ExportName, form: Form, filters: ExportFilters, page: PageWanted, url: URL) -> Response:
        """The whole export, or a page of it.

        Raises TooLarge if the whole does not fit into one response, InvalidInput for a filter that the export does
        not know, NotFound if there is no leaderboard whose cells are wanted.
        """
        kind, scope = f"export:{name}", {key: str(value) for key, value in asdict(filters).items() if value is not None}
        position = None if page.cursor is None else decode_cursor(kind, scope, page.cursor)
        until = exact_utc_text(utc_from(self._queries.clock())) if position is None else str(position.get(_UNTIL))
        headers, stays = {}, {_UNTIL: until}
        if name == "cells":
            report = self._report(filters, position)
            headers = {"Coliseum-Report-Digest": report["digest"], "Coliseum-Input-Hash": report["input_hash"]}
            stays |= {"digest": report["digest"]}
            rows = board_cells(self._queries.rows, report_key(report), position)
        else:
            rows = self._rows(name, filters, position, until, limit=page.rows)
        started = self._queries.clock()
        content = fill(
            rows, SHAPES[name], form, limit=page.rows, most_bytes=self._most_bytes,
            seconds_left=lambda: started + MOST_SECONDS - self._queries.clock(),
        )  # fmt: skip
        if page.whole and content.after is not None:
            raise TooLarge(_in_parts(name, content))
        if content.after is not None:
            headers |= cursor_link(encode_cursor(kind, scope, {**content.after, **stays}), url)
        headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
        return Response(content.text, media_type=MEDIA_TYPES[form], headers=headers)

    def _report(self, filters: ExportFilters, position: Mapping[str, Any] | None) -> StoredReport:
        """The leaderboard whose cells are wanted; a page behind the first stays with the leaderboard of the first."""
        if filters.day is not None:
            raise _unknown_filter("cells", "day")
        digest = filters.digest if position is None else str(position.get("digest"))
        if digest is not None:
            report = self._leaderboards.report_with(digest)
        else:
            report = self._leaderboards.report(
                ReportFilter(
                    track=filters.track or "blind",
                    season=filters.season,
                    as_of=filters.as_of,
                    known_at=filters.known_at,
                )
            )
        if report is None:
            raise NotFound("leaderboard", digest or f"{filters.season or 'newest'}/{filters.track or 'blind'}")
        return report

    def _rows(
        self,
        name: TableName,
        filters: ExportFilters,
        position: Mapping[str, Any] | None,
        until: str,
        *,
        limit: int | None,
    ) -> Iterator[ExportedRow]:
        export = EXPORTS[name]
        batch = export.batch if limit is None else min(export.batch, limit + 1)
        where = _conditions(name, export, filters)
        where.append((export.known, "lte", until))
        if export.closed_only:
            where.append(("closes_at", "lte", until))
        table = export.table if filters.season is None or export.season_table is None else export.season_table
        known = partial(_as_known, export, until=datetime.fromisoformat(until))
        for row in self._batches(table, where, position, batch):
            yield export.shape(**known(row)), table.position(row)

    def _batches(
        self, table: Table, where: Sequence[Condition], position: Mapping[str, Any] | None, size: int
    ) -> Iterator[Row]:
        while True:
            rows = self._queries.rows.page(table, where=where, after=position, limit=size)
            yield from rows
            if len(rows) < size:
                return
            position = table.position(rows[-1])


def _conditions(name: TableName, export: Export, filters: ExportFilters) -> list[Condition]:
    """Raises InvalidInput for a filter that the export does not know."""
    given = {key: value for key, value in asdict(filters).items() if value is not None}
    for key in given:
        if key not in export.filters:
            raise _unknown_filter(name, key, *sorted(export.filters))
    where: list[Condition] = [(key, "eq", value) for key, value in given.items() if key != "day"]
    if filters.day is not None:
        where.append((export.known, "gte", f"{filters.day}T00:00:00+00:00"))
        where.append((export.known, "lt", f"{filters.day + timedelta(days=1)}T00:00:00+00:00"))
    return where


def _unknown_filter(name: str, key: str, *known: str) -> InvalidInput:
    return InvalidInput(key, f"{key}=", f"no such parameter: {name} can be filtered by {', '.join(known) or 'nothing'}")


def _as_known(export: Export, row: Row, *, until: datetime) -> Row:
    """The row as it was at the time of the first page: a round may have closed since."""
    if export.secrets is None or datetime.fromisoformat(row["closes_at"]) <= until:
        return row
    return {**row, **export.secrets}


def _in_parts(name: str, content: ExportFile) -> str:
    return (
        f"{name} has more than the {content.rows:,} rows that fit into one response. Ask for pages with limit=1000 and "
        f"follow the header Link, or let `coliseum export {name} --url ADDRESS` do it"
    )
