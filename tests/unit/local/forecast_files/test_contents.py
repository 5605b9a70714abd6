from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from coliseum_local.forecast_files.contents import STANDARD_INPUT, content_of, unpacked
from coliseum_local.text_files import UnreadableFile

TEXT = "agent,market,p\nä,m,0.5\n"


def zipped(**files: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return target.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(), b"\xef\xbb\xbf" + TEXT.encode(), TEXT.encode("utf-16"), b"\xfe\xff" + TEXT.encode("utf-16-be"),
        gzip.compress(TEXT.encode()), zipped(f=TEXT), gzip.compress(TEXT.encode("utf-16")),
        zipped(f=TEXT, **{"__MACOSX/f": "x"}),
    ],
    ids=["plain", "mark", "UTF-16", "UTF-16 big endian", "gzip", "zip", "packed UTF-16", "zip of a Mac"],
)  # fmt: skip
def test_a_file_is_unpacked_and_decoded(data: bytes) -> None:
    assert unpacked("f.csv", data).text() == TEXT


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (zipped(a="1", b="2"), "f: the archive must hold one file, and it holds 2 (a, b)"),
        (zipped(), "f: this is an empty zip archive"),
        (gzip.compress(gzip.compress(b"x", mtime=0), mtime=0), "f: the file is packed twice: unpack it once"),
        (TEXT.encode("utf-32"), "f: this is UTF-32 text: save it as UTF-8"),
        (b"PK\x03\x04", "f: the zip archive cannot be read: "),
        (b"\x1f\x8b\x08", "f: the packed file is damaged: "),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "f: this is an old Excel file (.xls): save it as .xlsx or CSV"),
        (b"BZh9", "f: this is packed with bzip2: unpack it first"),
        (b"\xfd7zXZ\x00", "f: this is packed with xz: unpack it first"),
        (b"SQLite format 3\0", "f: this is a database: export the table as CSV"),
        (b"a\0g\0e\0", "f: this looks like UTF-16 text without a mark: save it as UTF-8"),
        (b"\xff\xfea", "f: damaged UTF-16 text"),
        (zipped(**{"content.xml": "x"}), "f: this is a spreadsheet of another kind: save it as .xlsx or CSV"),
    ],
)
def test_other_files_are_refused_with_what_they_are(data: bytes, message: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        unpacked("f", data)

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("data", "line"), [(b"a\n\xff", 2), (b"a\r\xe4", 2), (b"a\r\nb\r\n\xe4", 3), (b"\xef\xbb\xbf\xff", 1)]
)
def test_a_byte_that_is_not_utf_8_has_its_line(data: bytes, line: int) -> None:
    with pytest.raises(UnreadableFile, match=rf"^f:{line}: byte 0x(ff|e4) is not UTF-8: save the file as UTF-8$"):
        unpacked("f", data).text()


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT.encode()))))

    assert content_of(STANDARD_INPUT).text() == TEXT


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="Is a directory"):
        content_of(tmp_path)


@pytest.mark.parametrize(
    ("name", "suffix"), [("a.CSV", ".csv"), ("a.json.gz", ".json"), ("b.jsonl.zip", ".jsonl"), ("c", "")]
)
def test_the_suffix_is_that_of_the_unpacked_file(name: str, suffix: str) -> None:
    assert unpacked(name, b"x").suffix == suffix
