"""What is to be pushed next, one body at a time: the trades that came, then a changed status."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from coliseum.client.reporting.kept_trades import KeptTrades
from coliseum.client.reporting.newest_trades import NewestTrades
from coliseum.client.reporting.signed_push import PushResult, SignedPush

STATUS_SECONDS = 30.0
"""Between two pushes of a status whose mode is the same."""


class PushQueue:
    """Remembers what was pushed of the kept trades and of the status. The worker's thread uses it."""

    def __init__(self, push: SignedPush, kept: KeptTrades, *, status_body: Callable[[], bytes]) -> None:
        self._push, self._kept, self._status_body = push, kept, status_body
        self._run: str | None = None
        self._pushed = 0
        """The number of the newest trade that needs no push any more."""
        self._anchor: int | None = None
        """The number of the newest trade that the receiver has published."""
        self._status_version = 0
        self._mode: Any = None
        self._due = self._status_due = 0.0

    @property
    def problem(self) -> str | None:
        """Why the newest push failed."""
        return self._push.problem

    def tend(self, *, status_version: int, mode: Any, is_last: bool) -> float | None:
        """Push once, if something is due. Seconds until the next turn; 0: at once; None: there is nothing to push.

        `status_version` rises with each change of the status. In the last turn nothing waits, and nothing is tried
        again.
        """
        now = time.monotonic()
        if self._kept.is_waiting or (is_last and self._push.failures):
            return None
        with self._kept.lock:
            newest = self._kept.newest
            if newest.run != self._run:
                self._run, self._pushed, self._anchor = newest.run, 0, None
            has_trades = newest.count > self._pushed and bool(newest.rows)
            has_status = status_version > self._status_version
            if not has_trades and has_status and mode == self._mode and now < self._status_due and not is_last:
                return self._status_due - now
            if not has_trades and not has_status:
                return None
            if now < self._due:
                return self._due - now
            rows, number = newest.after(self._anchor) if has_trades else ([], 0)
            body = trades_body(rows, newest) if has_trades else b""
        if has_trades:
            result = self._push.send("trades", body)
            if result is not PushResult.FAILED:
                self._pushed, self._anchor = number, number if result is PushResult.PUBLISHED else None
        elif self._push.send("status", self._status_body()) is not PushResult.FAILED:
            self._status_version, self._mode = status_version, mode
            self._status_due = time.monotonic() + STATUS_SECONDS
        self._due = time.monotonic() + self._push.wait_seconds
        return self._push.wait_seconds

    def close(self) -> None:
        self._push.disconnect()

    def begin_anew(self) -> None:
        """In a process that was forked."""
        self._push.disconnect()
        self._run, self._status_version, self._due = None, 0, 0.0


def trades_body(rows: list[str], newest: NewestTrades) -> bytes:
    """The JSON of GET /trades and of its push: the rows, and to which run they belong."""
    return f'{{"trades":[{",".join(rows)}],"started_at":"{newest.run}","trade_count":{newest.count}}}'.encode()
