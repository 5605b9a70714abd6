"""What one process knows of the log and its sources. The reader writes it, sessions read it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from coliseum.feed.entries import EntryId
from coliseum.feed.protocol import PollerHeartbeat
from coliseum.streaming.ring import Ring
from coliseum.streaming.sources import Stale


@dataclass(slots=True)
class View:
    """One process's knowledge at this moment."""

    ring: Ring = field(default_factory=Ring)
    loaded: bool = False
    """Whether Redis ever answered; until then nothing else here means anything."""
    bot: dict[str, Any] | None = None
    """The bot's status as of the ring's head."""
    report: PollerHeartbeat | None = None
    """The poller's last word."""
    stale: Mapping[str, Stale] = field(default_factory=dict)
    """Replaced, never changed in place: a session sees a change by identity."""
    first_answer_due: float = 0.0
    """Monotonic seconds until which a process that is starting waits for the first answer of Redis."""
    down_since: float | None = None
    """Monotonic seconds since when Redis does not answer; None while it does."""
    broken: str = "epoch"
    """Why the ring's history last changed: `epoch`, `history` or `ahead`."""

    @property
    def oldest(self) -> EntryId | None:
        """The oldest entry held here; more may be kept in Redis."""
        first = self.ring.stretch(self.ring.floor)
        return first[0].entry.id if first else None


def clock_text(ms: int | None) -> str | None:
    """Unix milliseconds as RFC 3339 in UTC."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
