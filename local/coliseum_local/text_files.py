"""Text files of other people, packed with gzip or not; an unreadable one is refused in one sentence."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from coliseum.errors import InvalidInput
from coliseum_local.forecast_files.rows import FileText

_GZIP = b"\x1f\x8b"
_KINDS = (
    (b"PK\x03\x04", "a zip archive or a spreadsheet: export it as CSV"),
    (b"PAR1", "a Parquet file: export it as CSV"),
    (b"SQLite format 3", "a database: export the table as CSV"),
    (b"\xff\xfe", "UTF-16 text: save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text: save it as UTF-8"),
)
"""How files begin that are mistaken for CSV."""


class UnreadableFile(InvalidInput):
    """Everything that is wrong with a file, line by line."""

    def __init__(self, *messages: str) -> None:
        super().__init__("file", len(messages), "a file without problems")
        self.messages = messages

    def __str__(self) -> str:
        return "\n".join(self.messages)


def text_of(path: Path) -> FileText:
    """The file's lines, opened when they are read. That raises UnreadableFile."""
    return FileText(path.name, _lines(path))


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            packed = file.peek(2).startswith(_GZIP)
            with gzip.open(file) if packed else file as content:
                _check_kind(path, content.peek(16))
                with io.TextIOWrapper(content, encoding="utf-8", newline="") as lines:
                    yield from lines
    except UnicodeDecodeError:
        raise UnreadableFile(_wrong_byte(path, packed=packed)) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableFile(f"{path.name}: the packed file is damaged: {error}") from None
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror or error}") from None


def _check_kind(path: Path, start: bytes) -> None:
    for mark, kind in _KINDS:
        if start.startswith(mark):
            raise UnreadableFile(f"{path.name}: this is {kind}")


def _wrong_byte(path: Path, *, packed: bool) -> str:
    with gzip.open(path) if packed else path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return f"{path.name}:{number}: byte 0x{line[error.start]:02x} is not UTF-8: save the file as UTF-8"
    return f"{path.name}: not UTF-8: save the file as UTF-8"
