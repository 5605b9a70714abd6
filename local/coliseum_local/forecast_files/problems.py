"""Problems and warnings of a file, with their lines. All problems are reported together. Pure."""

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
    unit: str = "line"
    """`line` of a text, or `row` of a sheet or of a Parquet file."""

    def __str__(self) -> str:
        if not self.line:
            return f"{self.file}: {self.text}"
        return f"{self.file}:{self.line}: {self.text}" if self.unit == "line" else (
            f"{self.file}: {self.unit} {self.line}: {self.text}"
        )  # fmt: skip


@dataclass(slots=True)
class FileProblems:
    """Collects problems and keeps the first ones: by file in the order of reading, then by line."""

    found: list[tuple[int, int, str]] = field(default_factory=list)
    """(file, line, text). Columns are read one after the other, so lines arrive in any order."""
    files: list[str] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)
    """What the lines of a file are called, where that is not `line`."""
    warnings: list[FileProblem] = field(default_factory=list)
    """What may be a mistake, but changes nothing."""
    count: int = 0

    def add(self, file: str, line: int, text: str) -> None:
        if file not in self.files:
            self.files.append(file)
        self.found.append((self.files.index(file), line, text))
        self.count += 1
        if len(self.found) > 20 * MAX_PROBLEMS:
            self._keep_first()

    def warn(self, file: str, line: int, text: str) -> None:
        self.warnings.append(FileProblem(file, line, text, self.unit(file)))

    def unit(self, file: str) -> str:
        return self.units.get(file, "line")

    def place(self, file: str, line: int) -> str:
        """A line for the middle of a sentence, such as `line 7`."""
        return f"{self.unit(file)} {line}"

    @property
    def quiet(self) -> bool:
        """Whether there is neither a problem nor a warning."""
        return not self.count and not self.warnings

    @property
    def first(self) -> tuple[FileProblem, ...]:
        """The first problems, at most 50."""
        self._keep_first()
        return tuple(
            FileProblem(self.files[file], line, text, self.unit(self.files[file])) for file, line, text in self.found
        )

    @property
    def more(self) -> int:
        """The number of problems beyond the first ones."""
        return max(0, self.count - MAX_PROBLEMS)

    def _keep_first(self) -> None:
        self.found.sort(key=lambda problem: problem[:2])  # stable: those of a line stay in the order of columns
        del self.found[MAX_PROBLEMS:]
