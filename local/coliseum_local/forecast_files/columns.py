"""Reads columns of texts into columns of values. A text that occurs again is not read again. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from coliseum.arena.scoring.arithmetic import Floats
from coliseum_local.forecast_files.problems import FileProblems
from coliseum_local.forecast_files.rows import FileText, portions
from coliseum_local.forecast_files.values import READERS, Reader, problem_text

CACHED_TEXTS = 200_000
"""Texts of a column whose values are cached at most."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The rows of a file: the line number of each, and their values by column."""

    lines: Sequence[int]
    labels: dict[str, list[str]]
    """The empty text means absent."""
    numbers: dict[str, Floats]
    """NaN means absent."""

    def __len__(self) -> int:
        return len(self.lines)


class _Values(dict[str, Any]):
    """Cache of the values of texts. A text is read when it is first looked up."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader = reader

    def __missing__(self, text: str) -> Any:
        if len(self) >= CACHED_TEXTS:
            self.clear()
        value = self[text] = self.reader(text)
        return value


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    values: _Values
    rows: Any = field(default_factory=list)
    """An array of doubles, or a list of labels."""

    def add(self, texts: Sequence[str], lines: Sequence[int], file: str, problems: FileProblems) -> None:
        """Read the texts of a portion. A text that cannot be read is a problem and gives the absent value."""
        try:
            values = list(map(self.values.__getitem__, texts))
        except ValueError:
            # Only a portion with a bad text is read again one by one, to know the lines.
            values = [self._read(text, line, file, problems) for text, line in zip(texts, lines, strict=True)]
        self.rows.extend(values)

    def _read(self, text: str, line: int, file: str, problems: FileProblems) -> Any:
        try:
            return self.values[text]
        except ValueError as error:
            problems.add(file, line, problem_text(self.name, text, error))
            return self.values.reader.absent


def columns_of(text: FileText, *, required: Sequence[str], known: Sequence[str], problems: FileProblems) -> Columns:
    """Read all rows of a file. What cannot be read becomes a problem."""
    lines = array("q")
    columns: dict[str, _Column] = {}
    for portion in portions(text, required=required, known=known, problems=problems):
        lines.extend(portion.lines)
        for name, texts in portion.columns.items():
            if name in known:
                columns.setdefault(name, _column(name)).add(texts, portion.lines, text.name, problems)
    return Columns(
        lines=lines,
        labels={name: column.rows for name, column in columns.items() if isinstance(column.rows, list)},
        numbers={name: np.array(column.rows) for name, column in columns.items() if isinstance(column.rows, array)},
    )


def _column(name: str) -> _Column:
    reader = READERS[name]
    return _Column(name, _Values(reader), array("d") if isinstance(reader.absent, float) else [])


def filled(own: Iterable[str], others: Iterable[str]) -> list[str]:
    """The labels, with a label of `others` where one is absent."""
    return [label or other for label, other in zip(own, others, strict=True)]
