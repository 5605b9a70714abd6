"""Is the bot online? One missed answer is a hiccup, two in a row are an outage. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MISSES = 2
"""Failed looks in a row until the bot counts as offline."""


@dataclass(frozen=True, slots=True)
class Misses:
    """Failed looks since the bot last answered."""

    count: int = 0
    since_ms: int = 0
    """When the first of them failed."""

    def another(self, now_ms: int) -> Misses:
        return Misses(self.count + 1, self.since_ms if self.count else now_ms)

    @property
    def offline(self) -> bool:
        return self.count >= MISSES


def is_online(status: dict[str, Any] | None) -> bool:
    return status is not None and status["status"] == "online"


def online(*, now_ms: int, trades: int | None, detail: str | None) -> dict[str, Any]:
    """The status of a bot that answers again; `trades` counts its run's trades."""
    return {"status": "online", "since": instant(now_ms), "trades": trades, "detail": detail}


def went_offline(before: dict[str, Any] | None, misses: Misses, *, problem: str) -> dict[str, Any] | None:
    """The status to publish after a failed look; None where it was offline already, or may be a hiccup."""
    if not misses.offline or (before is not None and not is_online(before)):
        return None
    trades = None if before is None else before["trades"]
    return {"status": "offline", "since": instant(misses.since_ms), "trades": trades, "detail": problem}


def instant(ms: int) -> str:
    """Unix milliseconds as RFC 3339 UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
