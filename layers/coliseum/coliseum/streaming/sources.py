"""What a process knows of poller, bot and Redis, and which of them must be called stale. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coliseum.feed.protocol import PollerHeartbeat

REDIS_STALE_SECONDS = 5.0
"""A shorter outage is a hiccup that nobody needs to hear of."""


@dataclass(frozen=True, slots=True)
class Stale:
    """One source whose news can no longer be trusted to be new."""

    source: str
    """`poller`, `bot` or `redis`."""
    since_ms: int | None
    """The last time it was known to be fine; None where it never was."""

    def data(self) -> dict[str, Any]:
        return {"source": self.source, "last_ok_at": self.since_ms}


def stale_sources(
    report: PollerHeartbeat | None,
    *,
    now_ms: int,
    redis_ok_ms: int | None,
    redis_down_seconds: float | None,
    redis_patience: float = REDIS_STALE_SECONDS,
) -> Mapping[str, Stale]:
    """The sources to be called stale, by name.

    A poller is fresh for `fresh_for` after its last report, the bot for as long after its last answer.
    """
    stale: list[Stale] = []
    if report is None or now_ms > report.at + report.fresh_for:
        stale.append(Stale("poller", None if report is None else report.at))
    if report is None or _bot_is_stale(report, now_ms):
        stale.append(Stale("bot", None if report is None else report.bot_ok_at))
    if redis_down_seconds is not None and redis_down_seconds > redis_patience:
        stale.append(Stale("redis", redis_ok_ms))
    return {entry.source: entry for entry in stale}


def _bot_is_stale(report: PollerHeartbeat, now_ms: int) -> bool:
    """A poller that has just begun has not asked the bot yet: that is no silence of the bot's."""
    if report.bot_ok_at is None:
        return report.bot is not None and report.bot.get("status") == "offline"
    return now_ms > report.bot_ok_at + report.fresh_for
