"""HTTP routes for exports."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from coliseum.arena.api.exports.exports import ExportFilters, Exports, PageWanted
from coliseum.arena.api.exports.files import Form
from coliseum.arena.api.exports.tables import ExportName
from coliseum.arena.api.leaderboards.routes import AsOf, KnownAt
from coliseum.arena.api.routes import SeasonQuery, TrackQuery
from coliseum.errors import InvalidInput
from coliseum.http.field_types import seconds_from
from coliseum.http.paging import MAX_LIMIT, Cursor
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX

router = APIRouter(prefix=f"{PREFIX}/arena", tags=["arena"], responses=PROBLEMS)

_EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/csv": {"schema": {"type": "string"}}, "application/jsonl": {"schema": {"type": "string"}}},
        "headers": {
            "Link": {"schema": {"type": "string"}, "description": "Address of the next page, if there is one."},
            "Coliseum-Report-Digest": {"schema": {"type": "string"}, "description": "Of `cells`: their leaderboard."},
            "Coliseum-Input-Hash": {"schema": {"type": "string"}, "description": "Of `cells`: `input_hash` of it."},
        },
    }
}


def exports_of(request: Request) -> Exports:
    exports: Exports = request.app.state.exports
    return exports


def export_filters(
    *,
    season: SeasonQuery = None,
    track: TrackQuery = None,
    digest: Annotated[
        str | None, Query(pattern=r"^[0-9a-f]{64}$", description="`cells`, `reports`: only of this leaderboard.")
    ] = None,
    day: Annotated[date | None, Query(description="`seals`: only of this UTC day.")] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> ExportFilters:
    return ExportFilters(
        season=season,
        track=track,
        digest=digest,
        day=day,
        as_of=None if as_of is None else seconds_from(as_of, field="as_of"),
        known_at=None if known_at is None else seconds_from(known_at, field="known_at"),
    )


@router.get("/exports/{name}.parquet", summary="Where to get Parquet", response_class=Response)
def parquet(name: ExportName) -> Response:
    """Always a problem that names the command which writes the file: this function has no library for Parquet."""
    expected = f"csv or jsonl; `coliseum export {name} --form parquet --url ADDRESS` writes Parquet"
    raise InvalidInput("form", "parquet", expected)


@router.get("/exports/{name}.{form}", summary="Everything public", response_class=Response, responses=_EXPORTED)
def exports(
    request: Request,
    exporter: Annotated[Exports, Depends(exports_of)],
    filters: Annotated[ExportFilters, Depends(export_filters)],
    *,
    name: ExportName,
    form: Annotated[Form, Path(description="Columns and their order are the same in both.")],
    limit: Annotated[
        int | None, Query(ge=1, le=MAX_LIMIT, description="Rows of a page. Without it and `cursor`: the whole table.")
    ] = None,
    cursor: Cursor = None,
) -> Response:
    """A public table as one file, or a page of it.

    Without `limit` and `cursor` the file is whole, and a table that does not fit into one response is refused with 413.
    With one of them it is a page, and the header `Link` holds the address of the next one. `cells` are the rows from
    which a leaderboard was made, the newest by default, in the columns of `coliseum score`.
    """
    return exporter.file(name, form, filters, PageWanted(limit=limit, cursor=cursor), request.url)
