"""The rows of a file as texts, before anybody judges them. Every reader of a format makes a `TextTable`. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats
from coliseum_local.forecast_files.problems import FileProblems


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of texts: row i has `texts[code[i]]`."""

    texts: Sequence[str]
    code: Codes
    numbers: Floats | None = None
    """The values, if the reader has read the column as numbers already; NaN means absent. Then there are no texts."""


@dataclass(frozen=True, slots=True)
class TextTable:
    """The rows of a file: the line on which each begins, and their texts by column. The empty text means absent."""

    file: str
    lines: Sequence[int]
    columns: Mapping[str, TextColumn]

    def __len__(self) -> int:
        return len(self.lines)


@dataclass(frozen=True, slots=True)
class ExpectedColumns:
    """The columns that a file must have, and those that it may have."""

    required: Sequence[str]
    known: Sequence[str]

    def check(self, names: Sequence[str], file: str, line: int, problems: FileProblems, *, hint: str = "") -> bool:
        """Whether the required columns are there. Missing and unknown columns become problems.

        An unknown column is a problem, because it may be a known one with a spelling error.
        """
        missing = [name for name in self.required if name not in names]
        unknown = sorted(set(names) - set(self.known))
        if missing:
            message = f"no column {', '.join(missing)}; the columns are {', '.join(names) or 'none'}{hint}"
            problems.add(file, line, message)
        elif unknown:
            known = ", ".join(self.known)
            message = f"unknown column {', '.join(unknown)}: rename it or remove it. Known are {known}"
            problems.add(file, line, message + self._guess(unknown))
        return not missing

    def header(self, cells: Sequence[str], file: str, line: int, problems: FileProblems, *, hint: str) -> list[str]:
        """The names of the columns of a table. An empty list if the table cannot be read with them.

        Names count without surrounding white space and in lower case. A column without a name, such as the index of a
        data frame, is ignored.
        """
        names = [column_name(cell) for cell in cells]
        named = [name for name in names if name]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            problems.add(file, line, f"column {', '.join(twice)} occurs twice")
        if not named:
            return []
        fit = self.check(named, file, line, problems, hint=hint)
        return [name if name in self.known else "" for name in names] if fit and not twice else []

    def _guess(self, unknown: Sequence[str]) -> str:
        guesses = [(name, get_close_matches(name, self.known, n=1, cutoff=0.75)) for name in unknown]
        found = [f"{name} may be {match[0]}" for name, match in guesses if match]
        return f" ({', '.join(found)}?)" if found else ""


def column_name(cell: str) -> str:
    """The name of a column as the header of a file has it: without surrounding white space, in lower case."""
    return cell.strip().lower()


@dataclass(slots=True)
class TextTableBuilder:
    """Collects rows one by one. Texts that occur again are kept once."""

    names: Sequence[str]
    """The names of the columns; empty for a column that is left out."""
    lines: array[int] = field(default_factory=lambda: array("q"))
    index: list[dict[str, int]] = field(init=False)
    codes: list[array[int]] = field(init=False)

    def __post_init__(self) -> None:
        self.index = [{} for _ in self.names]
        self.codes = [array("q") for _ in self.names]

    def add(self, line: int, row: Iterable[str]) -> None:
        """Add a row with as many texts as there are names."""
        self.lines.append(line)
        for index, codes, text in zip(self.index, self.codes, row, strict=True):
            codes.append(index.setdefault(text, len(index)))

    def add_some(self, line: int, texts: Iterable[tuple[int, str]]) -> None:
        """Add a row of (place of the column, text). Columns that are not named are empty in this row."""
        row = len(self.lines)
        self.lines.append(line)
        for place, text in texts:
            index, codes = self.index[place], self.codes[place]
            self._pad(place, row)
            codes.append(index.setdefault(text, len(index)))

    def _pad(self, place: int, rows: int) -> None:
        index, codes = self.index[place], self.codes[place]
        if len(codes) < rows:
            codes.extend([index.setdefault("", len(index))] * (rows - len(codes)))

    def table(self, file: str) -> TextTable:
        """All rows. A column that no row has is left out."""
        present = [place for place, name in enumerate(self.names) if name and self.index[place]]
        for place in present:
            self._pad(place, len(self.lines))
        columns = {
            self.names[place]: TextColumn(list(self.index[place]), np.array(self.codes[place], dtype=np.int64))
            for place in present
        }
        return TextTable(file, self.lines, columns)
