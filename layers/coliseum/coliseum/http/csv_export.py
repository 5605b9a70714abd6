"""Lists as CSV for spreadsheets. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from fastapi import Response
from pydantic import BaseModel
from starlette.datastructures import URL

from coliseum.http.answers import Items, Listing

MEDIA_TYPE = "text/csv; charset=utf-8"
Row = TypeVar("Row", bound=BaseModel)


def csv_response(shape: type[Row], page: Listing[Row], url: URL, *, name: str) -> Response:
    """A page's items as a file to save. `url` is the request's; the next page has the same URL with another cursor."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', **next_link(page, url)}
    return Response(csv_text(shape, page.items), media_type=MEDIA_TYPE, headers=headers)


def next_link(page: Items[Any], url: URL) -> dict[str, str]:
    """The `Link` header to the next page (RFC 8288); empty on the last page."""
    return {} if page.next_cursor is None else cursor_link(page.next_cursor, url)


def cursor_link(cursor: str, url: URL) -> dict[str, str]:
    """The `Link` header to the request's address with another cursor."""
    following = url.include_query_params(cursor=cursor)
    return {"Link": f'<{following.path}?{following.query}>; rel="next"'}


def csv_text(shape: type[Row], rows: Sequence[Row]) -> str:
    """A header line, then one line per row with the values of the JSON answer, in the order of the model's fields.

    An object or list is written as JSON with sorted keys.
    """
    return csv_header(shape) + "".join(map(csv_line, rows))


def csv_header(shape: type[BaseModel]) -> str:
    """The line with the names of the columns."""
    return _line(shape.model_fields)


def csv_line(row: BaseModel) -> str:
    """The line of one row."""
    return _line(map(_cell, row.model_dump(mode="json").values()))


def _line(values: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(values)
    return out.getvalue()


def _cell(value: object) -> object:
    """Quote a text that a spreadsheet would run as a formula. A negative number is not one."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} and not _is_signed_number(value):
        return f"'{value}"
    return value


def _is_signed_number(text: str) -> bool:
    digits = text[1:].replace(".", "", 1)
    return text[:1] in {"+", "-"} and digits.isascii() and digits.isdigit()
