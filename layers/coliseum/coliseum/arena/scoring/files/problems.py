"""What is wrong with a file, told all at once and by line. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST = 50
"""Problems told of one reading: after so many the file is something else."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Line 0 is the whole file."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


@dataclass(slots=True)
class Problems:
    """Those told, and how many more there are."""

    told: list[Problem] = field(default_factory=list)
    more: int = 0

    def add(self, file: str, line: int, text: str) -> None:
        if len(self.told) < MOST:
            self.told.append(Problem(file, line, text))
        else:
            self.more += 1
