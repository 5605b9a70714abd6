"""How old a value may be: tiers, and fresh / stale / gone from an age. Pure.

A value is fresh while asking again would cost more than it tells. A stale one is served only where its source
fails, marked as such and with its age, up to the tier's ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Freshness(StrEnum):
    """What an age means."""

    FRESH = "fresh"
    STALE = "stale"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Tier:
    """Two ages in seconds."""

    fresh_seconds: float
    ceiling_seconds: float

    def judge(self, age_seconds: float) -> Freshness:
        """A value from the future (two clocks) counts as new."""
        if age_seconds < self.fresh_seconds:
            return Freshness.FRESH
        return Freshness.STALE if age_seconds <= self.ceiling_seconds else Freshness.GONE


MARKETS = Tier(15, 300)
"""The exchange's own CDN serves quotes up to 15 s old."""
EVENTS = Tier(3600, 86_400)
"""What a market belongs to hardly ever changes."""
BALANCE = Tier(5, 3600)
"""The exchange answers one balance call per second and account."""
POSITIONS = Tier(5, 3600)
FILLS = Tier(5, 86_400)
