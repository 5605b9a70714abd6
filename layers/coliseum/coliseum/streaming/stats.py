"""What `/sse/stats` shows: counters of one process and the distribution of its delays. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_STEPS = tuple(round(1.15**power, 3) for power in range(100))
"""Upper edges in ms, 15 % apart: 1 ms to about 17 minutes."""


@dataclass(slots=True)
class DelayHistogram:
    """A histogram of milliseconds: constant memory, percentiles within 15 %.

    Invariant: `total` is the sum of all buckets.
    """

    total: int = 0
    _buckets: list[int] = field(default_factory=lambda: [0] * (len(_STEPS) + 1))
    _last: tuple[float, int] = (0.0, 0)

    def add(self, ms: float, count: int = 1) -> None:
        """Count a value, `count` times."""
        if ms != self._last[0]:  # most clients get an entry within the same millisecond: search the bucket once
            self._last = (ms, bisect_left(_STEPS, ms))
        self._buckets[self._last[1]] += count
        self.total += count

    def percentile(self, share: float) -> float | None:
        """The upper edge, in ms, of the bucket that holds this share (0 to 1) of all values; None without values."""
        if not self.total:
            return None
        remaining = share * self.total
        for edge, count in zip((*_STEPS, _STEPS[-1]), self._buckets, strict=True):
            remaining -= count
            if remaining <= 0:
                return edge
        return _STEPS[-1]


@dataclass(slots=True)
class StreamCounters:
    """Counters since the process began."""

    started_at: float
    """Monotonic seconds."""
    opened: int = 0
    closed: Counter[str] = field(default_factory=Counter)
    """By reason: `client`, `rotate`, `shutdown`, `redis`, `auth_expired`, `too_slow`."""
    events: int = 0
    deliveries: int = 0
    resumes: int = 0
    gaps: int = 0
    lost: int = 0
    resets: int = 0
    redis_commands: int = 0
    """As billed: each command of a transaction, and each SUBSCRIBE."""
    redis_errors: int = 0
    connected_seconds: float = 0.0
    """Sum of the lengths of the sessions that have ended."""
    delays: DelayHistogram = field(default_factory=DelayHistogram)
    """From publication to our write, for entries delivered live."""

    def data(self, *, open_seconds: float, open_now: int) -> dict[str, Any]:
        """The first fields of `/sse/stats`; `open_seconds` is the sum of the ages of the sessions open now."""
        hours = (self.connected_seconds + open_seconds) / 3600
        return {
            "connections": {"now": open_now, "total": self.opened, "closed": dict(sorted(self.closed.items()))},
            "events_sent": self.events,
            "deliveries": self.deliveries,
            "resumes": self.resumes,
            "gaps": self.gaps,
            "lost": self.lost,
            "resets": self.resets,
            "delay_ms": {
                "p50": self.delays.percentile(0.50),
                "p99": self.delays.percentile(0.99),
                "count": self.delays.total,
            },
            "redis": {
                "commands": self.redis_commands,
                "errors": self.redis_errors,
                "client_hours": round(hours, 6),
                "commands_per_client_hour": round(self.redis_commands / hours, 1) if hours else None,
            },
        }
