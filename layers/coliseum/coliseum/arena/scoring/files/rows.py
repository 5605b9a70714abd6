"""CSV or JSON lines into rows of raw values with their line numbers. Pure."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from coliseum.arena.scoring.files.problems import Problems

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A file's name, for messages and to tell its format by, and its content."""

    name: str
    content: str

    @property
    def is_json(self) -> bool:
        return self.name.lower().endswith((".jsonl", ".ndjson", ".json")) or self.content.lstrip()[:1] == "{"


def rows(text: Text, *, required: Sequence[str], known: Sequence[str], problems: Problems) -> Iterator[tuple[int, Row]]:
    """(line, column -> raw value). Unknown columns are a problem: one of them may be a known one misspelt."""
    strange: set[str] = set()
    for line, row in _json_rows(text, problems) if text.is_json else _csv_rows(text, problems):
        missing = [name for name in required if name not in row]
        unknown = sorted(row.keys() - set(known) - strange)
        strange.update(unknown)
        if unknown:
            problems.add(text.name, line, f"unknown column {', '.join(unknown)}; known are {', '.join(known)}")
        if not missing:
            yield line, {name: value for name, value in row.items() if name in known}
            continue
        problems.add(text.name, line, f"no column {', '.join(missing)}; there are {', '.join(row) or 'none'}")
        if not text.is_json:
            return


def _csv_rows(text: Text, problems: Problems) -> Iterator[tuple[int, Row]]:
    lines = text.content.removeprefix("\ufeff").splitlines(keepends=True)
    reader = csv.reader(lines, strict=True, delimiter=_delimiter(lines[0] if lines else ""))
    header: list[str] | None = None
    while True:
        try:
            values = next(reader, None)
        except csv.Error as error:
            problems.add(text.name, reader.line_num, f"not CSV: {error}")
            return
        if values is None:
            return
        values = [value.strip() for value in values]
        if not any(values):
            continue
        if header is None:
            header = [name.lower() for name in values]
            twice = sorted({name for name in header if header.count(name) > 1})
            if twice:
                problems.add(text.name, reader.line_num, f"column {', '.join(twice)} stands twice")
                return
        elif len(values) != len(header):
            problems.add(text.name, reader.line_num, f"{len(values)} values for {len(header)} columns")
        else:
            yield reader.line_num, dict(zip(header, values, strict=True))


def _delimiter(header: str) -> str:
    return max((",", ";", "\t"), key=header.count)


def _json_rows(text: Text, problems: Problems) -> Iterator[tuple[int, Row]]:
    for line, content in enumerate(text.content.removeprefix("\ufeff").split("\n"), start=1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except (ValueError, RecursionError) as error:
            problems.add(text.name, line, f"not JSON: {error}")
            continue
        if isinstance(row, dict):
            yield line, row
        else:
            problems.add(text.name, line, "not a JSON object: one line holds one row")
