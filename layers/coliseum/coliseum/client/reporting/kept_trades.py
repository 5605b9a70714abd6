"""The trades in memory and on disk together: what happens to both when a trade comes, a disk fails, a file is taken."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from coliseum.client.reporting.newest_trades import KEPT, NewestTrades, newest_from
from coliseum.client.reporting.problem_log import ProblemLog
from coliseum.client.reporting.trade_file import FileInUse, TradeFile

FILE_SECONDS = 1.0
"""Between two tries to open a file, or to write what a full disk refused."""
SHORTEN_SECONDS = 60.0
"""Before another try to shorten the file, where one failed."""


class KeptTrades:
    """The newest trades. Disk and memory hold the same, except while the disk refuses.

    `lock` guards everything. A call holds it for one small write; the worker holds it for some milliseconds when it
    opens or shortens the file.
    """

    def __init__(self, path: str | None, *, run: str, problems: ProblemLog) -> None:
        self.lock = threading.RLock()
        """An RLock, because a signal handler of the bot may report a trade, too."""
        self.newest = NewestTrades(run)
        self.is_waiting = False
        """Another process has the file: it reports, and this one does not."""
        self._file = None if path is None else TradeFile(path)
        self._is_open = self._was_open = False
        self._problems = problems
        self._unsaved: list[bytes] = []
        self._since_copy: list[bytes] | None = None
        self._open_due = self._shorten_due = 0.0

    @property
    def has_file(self) -> bool:
        return self._file is not None

    @property
    def needs_care(self) -> bool:
        """There is something for `tend` to do."""
        return self._file is not None and (not self._is_open or bool(self._unsaved) or self._file.lines >= 2 * KEPT)

    def record(self, row: dict[str, Any], *, ignore_time: bool) -> bool:
        """Keep a trade; False where it is known as it stands. Needs the lock."""
        number = self.newest.add(row, at=time.monotonic(), ignore_time=ignore_time)
        if number is not None and self._is_open:
            self._save(self.newest.line(number))
        return number is not None

    def tend(self) -> float | None:
        """Open the file, write what a full disk refused, shorten the file. Seconds until the next try, or None."""
        now = time.monotonic()
        with self.lock:
            if self._file is None:
                return None
            if not self._is_open or self._unsaved:
                if now < self._open_due:
                    return self._open_due - now
                self._open_due = now + FILE_SECONDS
                if self._is_open:
                    self._write()
                else:
                    self._open(self._file)
                return FILE_SECONDS if not self._is_open or self._unsaved else None
            if self._file.lines < 2 * KEPT or now < self._shorten_due:
                return None
        self._shorten(self._file)
        return None

    def close(self) -> None:
        with self.lock:
            if self._file is not None:
                self._write()
                self._file.close()
            self._file, self._is_open = None, False

    def begin_anew(self, *, run: str) -> None:
        """In a process that was forked: the parent keeps the file and its trades as long as it lives."""
        self.lock = threading.RLock()
        if self._file is not None:
            self._file.close()
        self.newest, self._unsaved, self._since_copy = NewestTrades(run), [], None
        self._is_open, self._was_open, self.is_waiting, self._open_due = False, False, True, 0.0

    def _open(self, file: TradeFile) -> None:
        """The trades of the file come first; those of this process follow."""
        try:
            data = file.open()
            loaded = newest_from(data, at=time.monotonic())
            if loaded is None and data:
                self._problems.say(f"{file.path} could not be read and is kept as {file.set_aside()}")
        except FileInUse as error:
            self.is_waiting = True
            self._problems.set("file", f"{error}: this one answers and pushes nothing until the other has ended")
            return
        except OSError as error:
            file.close()
            self.is_waiting = False
            reason = error.strerror or type(error).__name__
            self._problems.set("file", f"{file.path} cannot be used, trades are kept in memory: {reason}")
            return
        own = self.newest
        if loaded is None:
            lines = own.lines()
        elif self._was_open:  # memory has what the file has
            known = {number: row.text for number, row in loaded.rows.items()}
            lines = [own.line(number) for number, row in own.rows.items() if known.get(number) != row.text]
        else:
            loaded.count += own.count - len(own.rows)  # what was forgotten before there was a file
            numbers = [loaded.add(json.loads(row.text), at=row.at) for row in own.rows.values()]
            lines = [loaded.line(number) for number in numbers if number is not None]
            self.newest = loaded
        self._is_open, self._was_open, self.is_waiting, self._unsaved = True, True, False, []
        self._problems.solve("file")
        if lines:
            self._save(b"".join(lines))

    def _save(self, lines: bytes) -> None:
        """Append to the file, or keep for later where the disk refuses it."""
        self._unsaved.append(lines)
        if self._since_copy is not None:
            self._since_copy.append(lines)
        if len(self._unsaved) == 1:
            self._write()
        del self._unsaved[: -2 * KEPT]

    def _write(self) -> None:
        if not self._unsaved or self._file is None or not self._is_open:
            return
        try:
            self._file.append(b"".join(self._unsaved))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            text = f"{self._file.path} cannot be written, trades are kept in memory and written later: {reason}"
            self._problems.set("file", text)
        else:
            self._unsaved = []
            self._problems.solve("file")

    def _shorten(self, file: TradeFile) -> None:
        """Write the newest trades into a new file. The bot does not wait for the disk meanwhile."""
        with self.lock:
            lines, self._since_copy = self.newest.lines(), []
        try:
            file.write_copy(lines)
            with self.lock:
                self._take_copy(file)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self._shorten_due = time.monotonic() + SHORTEN_SECONDS
            self._problems.set("copy", f"{file.path} grows, because it cannot be written anew: {reason}")
        else:
            self._problems.solve("copy")
        finally:
            self._since_copy = None

    def _take_copy(self, file: TradeFile) -> None:
        if not self._is_open:
            return  # closed meanwhile
        try:
            file.take_copy(self._since_copy or [])
        except OSError:
            file.close()
            self._is_open = False  # it is opened again, and then gets what it lacks
            raise
        self._unsaved = []  # the copy has it
