"""When one connection's heartbeat is due, and when and why it ends. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EndReason = Literal["rotate", "shutdown", "auth_expired"]


@dataclass(slots=True)
class Deadlines:
    """Monotonic seconds. Invariant: `ends_at` only ever becomes earlier, and `end_reason` belongs to it."""

    heartbeat_at: float
    heartbeat_seconds: float
    ends_at: float
    end_reason: EndReason = "rotate"

    def end_by(self, moment: float, reason: EndReason) -> None:
        """End at this moment at the latest. Changes nothing where the connection ends earlier anyway."""
        if moment < self.ends_at:
            self.ends_at, self.end_reason = moment, reason

    def pass_heartbeat(self, now: float) -> None:
        """The next heartbeat is due in the future, and those that were missed are not made up for."""
        while self.heartbeat_at <= now:
            self.heartbeat_at += self.heartbeat_seconds
