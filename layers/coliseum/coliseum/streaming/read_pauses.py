"""How long one session waits before it reads the log from Redis again. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from coliseum.streaming.timings import AHEAD_RETRY_SECONDS

LONGEST_RETRY_SECONDS = 5.0
FIRST_RETRY_SECONDS = 0.25


@dataclass(slots=True)
class ReadPauses:
    """Monotonic seconds. Invariants: `failures` is 0 after an answer; `ahead_since` is None after an answer that is
    not behind the session's cursor.
    """

    until: float = 0.0
    """No read before."""
    failures: int = 0
    ahead_since: float | None = None
    """Since when the cursor has been ahead of the log."""

    def failed(self, now: float) -> None:
        """Redis did not answer: wait 0.25 s, and twice as long each time, up to 5 s."""
        self.until = now + min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0**self.failures)
        self.failures = min(self.failures + 1, 10)

    def wait(self, now: float, seconds: float) -> None:
        self.until = now + seconds

    def is_ahead(self, now: float, patience_seconds: float) -> bool:
        """The log is behind the cursor. Returns whether it has been for so long that no replica can be the cause."""
        if self.ahead_since is None:
            self.ahead_since = now
        if now - self.ahead_since < patience_seconds:
            self.until = now + AHEAD_RETRY_SECONDS
            return False
        self.ahead_since = None
        return True
