"""Problems of a file. All of them are reported together, with their lines. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_PROBLEMS = 50
"""Problems that are reported of one reading. With more, the file is probably of another kind."""


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A problem of one line, counted from 1. Line 0 means the whole file."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


@dataclass(slots=True)
class FileProblems:
    """Collects problems and keeps the first ones: by file in the order of reading, then by line."""

    found: list[tuple[int, int, str]] = field(default_factory=list)
    """(file, line, text). Columns are read one after the other, so lines arrive in any order."""
    files: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, file: str, line: int, text: str) -> None:
        if file not in self.files:
            self.files.append(file)
        self.found.append((self.files.index(file), line, text))
        self.count += 1
        if len(self.found) > 20 * MAX_PROBLEMS:
            self._keep_first()

    @property
    def first(self) -> tuple[FileProblem, ...]:
        """The first problems, at most 50."""
        self._keep_first()
        return tuple(FileProblem(self.files[file], line, text) for file, line, text in self.found)

    @property
    def more(self) -> int:
        """The number of problems beyond the first ones."""
        return max(0, self.count - MAX_PROBLEMS)

    def _keep_first(self) -> None:
        self.found.sort(key=lambda problem: problem[:2])  # stable: those of a line stay in the order of columns
        del self.found[MAX_PROBLEMS:]
