"""Opens files of other people: packed or not, from a path or from standard input. What cannot be read is refused."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePath

from coliseum_local.text_files import UnreadableFile

STANDARD_INPUT = Path("-")
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_UTF_32_MARKS = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_UTF_8_MARK = b"\xef\xbb\xbf"
_KINDS = (
    (b"SQLite format 3", "a database: export the table as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel file (.xls): save it as .xlsx or CSV"),
    (b"BZh", "packed with bzip2: unpack it first"),
    (b"\xfd7zXZ", "packed with xz: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"ARROW1", "an Arrow (Feather) file: write it as Parquet or CSV"),
)
"""How files begin that are mistaken for CSV."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file: its name, which messages show, and its unpacked bytes."""

    name: str
    data: bytes

    @property
    def suffix(self) -> str:
        """The last part of the name in lower case, such as `.csv`, without a suffix of packing."""
        return PurePath(self.name.lower().removesuffix(".gz").removesuffix(".zip")).suffix

    @property
    def is_parquet(self) -> bool:
        return self.data.startswith(b"PAR1")

    @property
    def is_excel(self) -> bool:
        return self.data.startswith(_ZIP)

    def text(self) -> str:
        """The text without its byte order mark. Raises UnreadableFile for bytes that are not UTF-8."""
        data = self.data.removeprefix(_UTF_8_MARK)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            lines = data[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            line, byte = lines.count(b"\n") + 1, data[error.start]
            raise UnreadableFile(
                f"{self.name}:{line}: byte 0x{byte:02x} is not UTF-8: save the file as UTF-8"
            ) from None


def content_of(path: Path) -> FileContent:
    """Read a file whole; `-` is standard input. Raises UnreadableFile."""
    try:
        if path == STANDARD_INPUT:
            return unpacked("standard input", sys.stdin.buffer.read())
        return unpacked(path.name, path.read_bytes())
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror or error}") from None


def unpacked(name: str, data: bytes) -> FileContent:
    """Unpack gzip and zip, and turn UTF-16 into UTF-8. Raises UnreadableFile."""
    if data.startswith(_GZIP):
        try:
            data = gzip.decompress(data)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnreadableFile(f"{name}: the packed file is damaged: {error}") from None
    if data.startswith(_ZIP):
        data = _from_zip(name, data)
    if data.startswith(_GZIP):
        raise UnreadableFile(f"{name}: the file is packed twice: unpack it once")
    if data.startswith(_UTF_32_MARKS):
        raise UnreadableFile(f"{name}: this is UTF-32 text: save it as UTF-8")
    for mark, kind in _KINDS:
        if data.startswith(mark):
            raise UnreadableFile(f"{name}: this is {kind}")
    return FileContent(name, _as_utf_8(name, data))


def _from_zip(name: str, data: bytes) -> bytes:
    """The only file of an archive. A spreadsheet is an archive too; it stays packed."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.namelist()
            if "xl/workbook.xml" in members:
                return data
            if "xl/workbook.bin" in members or "content.xml" in members:
                raise UnreadableFile(f"{name}: this is a spreadsheet of another kind: save it as .xlsx or CSV")
            files = [member for member in members if not member.endswith("/") and not member.startswith("__MACOSX/")]
            if len(files) != 1:
                shown = ", ".join(sorted(files)[:5]) or "none"
                raise UnreadableFile(f"{name}: the archive must hold one file, and it holds {len(files)} ({shown})")
            return archive.read(files[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise UnreadableFile(f"{name}: the zip archive cannot be read: {error}") from None


def _as_utf_8(name: str, data: bytes) -> bytes:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16").encode()
        except UnicodeError as error:
            raise UnreadableFile(f"{name}: damaged UTF-16 text ({error}): save it as UTF-8") from None
    if not data.startswith((b"PAR1", _ZIP)) and b"\0" in data[:4] and data[:1] not in {b"\0", b""}:
        raise UnreadableFile(f"{name}: this looks like UTF-16 text without a mark: save it as UTF-8")
    return data
