"""The file of the trades: torn lines, a full disk through the real write, the lock, the exchange of the file."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from coliseum.client.reporting.trade_file import FileInUse, TradeFile


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes meanwhile: the kernel writes a part, or refuses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[TradeFile]:
    opened = TradeFile(str(tmp_path / "folder" / "trades.log"))
    opened.open()
    yield opened
    opened.close()


def test_it_makes_its_folder_and_is_private(file: TradeFile) -> None:
    assert Path(file.path).stat().st_mode & 0o777 == 0o600


def test_lines_come_back(file: TradeFile) -> None:
    file.append(b"a\n")
    file.append(b"b\nc\n")
    file.close()
    assert file.open() == b"a\nb\nc\n"
    assert file.lines == 3


def test_a_torn_last_line_is_cut_before_the_next_one(file: TradeFile) -> None:
    file.append(b"a\n")
    file.close()
    with open(file.path, "ab") as raw:
        raw.write(b"half a li")
    assert file.open() == b"a\nhalf a li"
    file.append(b"b\n")
    assert Path(file.path).read_bytes() == b"a\nb\n"


@pytest.mark.parametrize("room", [0, 1, 5, 9])
def test_a_full_disk_leaves_no_part_of_a_line(file: TradeFile, room: int) -> None:
    file.append(b"whole\n")
    with disk_of(6 + room), pytest.raises(OSError) as caught:
        file.append(b"too large.\n")
    assert caught.value.errno in {errno.ENOSPC, errno.EFBIG}
    file.append(b"later\n")
    assert Path(file.path).read_bytes() == b"whole\nlater\n"
    assert file.lines == 2


def test_one_at_a_time(file: TradeFile) -> None:
    other = TradeFile(file.path)
    with pytest.raises(FileInUse, match="in use by another process"):
        other.open()
    file.close()
    other.open()
    other.close()


def test_the_copy_takes_the_place_with_what_came_later(file: TradeFile) -> None:
    file.append(b"old\nold\nnew\n")
    file.write_copy([b"new\n"])
    file.append(b"later\n")
    file.take_copy([b"later\n"])
    file.append(b"after\n")
    assert Path(file.path).read_bytes() == b"new\nlater\nafter\n"
    assert file.lines == 3
    with pytest.raises(FileInUse):
        TradeFile(file.path).open()


def test_a_full_disk_refuses_the_copy_and_the_file_stays(file: TradeFile) -> None:
    file.append(b"a\n" * 100)
    with disk_of(150), pytest.raises(OSError):
        file.write_copy([b"b\n" * 100])
    file.append(b"c\n")
    assert Path(file.path).read_bytes() == b"a\n" * 100 + b"c\n"


def test_an_unreadable_file_is_kept_under_another_name(file: TradeFile) -> None:
    file.append(b"something else\n")
    name = file.set_aside()
    file.append(b"new\n")
    assert Path(name).read_bytes() == b"something else\n"
    assert Path(file.path).read_bytes() == b"new\n"


def test_a_folder_that_is_a_file_is_an_error_and_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lost = TradeFile(str(tmp_path / "file" / "trades.log"))
    with pytest.raises(OSError):
        lost.open()
    lost.close()
