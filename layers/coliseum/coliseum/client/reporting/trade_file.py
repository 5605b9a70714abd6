"""The file of the trades: a CRC-32 and JSON in each line, and a lock."""

from __future__ import annotations

import errno
import os
import sys
import time


class FileInUse(OSError):
    """Another process, or another Reporter of this one, keeps its trades in the file."""


class TradeFile:
    """Lines that are appended with one write each, so that a kill loses none. The caller locks out other threads."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines = 0
        self._file = self._lock = -1
        self._size, self._is_torn = 0, False

    def open(self) -> bytes:
        """Lock the file, cut a torn last line, and return what is in it. Raises FileInUse and other OSErrors."""
        try:
            os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
            self._lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                _lock(self._lock)
            except OSError:
                raise FileInUse(f"{self.path} is in use by another process") from None
            self._append_to_file()
            with open(self.path, "rb") as file:
                data = file.read()
            self._size = data.rfind(b"\n") + 1
            if self._size < len(data):
                os.ftruncate(self._file, self._size)
        except BaseException:
            self.close()
            raise
        self.lines = data.count(b"\n")
        return data

    def append(self, data: bytes) -> None:
        """Write whole lines. Raises OSError; then nothing of them is in the file, or a torn line that is skipped."""
        data = b"\n" + data if self._is_torn else data
        try:
            written = os.write(self._file, data)
        except OSError:
            self._cut()
            raise
        if written < len(data):
            self._cut()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size, self._is_torn = self._size + written, False
        self.lines += data.count(b"\n")

    def write_copy(self, lines: list[bytes]) -> None:
        """Write a new file beside this one. Needs no lock, so that nobody waits for the disk. Raises OSError."""
        copy = os.open(f"{self.path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(copy, "wb") as file:
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())

    def take_copy(self, later: list[bytes]) -> None:
        """Put the copy, with the lines that came later, into the place of this file. Raises OSError."""
        with open(f"{self.path}.new", "ab") as file:
            file.write(b"".join(later))
        os.close(self._file)
        self._file = -1
        try:
            os.replace(f"{self.path}.new", self.path)
        finally:
            self._append_to_file()
            with open(self.path, "rb") as file:
                self.lines = file.read().count(b"\n")
                self._size = file.tell()

    def set_aside(self) -> str:
        """Move a file that cannot be read out of the way, and begin an empty one. Returns its new name."""
        name = f"{self.path}.unreadable-{int(time.time())}"
        os.close(self._file)
        os.replace(self.path, name)
        self._append_to_file()
        self.lines = self._size = 0
        return name

    def close(self) -> None:
        """Close the file. The lock ends with the last process that has it open."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def _append_to_file(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._file = os.open(self.path, flags, 0o600)

    def _cut(self) -> None:
        """Remove what a failed write left."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self._is_torn = True


def _lock(descriptor: int) -> None:
    """Lock an open file until it is closed. Raises OSError where it is locked."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
