"""Which of poller, bot and Redis must be called stale. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coliseum.feed.protocol import PollerHeartbeat
from coliseum.streaming.timings import REDIS_STALE_SECONDS


@dataclass(frozen=True, slots=True)
class StaleSource:
    """One source whose data may be out of date."""

    source: str
    """`poller`, `bot` or `redis`."""
    since_ms: int | None
    """Unix ms of the last time it was known to be fine; None where it never was."""


def stale_sources(
    heartbeat: PollerHeartbeat | None,
    *,
    now_ms: int,
    redis_ok_ms: int | None,
    redis_down_seconds: float | None,
    redis_patience: float = REDIS_STALE_SECONDS,
) -> Mapping[str, StaleSource]:
    """The sources to be called stale, by name.

    A poller is fresh for `fresh_for` ms after its last heartbeat, the bot for as long after its last answer. Redis is
    stale after more than `redis_patience` seconds of silence; a shorter outage is not worth an event.
    """
    stale: list[StaleSource] = []
    if heartbeat is None or now_ms > heartbeat.at + heartbeat.fresh_for:
        stale.append(StaleSource("poller", None if heartbeat is None else heartbeat.at))
    if heartbeat is None or _bot_is_stale(heartbeat, now_ms):
        stale.append(StaleSource("bot", None if heartbeat is None else heartbeat.bot_ok_at))
    if redis_down_seconds is not None and redis_down_seconds > redis_patience:
        stale.append(StaleSource("redis", redis_ok_ms))
    return {entry.source: entry for entry in stale}


def _bot_is_stale(heartbeat: PollerHeartbeat, now_ms: int) -> bool:
    """A poller that has just begun has not asked the bot yet: that is no silence of the bot."""
    if heartbeat.bot_ok_at is None:
        return heartbeat.bot is not None and heartbeat.bot.get("status") == "offline"
    return now_ms > heartbeat.bot_ok_at + heartbeat.fresh_for
