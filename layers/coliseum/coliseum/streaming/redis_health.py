"""Whether Redis answers this process, and since when it does not. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class RedisHealth:
    """What the reads of one process say about Redis. Times are monotonic seconds where no unit is given.

    Invariants: `down_since` is None after every answer. `first_answer_due` is 0 once Redis has answered. A read is
    open from `begin_read` to `end_read`.
    """

    answered_ms: int | None = None
    """Unix milliseconds of the last answer; None where Redis never answered this process."""
    down_since: float | None = None
    """When the first of the reads was begun that failed since the last answer; None while Redis answers."""
    first_answer_due: float = 0.0
    """A process that is starting waits until then for its first answer, and calls nothing down."""
    _open_reads: dict[object, float] = field(default_factory=dict)
    _failed_read_at: float | None = None

    def begin_waiting(self, now: float, seconds: float) -> None:
        """Give Redis so many seconds for its first answer. Does nothing once Redis has answered this process."""
        if self.answered_ms is None:
            # Redis, or the network to it, may be starting at this very moment too.
            self.first_answer_due = now + seconds

    def is_starting(self, now: float) -> bool:
        """Whether the first answer is still to come and not yet overdue."""
        return self.answered_ms is None and now < self.first_answer_due

    def begin_read(self, now: float) -> object:
        """A key for `end_read`."""
        key = object()
        self._open_reads[key] = now
        return key

    def end_read(self, key: object, *, failed: bool = False) -> None:
        """The read was answered, was cancelled, or has `failed`."""
        began = self._open_reads.pop(key, None)
        if failed and self._failed_read_at is None:
            self._failed_read_at = began

    def answered(self, wall_ms: int) -> bool:
        """Redis sent something, at `wall_ms` (unix). Returns whether that ends an outage."""
        was_down = self.down_since is not None
        self.answered_ms = wall_ms
        self.down_since = self._failed_read_at = None
        self.first_answer_due = 0.0
        return was_down

    def failed(self, now: float) -> bool:
        """A read or a subscription failed. Returns whether that begins an outage."""
        if self.down_since is not None:
            return False
        self.down_since = now if self._failed_read_at is None else self._failed_read_at
        return True

    def silent_seconds(self, now: float) -> float | None:
        """How long Redis has owed an answer; None where it owes none. A read that is still open counts as well."""
        begins = list(self._open_reads.values())
        if self.down_since is not None:
            begins.append(self.down_since)
        return now - min(begins) if begins else None

    def pause(self) -> None:
        """The process stops reading: the silence that follows is no outage."""
        self.down_since = self._failed_read_at = None
        self._open_reads.clear()
