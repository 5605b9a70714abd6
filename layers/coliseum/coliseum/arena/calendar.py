"""The arena's calendar: slots of rounds, seasons, horizons and time texts. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HORIZONS: tuple[tuple[str, float], ...] = (
    ("0-3h", 3),
    ("3-12h", 12),
    ("12-24h", 24),
    ("1-2d", 48),
    ("2-4d", 96),
    (">4d", float("inf")),
)


LATE_RESULTS = timedelta(days=45)
"""How long after its end a season's last markets may still settle. Until then its leaderboards are made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSlot:
    """A round's place on the clock. A round may open late in its slot and is open for its full time then."""

    starts_at: datetime
    season: str
    seed: int

    @property
    def round_id(self) -> str:
        return self.starts_at.strftime("r-%Y%m%dT%H%M%SZ")


def slot_at(now: datetime, *, every: timedelta) -> RoundSlot:
    """The slot that contains `now` (aware). Slots start at multiples of `every` since the epoch."""
    seconds = int(every.total_seconds())
    start = datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds, UTC)
    return RoundSlot(
        starts_at=start,
        season=season_of(start),
        seed=int.from_bytes(hashlib.sha256(start.isoformat().encode()).digest()[:6], "big"),
    )


def season_of(moment: datetime) -> str:
    """The season of a UTC time: its quarter, such as 2026Q4."""
    return f"{moment.year}Q{(moment.month - 1) // 3 + 1}"


def season_span(season: str) -> tuple[datetime, datetime]:
    """The start of a season and of the next one, in UTC."""
    year, quarter = int(season[:4]), int(season[5])
    start = datetime(year, quarter * 3 - 2, 1, tzinfo=UTC)
    end = datetime(year + quarter // 4, quarter % 4 * 3 + 1, 1, tzinfo=UTC)
    return start, end


def horizon_label(hours: float) -> str:
    """The label in HORIZONS of the hours that are left until a market closes."""
    return next(label for label, limit in HORIZONS if hours < limit or limit == float("inf"))


def time_text(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, with Z."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
