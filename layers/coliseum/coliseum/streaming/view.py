"""What one process knows of the log and its sources. The reader writes it, sessions read it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from coliseum.feed.entries import EntryId
from coliseum.feed.protocol import PollerHeartbeat
from coliseum.streaming.redis_health import RedisHealth
from coliseum.streaming.ring import Ring
from coliseum.streaming.sources import StaleSource


@dataclass(slots=True)
class LogView:
    """One process's knowledge at this moment."""

    ring: Ring = field(default_factory=Ring)
    redis: RedisHealth = field(default_factory=RedisHealth)
    loaded: bool = False
    """Whether the ring was read from Redis; until then only `redis` and `stale` mean anything."""
    bot: dict[str, Any] | None = None
    """The data of the newest `bot_status`, as of the ring's head."""
    heartbeat: PollerHeartbeat | None = None
    """The poller's newest one."""
    stale: Mapping[str, StaleSource] = field(default_factory=dict)
    """Replaced, never changed in place: a session notices a change by identity."""
    reset_reason: str = "epoch"
    """Why the ring's history changed last: `epoch`, `history` or `ahead`."""

    @property
    def oldest(self) -> EntryId | None:
        """The oldest entry in memory; Redis may keep older ones."""
        first = self.ring.stretch(self.ring.floor)
        return first[0].entry.id if first else None
