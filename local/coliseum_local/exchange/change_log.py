"""What changed since the journal last looked."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class RecordKind(StrEnum):
    """What a stored row is about."""

    VENUE = "venue"
    ACCOUNT = "account"
    POSITION = "position"
    EVENT = "event"
    MARKET = "market"
    LATENT = "latent"
    ORDER = "order"
    FILL = "fill"
    SETTLEMENT = "settlement"
    CANDLE = "candle"


@dataclass(slots=True)
class ChangeLog:
    """Changed things by kind and key, each once; None marks one that is gone."""

    rows: dict[tuple[RecordKind, str], object | None] = field(default_factory=dict)
    urgent: bool = False
    """A member's account changed: it must be on disk before anybody hears of it."""

    def note(self, kind: RecordKind, key: str, value: object | None, *, urgent: bool = False) -> None:
        self.rows[kind, key] = value
        self.urgent |= urgent

    def take(self) -> dict[tuple[RecordKind, str], object | None]:
        """All changes, and start anew."""
        rows, self.rows, self.urgent = self.rows, {}, False
        return rows
