"""What changed in the exchange since the journal was last written."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class RecordKind(StrEnum):
    """What a stored row is about. The values stand in state files of earlier versions."""

    VENUE = "venue"
    ACCOUNT = "account"
    POSITION = "position"
    EVENT = "event"
    MARKET = "market"
    OUTCOME_PROCESS = "latent"
    ORDER = "order"
    FILL = "fill"
    SETTLEMENT = "settlement"
    TRANSFER = "transfer"
    CANDLE = "candle"


@dataclass(slots=True)
class ChangeLog:
    """Changed objects by kind and key, each once; None marks one that was removed."""

    rows: dict[tuple[RecordKind, str], object | None] = field(default_factory=dict)
    urgent: bool = False
    """A member's account changed: the change must be on disk before the member gets an answer."""

    def note(self, kind: RecordKind, key: str, value: object | None, *, urgent: bool = False) -> None:
        self.rows[kind, key] = value
        self.urgent |= urgent

    def take(self) -> dict[tuple[RecordKind, str], object | None]:
        """All changes since the last call."""
        rows, self.rows, self.urgent = self.rows, {}, False
        return rows
