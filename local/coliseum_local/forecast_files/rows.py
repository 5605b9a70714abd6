"""Reads CSV or JSON lines into columns of texts, a portion of rows at a time. Pure."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from coliseum_local.forecast_files.problems import FileProblems

PORTION = 50_000
"""Rows that are in memory as texts at a time."""
_JSON_NAMES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")


@dataclass(frozen=True, slots=True)
class FileText:
    """A file: its name, which messages show and which gives the format, and its lines with their line ends.

    The lines can be read only once.
    """

    name: str
    lines: Iterable[str]


@dataclass(frozen=True, slots=True)
class Portion:
    """Some rows of a file: the line number of each, and their texts by column."""

    lines: list[int]
    columns: Mapping[str, Sequence[str]]


def portions(
    text: FileText, *, required: Sequence[str], known: Sequence[str], problems: FileProblems
) -> Iterator[Portion]:
    """The readable rows of a file. Other rows become problems.

    An unknown column is a problem too, because it may be a known one with a spelling error.
    """
    lines = iter(text.lines)
    before, first = 0, ""
    for first in lines:
        first = first.removeprefix("\ufeff")  # noqa: PLW2901  # the byte order mark that some programs write
        if first.strip():
            break
        before += 1
    reading = _Reading(text.name, required, known, problems)
    is_json = text.name.lower().endswith(_JSON_NAMES) or first.lstrip()[:1] in {"{", "["}
    yield from (reading.json if is_json else reading.csv)(first, lines, before)


@dataclass(frozen=True, slots=True)
class _Reading:
    name: str
    required: Sequence[str]
    known: Sequence[str]
    problems: FileProblems

    def csv(self, header: str, lines: Iterable[str], before: int) -> Iterator[Portion]:
        """Read CSV. `before` lines of the file come before the header."""
        rows, numbers = list[list[str]](), list[int]()
        reader = csv.reader(chain([header], lines), strict=True, delimiter=_delimiter(header))
        try:
            columns = self._columns([name.strip().lower() for name in next(reader, [])], before + 1)
            for values in reader if columns else ():
                if not any(values):
                    continue
                if len(values) != len(columns):
                    message = f"{len(values)} values for {len(columns)} columns"
                    self.problems.add(self.name, before + reader.line_num, message)
                    continue
                rows.append(values)
                numbers.append(before + reader.line_num)
                if len(rows) == PORTION:
                    yield self._portion(columns, rows, numbers)
                    rows, numbers = [], []
        except csv.Error as error:
            self.problems.add(self.name, before + reader.line_num, f"not CSV: {error}. Is a quotation mark not closed?")
        if rows:
            yield self._portion(columns, rows, numbers)

    def _columns(self, header: list[str], line: int) -> list[str]:
        """The header if the file can be read with it, otherwise an empty list."""
        named = [name for name in header if name]  # the index column of a data frame has no name and is ignored
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            self.problems.add(self.name, line, f"column {', '.join(twice)} occurs twice")
        if not named:
            return []
        fit = self._fits(named, line, "; the first line must name the columns")
        return header if fit and not twice else []

    def _portion(self, columns: Sequence[str], rows: list[list[str]], numbers: list[int]) -> Portion:
        texts = zip(*rows, strict=True)
        return Portion(numbers, {name: column for name, column in zip(columns, texts, strict=True) if name})

    def json(self, first: str, lines: Iterable[str], before: int) -> Iterator[Portion]:
        rows, numbers, reported = list[list[str]](), list[int](), set[str]()
        for number, content in enumerate(chain([first], lines), start=before + 1):
            if not content.strip():
                continue
            row = self._row(content, number)
            if row is None:
                continue
            names = [name for name in row if name not in reported]  # an unknown column is reported once
            reported.update(name for name in names if name not in self.known)
            if self._fits(names, number, ""):
                rows.append([_text(row.get(name)) for name in self.known])
                numbers.append(number)
            if len(rows) == PORTION:
                yield self._portion(self.known, rows, numbers)
                rows, numbers = [], []
        if rows:
            yield self._portion(self.known, rows, numbers)

    def _row(self, content: str, number: int) -> dict[str, Any] | None:
        try:
            row = json.loads(content)
        except json.JSONDecodeError as error:
            message = f"not JSON: {error.msg} at column {error.colno}. A line must be one object"
        except (ValueError, RecursionError) as error:
            message = f"not JSON: {error}"
        else:
            if isinstance(row, dict):
                return row
            message = "not a JSON object. A line must be one object"
        self.problems.add(self.name, number, message)
        return None

    def _fits(self, names: Sequence[str], line: int, hint: str) -> bool:
        """Whether the required columns are there. Missing and unknown columns become problems."""
        missing = [name for name in self.required if name not in names]
        unknown = sorted(set(names) - set(self.known))
        if missing:
            message = f"no column {', '.join(missing)}; the columns are {', '.join(names) or 'none'}{hint}"
            self.problems.add(self.name, line, message)
        elif unknown:
            message = f"unknown column {', '.join(unknown)}: rename it or remove it. Known are {', '.join(self.known)}"
            self.problems.add(self.name, line, message)
        return not missing


def _delimiter(header: str) -> str:
    return max((",", ";", "\t"), key=header.count)


def _text(value: Any) -> str:
    """The text that a CSV file would have for a JSON value."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
