"""Control events of one connection that wait for its next write. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Outbox:
    """Events in the order in which they are written.

    Invariant: `written_at` is when bytes were handed to the connection last, keepalives and log entries included. It
    lags behind while the session is a member of a `FanoutGroup`, which writes for it, until `Session.add_delivered`.
    """

    written_at: float
    """Monotonic seconds."""
    _waiting: list[bytes] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: bytes) -> None:
        self._waiting.append(event)

    def take(self, now: float) -> tuple[bytes, int]:
        """All that waits as one piece, and how many events it is. They count as written at `now`."""
        waiting, self._waiting = self._waiting, []
        self.written_at = now
        return b"".join(waiting), len(waiting)
