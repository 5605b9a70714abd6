"""Reads CSV and its relatives row by row, with exact lines. `arrow_csv` is faster and gives the same rows. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coliseum_local.forecast_files.problems import FileProblems
from coliseum_local.forecast_files.texts import ExpectedColumns, TextTable, TextTableBuilder, column_name

DELIMITERS = (",", ";", "\t", "|")
_MARKED_DELIMITERS = frozenset(",;\t|:^~#!/&*")
"""Delimiters that Excel's line `sep=` may name."""
HINT = "; the first line must name the columns"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written."""

    delimiter: str
    before: int
    """The number of lines before the header: blank ones, and Excel's `sep=;`."""


def delimited_rows(name: str, text: str, expected: ExpectedColumns, problems: FileProblems) -> TextTable:
    """Read a text. Rows that cannot be read become problems.

    A row has the line on which it begins. Rows without any text are left out.
    """
    dialect = dialect_of(text, expected)
    rows = _Rows(text, dialect)
    columns: list[str] = []
    builder = TextTableBuilder([])
    try:
        for line, values in rows:
            if not columns:
                columns = expected.header(values, name, line, problems, hint=HINT)
                if not columns:
                    break
                builder = TextTableBuilder(columns)
            elif len(values) != len(columns):
                problems.add(name, line, f"{len(values)} values for {len(columns)} columns")
            else:
                builder.add(line, values)
    except csv.Error as error:
        line, opened = rows.broken_quote()
        if opened:
            problems.add(name, line, "the quotation mark that opens here is not closed where the value ends")
        else:
            problems.add(name, line, f"not CSV: {error}")
    return builder.table(name)


def dialect_of(text: str, expected: ExpectedColumns) -> Dialect:
    """How the text is written. The delimiter is that with which the header has the required columns."""
    before = 0
    for line in _lines(text):
        first = line.strip()
        mark = line.strip('"\r\n ')
        if len(mark) == 5 and mark.lower().startswith("sep=") and mark[4] in _MARKED_DELIMITERS:
            return Dialect(mark[4], before + 1)
        if first:
            return Dialect(_delimiter(line, expected), before)
        before += 1
    return Dialect(",", before)


def _delimiter(header: str, expected: ExpectedColumns) -> str:
    def fit(delimiter: str) -> tuple[int, int]:
        try:
            names = {column_name(cell) for cell in next(csv.reader([header], delimiter=delimiter), [])}
        except csv.Error:
            names = set()
        return len(names.intersection(expected.known)), header.count(delimiter)

    return max(DELIMITERS, key=fit)


def _lines(text: str) -> Iterator[str]:
    return iter(io.StringIO(text, newline=""))


class _Rows:
    """Iterates over (line on which the row begins, texts), without rows that hold no text."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self._text = text
        self._dialect = dialect
        self._begin = 0
        """The number of lines before the row that is being read."""

    def __iter__(self) -> Iterator[tuple[int, Sequence[str]]]:
        lines = _lines(self._text)
        for _ in range(self._dialect.before):
            next(lines, None)
        self._begin = self._dialect.before
        reader = csv.reader(lines, strict=True, delimiter=self._dialect.delimiter)
        for values in reader:
            if any(values) and any(value.strip() for value in values):
                yield self._begin + 1, values
            self._begin = self._dialect.before + reader.line_num

    def broken_quote(self) -> tuple[int, bool]:
        """The line on which the value opens that could not be read, and whether a quotation mark opens it."""
        lines = _lines(self._text)
        for _ in range(self._begin):
            next(lines, None)
        line, opened, inside, start = self._begin + 1, self._begin + 1, False, True
        for content in lines:
            place = 0
            while place < len(content):
                character, after = content[place], content[place + 1 : place + 2]
                if inside and character == '"' and after == '"':
                    place += 1  # a doubled quotation mark is part of the value
                elif inside and character == '"':
                    inside, start = False, False
                    if after not in {self._dialect.delimiter, "\r", "\n", ""}:
                        return opened, True
                elif not inside and start and character == '"':
                    inside, opened = True, line
                else:
                    start = not inside and character == self._dialect.delimiter
                place += 1
            if not inside:
                return line, False
            line += 1
        return opened, inside
