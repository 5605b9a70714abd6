"""What is wrong with a file, told all at once and by line. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST = 50
"""Problems told of one reading: after so many the file is something else."""


@dataclass(frozen=True, slots=True)
class FileProblem:
    """Line 0 is the whole file."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


@dataclass(slots=True)
class FileProblems:
    """What was found, file by file in the order of reading, and of one file by line; only the first few are kept."""

    found: list[tuple[int, int, str]] = field(default_factory=list)
    """(file, line, text); columns are read one after the other, so the lines come in any order."""
    files: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, file: str, line: int, text: str) -> None:
        if file not in self.files:
            self.files.append(file)
        self.found.append((self.files.index(file), line, text))
        self.count += 1
        if len(self.found) > 20 * MOST:
            self._keep_first()

    @property
    def told(self) -> tuple[FileProblem, ...]:
        self._keep_first()
        return tuple(FileProblem(self.files[file], line, text) for file, line, text in self.found)

    @property
    def more(self) -> int:
        """Problems beyond those told."""
        return max(0, self.count - MOST)

    def _keep_first(self) -> None:
        self.found.sort(key=lambda one: one[:2])  # stable: a line's problems stay in the order of its columns
        del self.found[MOST:]
