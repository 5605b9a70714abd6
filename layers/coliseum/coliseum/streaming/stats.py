"""What `/sse/stats` tells: counters of one process and the distribution of its delays. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_STEPS = tuple(round(1.15**power, 3) for power in range(100))
"""Upper edges in ms, 15 % apart: 1 ms to about 17 minutes."""


@dataclass(slots=True)
class Delays:
    """A histogram of milliseconds: constant memory, percentiles within 15 %."""

    total: int = 0
    _buckets: list[int] = field(default_factory=lambda: [0] * (len(_STEPS) + 1))
    _last: tuple[float, int] = (0.0, 0)

    def add(self, ms: float, count: int = 1) -> None:
        if ms != self._last[0]:  # one publish reaches everybody within the same millisecond or few
            self._last = (ms, bisect_left(_STEPS, ms))
        self._buckets[self._last[1]] += count
        self.total += count

    def percentile(self, share: float) -> float | None:
        """The upper edge of the bucket that holds this share of all values; None without values."""
        if not self.total:
            return None
        rest = share * self.total
        for edge, count in zip((*_STEPS, _STEPS[-1]), self._buckets, strict=True):
            rest -= count
            if rest <= 0:
                return edge
        return _STEPS[-1]


@dataclass(slots=True)
class Counts:
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
    """Of sessions that have ended."""
    delays: Delays = field(default_factory=Delays)
    """From the publisher's stamp to our write, for entries delivered live."""

    def data(self, *, open_seconds: float, open_now: int) -> dict[str, Any]:
        """The answer of `/sse/stats`; `open_seconds` sums the ages of the sessions open now."""
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
