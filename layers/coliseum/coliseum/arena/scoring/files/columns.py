"""Columns of texts into columns of values; a text that comes again is read once. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from coliseum.arena.scoring.arithmetic import Floats
from coliseum.arena.scoring.files.problems import FileProblems
from coliseum.arena.scoring.files.rows import FileText, portions
from coliseum.arena.scoring.files.values import READERS, Reader, refusal

REMEMBERED = 200_000
"""Texts of a column of which the value is remembered."""


@dataclass(frozen=True, slots=True)
class Columns:
    """A file's rows: the line of each, and their values by column."""

    lines: Sequence[int]
    labels: dict[str, list[str]]
    """"" is absent."""
    numbers: dict[str, Floats]
    """NaN is absent."""

    def __len__(self) -> int:
        return len(self.lines)


class _Values(dict[str, Any]):
    """Text -> value, read when it is first asked for."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader = reader

    def __missing__(self, text: str) -> Any:
        if len(self) >= REMEMBERED:
            self.clear()
        value = self[text] = self.reader(text)
        return value


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    values: _Values
    found: Any = field(default_factory=list)
    """An array of doubles, or a list of labels."""

    def take(self, texts: Sequence[str], lines: Sequence[int], file: str, problems: FileProblems) -> None:
        try:
            read = list(map(self.values.__getitem__, texts))
        except ValueError:
            read = [self._read(text, line, file, problems) for text, line in zip(texts, lines, strict=True)]
        self.found.extend(read)

    def _read(self, text: str, line: int, file: str, problems: FileProblems) -> Any:
        try:
            return self.values[text]
        except ValueError as error:
            problems.add(file, line, refusal(self.name, text, error))
            return self.values.reader.absent


def columns_of(text: FileText, *, required: Sequence[str], known: Sequence[str], problems: FileProblems) -> Columns:
    """All rows of a file, with the absent value where one could not be read."""
    lines = array("q")
    columns: dict[str, _Column] = {}
    for portion in portions(text, required=required, known=known, problems=problems):
        lines.extend(portion.lines)
        for name, texts in portion.columns.items():
            if name in known:
                columns.setdefault(name, _column(name)).take(texts, portion.lines, text.name, problems)
    return Columns(
        lines=lines,
        labels={name: one.found for name, one in columns.items() if isinstance(one.found, list)},
        numbers={name: np.array(one.found) for name, one in columns.items() if isinstance(one.found, array)},
    )


def _column(name: str) -> _Column:
    reader = READERS[name]
    return _Column(name, _Values(reader), array("d") if isinstance(reader.absent, float) else [])


def filled(own: Iterable[str], others: Iterable[str]) -> list[str]:
    """Labels, and where they are absent the others."""
    return [one or other for one, other in zip(own, others, strict=True)]
