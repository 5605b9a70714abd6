"""CSV or JSON lines into columns of texts, a portion of rows at a time. Pure."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from coliseum.arena.scoring.files.problems import FileProblems

PORTION = 50_000
"""Rows held as texts at a time."""
_JSON_NAMES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")


@dataclass(frozen=True, slots=True)
class FileText:
    """A file's name, for messages and to tell its format by, and its lines with their ends, to be read once."""

    name: str
    lines: Iterable[str]


@dataclass(frozen=True, slots=True)
class Portion:
    """Some rows: the line of each, and their texts by column."""

    lines: list[int]
    columns: Mapping[str, Sequence[str]]


def portions(
    text: FileText, *, required: Sequence[str], known: Sequence[str], problems: FileProblems
) -> Iterator[Portion]:
    """The good rows. Unknown columns are a problem: one of them may be a known one misspelt."""
    lines = iter(text.lines)
    before, first = 0, ""
    for first in lines:
        first = first.removeprefix("\ufeff")  # noqa: PLW2901  # the mark that some programs begin a file with
        if first.strip():
            break
        before += 1
    read = _Reading(text.name, required, known, problems)
    is_json = text.name.lower().endswith(_JSON_NAMES) or first.lstrip()[:1] in {"{", "["}
    yield from (read.json if is_json else read.csv)(first, lines, before)


@dataclass(frozen=True, slots=True)
class _Reading:
    name: str
    required: Sequence[str]
    known: Sequence[str]
    problems: FileProblems

    def csv(self, header: str, lines: Iterable[str], before: int) -> Iterator[Portion]:
        """The header stands `before` lines into the file, the rest behind it."""
        rows, numbers = list[list[str]](), list[int]()
        reader = csv.reader(chain([header], lines), strict=True, delimiter=_delimiter(header))
        try:
            columns = self._columns([name.strip().lower() for name in next(reader, [])], before + 1)
            for values in reader if columns else ():
                if not any(values):
                    continue
                if len(values) != len(columns):
                    told = f"{len(values)} values for {len(columns)} columns"
                    self.problems.add(self.name, before + reader.line_num, told)
                    continue
                rows.append(values)
                numbers.append(before + reader.line_num)
                if len(rows) == PORTION:
                    yield self._portion(columns, rows, numbers)
                    rows, numbers = [], []
        except csv.Error as error:
            self.problems.add(self.name, before + reader.line_num, f"not CSV: {error}; is a quotation mark not closed?")
        if rows:
            yield self._portion(columns, rows, numbers)

    def _columns(self, header: list[str], line: int) -> list[str]:
        """The header where the file can be read by it, else nothing."""
        named = [name for name in header if name]  # a data frame's index has no name; it is passed over
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            self.problems.add(self.name, line, f"column {', '.join(twice)} stands twice")
        if not named:
            return []
        fit = self._fits(named, line, "; the first line must name the columns")
        return header if fit and not twice else []

    def _portion(self, columns: Sequence[str], rows: list[list[str]], numbers: list[int]) -> Portion:
        texts = zip(*rows, strict=True)
        return Portion(numbers, {name: column for name, column in zip(columns, texts, strict=True) if name})

    def json(self, first: str, lines: Iterable[str], before: int) -> Iterator[Portion]:
        rows, numbers, strange = list[list[str]](), list[int](), set[str]()
        for number, content in enumerate(chain([first], lines), start=before + 1):
            if not content.strip():
                continue
            row = self._row(content, number)
            if row is None:
                continue
            names = [name for name in row if name not in strange]
            strange.update(name for name in names if name not in self.known)
            if self._fits(names, number, ""):
                rows.append([_told(row.get(name)) for name in self.known])
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
            told = f"not JSON: {error.msg} at column {error.colno}; one line holds one object"
        except (ValueError, RecursionError) as error:
            told = f"not JSON: {error}"
        else:
            if isinstance(row, dict):
                return row
            told = "not a JSON object: one line holds one row"
        self.problems.add(self.name, number, told)
        return None

    def _fits(self, names: Sequence[str], line: int, hint: str) -> bool:
        """Whether the required columns are there; tells what is not, and what is not known."""
        missing = [name for name in self.required if name not in names]
        unknown = sorted(set(names) - set(self.known))
        if missing:
            told = f"no column {', '.join(missing)}; there are {', '.join(names) or 'none'}{hint}"
            self.problems.add(self.name, line, told)
        elif unknown:
            told = f"unknown column {', '.join(unknown)}; known are {', '.join(self.known)}: rename it or take it out"
            self.problems.add(self.name, line, told)
        return not missing


def _delimiter(header: str) -> str:
    return max((",", ";", "\t"), key=header.count)


def _told(value: Any) -> str:
    """A JSON value as a CSV file would have it."""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
