"""Fills a response with rows, as CSV or JSON lines, until they end or the response is full. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from coliseum.http.answers import Answer
from coliseum.http.csv_export import csv_header, csv_line

Form = Literal["csv", "jsonl"]
MEDIA_TYPES: Mapping[Form, str] = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}
MOST_BYTES = 5_500_000
"""Of a response. A Lambda answers with at most 6 MB of JSON, in which the file is one string."""
MOST_SECONDS = 18.0
"""For reading rows: the caller gets no answer after 29 s."""
ExportedRow = tuple[Answer, Mapping[str, Any]]
"""A row, and its position: the key behind which the next page begins."""


@dataclass(frozen=True, slots=True)
class ExportFile:
    """As many rows as fit into a response."""

    text: str
    rows: int
    after: Mapping[str, Any] | None
    """The position of the last row. None: these are all rows that there are."""


def fill(
    rows: Iterable[ExportedRow],
    shape: type[Answer],
    form: Form,
    *,
    limit: int | None,
    most_bytes: int,
    seconds_left: Callable[[], float],
) -> ExportFile:
    """Take rows until they end, `limit` is reached, or the next one does not fit into size or time.

    At least one row is taken if there is one.
    """
    header = csv_header(shape) if form == "csv" else ""
    parts, size, after = [header], _bytes(header), None
    for row, position in rows:
        line = csv_line(row) if form == "csv" else f"{row.model_dump_json()}\n"
        size += _bytes(line)
        taken = len(parts) - 1
        if taken and (taken == limit or size > most_bytes or seconds_left() < 0):
            return ExportFile("".join(parts), taken, after)
        parts.append(line)
        after = position
    return ExportFile("".join(parts), len(parts) - 1, None)


def _bytes(text: str) -> int:
    """The size of a text inside the JSON that a Lambda answers with."""
    return len(json.dumps(text)) - 2
