"""Is the bot online? One missed answer is a hiccup, two in a row are an outage. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from coliseum.bot.parse import BotStatus

MISSES = 2
"""Failed looks in a row until the bot counts as offline."""


@dataclass(frozen=True, slots=True)
class FailedPolls:
    """Failed looks since the bot last answered."""

    count: int = 0
    since_ms: int = 0
    """When the first of them failed."""

    def another(self, now_ms: int) -> FailedPolls:
        return FailedPolls(self.count + 1, self.since_ms if self.count else now_ms)

    @property
    def offline(self) -> bool:
        return self.count >= MISSES


def is_online(status: dict[str, Any] | None) -> bool:
    return status is not None and status["status"] == "online"


def online_status(
    *, now_ms: int, trades: int | None, told: BotStatus | None, before: dict[str, Any] | None
) -> dict[str, Any]:
    """The status of a bot that answers; `trades` counts its run's trades. Without its own word the last mode stays."""
    words = [] if told is None else [word for word in (told.mode, told.strategy) if word]
    status = {"status": "online", "since": rfc3339(now_ms), "trades": trades, "detail": ", ".join(words) or None}
    return {**status, **(_mode_of(before) if told is None else _mode(told, now_ms))}


def confirm_mode(before: dict[str, Any], told: BotStatus, *, now_ms: int, trades: int) -> dict[str, Any] | None:
    """The status as the bot tells it now; None where it calls itself of another mode, which readers must hear."""
    now = online_status(now_ms=now_ms, trades=trades, told=told, before=before)
    return {**now, "since": before["since"]} if before.get("mode") == told.mode else None


def offline_status(before: dict[str, Any] | None, misses: FailedPolls, *, problem: str) -> dict[str, Any] | None:
    """The status to publish after a failed look; None where it was offline already, or may be a hiccup."""
    if not misses.offline or (before is not None and not is_online(before)):
        return None
    trades = None if before is None else before["trades"]
    status = {"status": "offline", "since": rfc3339(misses.since_ms), "trades": trades, "detail": problem}
    return {**status, **_mode_of(before)}


def _mode(told: BotStatus, now_ms: int) -> dict[str, Any]:
    """Paper or live, and when the bot said so."""
    return {"mode": told.mode, "mode_as_of": None if told.mode is None else rfc3339(now_ms)}


def _mode_of(before: dict[str, Any] | None) -> dict[str, Any]:
    """What it said last. Earlier releases did not write it down."""
    known = before or {}
    return {"mode": known.get("mode"), "mode_as_of": known.get("mode_as_of")}


def rfc3339(ms: int) -> str:
    """Unix milliseconds as RFC 3339 UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
