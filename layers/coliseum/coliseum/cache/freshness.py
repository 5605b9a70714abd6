"""How old a value may be: tiers, and fresh, stale or gone from an age. Pure.

A fresh value is served without asking its source. A stale value is served only where its source fails, marked as stale
and with its age, up to the tier's ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Freshness(StrEnum):
    """What the age of a value means."""

    FRESH = "fresh"
    STALE = "stale"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Tier:
    """The age up to which a value is fresh, and the age after which it is gone. In seconds."""

    fresh_seconds: float
    ceiling_seconds: float

    def freshness_at(self, age_seconds: float) -> Freshness:
        """A negative age (two clocks differ) counts as fresh."""
        if age_seconds < self.fresh_seconds:
            return Freshness.FRESH
        return Freshness.STALE if age_seconds <= self.ceiling_seconds else Freshness.GONE


MARKETS = Tier(15, 300)
"""The exchange's own CDN serves quotes up to 15 s old."""
EVENTS = Tier(3600, 86_400)
"""A market hardly ever changes its event or series."""
BALANCE = Tier(5, 3600)
"""The exchange allows one balance call per second and account."""
POSITIONS = Tier(5, 3600)
FILLS = Tier(5, 86_400)
TRANSFERS = Tier(60, 3600)
"""Deposits and withdrawals take days, so a minute is soon enough."""
