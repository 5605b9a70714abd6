"""What the exchange says about itself, and in what its answers have changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeStatus:
    """Whether it is open. Trading pauses every Thursday from 03:00 to 05:00 in New York; reads go on."""

    exchange_active: bool
    trading_active: bool
    estimated_resume: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoricalCutoff:
    """Rows from before these times are in the historical tier. Around them, rows are in both tiers."""

    markets_settled: datetime
    trades_created: datetime
    orders_updated: datetime


class ChangeKind(StrEnum):
    """In what an answer differs from the form that is known."""

    UNKNOWN_FIELD = "unknown_field"
    MISSING_FIELD = "missing_field"
    RENAMED_FIELD = "renamed_field"
    OTHER_TYPE = "other_type"
    OTHER_UNIT = "other_unit"
    NEW_VALUE = "new_value"
    """A word that a field with few words did not have before."""
    PARAMETER = "parameter"
    """A parameter is required, or is refused as we send it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeChange:
    """A change of the exchange's interface, as it was first seen."""

    key: str
    """Equal for two reports of one change."""
    endpoint: str
    """Where it was seen first."""
    shape: str
    """The object that has the field, such as Market."""
    field: str
    change: ChangeKind
    detail: str
    depends_on: str
    """What in Coliseum depends on the field."""
    first_seen: str
    """RFC 3339 in UTC."""
