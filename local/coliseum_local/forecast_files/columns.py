"""Reads columns of texts into columns of values. A text that occurs again is not read again. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from coliseum.arena.scoring.arithmetic import Floats
from coliseum.arena.scoring.labels import Labels
from coliseum_local.forecast_files.problems import MAX_PROBLEMS, FileProblems
from coliseum_local.forecast_files.texts import TextColumn, TextTable
from coliseum_local.forecast_files.times import EARLIEST_LIKELY, Moment
from coliseum_local.forecast_files.values import READERS, Reader, is_missing, problem_text


@dataclass(frozen=True, slots=True)
class Columns:
    """The rows of a file: the line number of each, and their values by column."""

    file: str
    lines: Sequence[int]
    labels: dict[str, Labels]
    """The empty text means absent."""
    numbers: dict[str, Floats]
    """NaN means absent."""
    written: dict[str, TextColumn] = field(default_factory=dict)
    """The labels as the file has them, with white space around them."""

    def __len__(self) -> int:
        return len(self.lines)

    def label(self, name: str) -> Labels:
        """The labels of a column; all are empty if the file does not have it."""
        return self.labels.get(name) or Labels.constant("", len(self))

    def number(self, name: str) -> Floats:
        """The numbers of a column; all are NaN if the file does not have it."""
        column = self.numbers.get(name)
        return np.full(len(self), np.nan) if column is None else column


def columns_of(table: TextTable, problems: FileProblems) -> Columns:
    """Read all values. What cannot be read becomes a problem and gives the absent value."""
    columns = Columns(table.file, table.lines, {}, {}, {})
    for name, column in table.columns.items():
        reading = _Reading(table, name, column, READERS[name], problems)
        if isinstance(reading.reader.absent, str):
            columns.labels[name] = Labels([str(value) for value in reading.values()], column.code)
            columns.written[name] = column
            reading.warn_about_missing()
        elif column.numbers is not None:
            columns.numbers[name] = reading.checked(column.numbers)
        else:
            columns.numbers[name] = reading.numbers()
    return columns


@dataclass(frozen=True, slots=True)
class _Reading:
    """The reading of one column."""

    table: TextTable
    name: str
    column: TextColumn
    reader: Reader
    problems: FileProblems

    def values(self) -> list[Any]:
        """The value of each text."""
        result: list[Any] = []
        messages: dict[int, str] = {}
        for code, text in enumerate(self.column.texts):
            try:
                result.append(self.reader(text))
            except ValueError as error:
                messages[code] = problem_text(self.name, text, error)
                result.append(self.reader.absent)
        if messages:
            rows = np.flatnonzero(np.isin(self.column.code, list(messages))).tolist()
            for row in rows[:MAX_PROBLEMS]:
                self.problems.add(self.table.file, self.table.lines[row], messages[int(self.column.code[row])])
            self.problems.count += len(rows[MAX_PROBLEMS:])
        return result

    def numbers(self) -> Floats:
        values = self.values()
        moments = {code: value for code, value in enumerate(values) if isinstance(value, Moment)}
        if moments:
            self._check_times(moments)
            values = [value.seconds if isinstance(value, Moment) else value for value in values]
        return np.array(values, dtype=np.float64)[self.column.code]

    def checked(self, numbers: Floats) -> Floats:
        """The numbers that the reader of the file has read, inside the limits of the column."""
        least, greatest = self.reader.numbers or (-np.inf, np.inf)
        with np.errstate(invalid="ignore"):
            bad = np.flatnonzero((numbers < least) | (numbers > greatest))
        for row in bad[:1].tolist():
            self.problems.add(self.table.file, self.table.lines[row], f"{self.name}: {numbers[row]}")
        return numbers

    def warn_about_missing(self) -> None:
        """Warn about labels such as NA that count as missing, because they may be meant as names."""
        if self.reader is READERS["agent"]:  # there they are refused
            return
        for row in self._first_rows([code for code, text in enumerate(self.column.texts)
                                     if text.strip() and is_missing(text.strip())]):  # fmt: skip
            text = self._text(row)
            message = f'{self.name}: "{text}" counts as missing. If it is a name, write it in another way'
            self.problems.warn(self.table.file, self.table.lines[row], message)

    def _check_times(self, moments: Mapping[int, Moment]) -> None:
        """Numbers of one column must have one unit. Times before 1990 are probably no times."""
        first: dict[str, int] = {}
        zoned: dict[bool, int] = {}
        early: list[int] = []
        for row in self._first_rows(list(moments)):
            moment = moments[int(self.column.code[row])]
            if moment.unit is not None:
                first.setdefault(moment.unit, row)
            if moment.zoned is not None:
                zoned.setdefault(moment.zoned, row)
            if moment.seconds < EARLIEST_LIKELY:
                early.append(row)
        (unit_before, before), *others = list(first.items()) or [("", 0)]
        for unit, row in others:
            message = (
                f"{self.name}: got {self._text(row)} ({unit}) here and {self._text(before)} ({unit_before}) in "
                f"{self.problems.place(self.table.file, self.table.lines[before])}: write all times in one unit"
            )
            self.problems.add(self.table.file, self.table.lines[row], message)
        if len(zoned) > 1:
            other = self.problems.place(self.table.file, self.table.lines[zoned[True]])
            message = (
                f"{self.name}: {self._text(zoned[False])} has no zone and counts as UTC; the time in {other} has one"
            )
            self.problems.warn(self.table.file, self.table.lines[zoned[False]], message)
        for row in early[:1]:
            message = f"{self.name}: {self._text(row)} is before 1990. Is it a time?"
            self.problems.warn(self.table.file, self.table.lines[row], message)

    def _first_rows(self, codes: Sequence[int]) -> list[int]:
        """The first row of each of these codes, in ascending order. Codes without a row are left out."""
        if not codes:
            return []
        first = np.full(len(self.column.texts), -1)
        first[self.column.code[::-1]] = np.arange(len(self.column.code) - 1, -1, -1)
        found = first[codes]
        return sorted(found[found >= 0].tolist())

    def _text(self, row: int) -> str:
        return self.column.texts[int(self.column.code[row])].strip()
