"""Words for what is listed: series, events, markets, and a market's life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from coliseum.trading.fees import FeeType
from coliseum.trading.money import ONE, ZERO


class Status(StrEnum):
    """Where a market is in its life, in the words of responses."""

    INITIALIZED = "initialized"
    INACTIVE = "inactive"
    ACTIVE = "active"
    CLOSED = "closed"
    DETERMINED = "determined"
    DISPUTED = "disputed"
    AMENDED = "amended"
    FINALIZED = "finalized"


NEXT: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        Status.INITIALIZED: frozenset({Status.ACTIVE}),
        Status.ACTIVE: frozenset({Status.INACTIVE, Status.CLOSED}),
        Status.INACTIVE: frozenset({Status.ACTIVE, Status.CLOSED}),
        Status.CLOSED: frozenset({Status.DETERMINED}),
        Status.DETERMINED: frozenset({Status.DISPUTED, Status.AMENDED, Status.FINALIZED}),
        Status.DISPUTED: frozenset({Status.AMENDED, Status.FINALIZED}),
        Status.AMENDED: frozenset({Status.DISPUTED, Status.FINALIZED}),
        Status.FINALIZED: frozenset(),
    }
)
"""Money moves on entering FINALIZED and at no other step; a result can change until then."""

FILTERS: Mapping[str, frozenset[Status]] = MappingProxyType(
    {
        "unopened": frozenset({Status.INITIALIZED}),
        "open": frozenset({Status.ACTIVE}),
        "paused": frozenset({Status.INACTIVE}),
        "closed": frozenset({Status.CLOSED, Status.DETERMINED, Status.DISPUTED, Status.AMENDED}),
        "settled": frozenset({Status.FINALIZED}),
    }
)
"""The `status` query speaks other words than responses do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A kind of event that is listed again and again."""

    ticker: str
    title: str
    category: str
    tags: tuple[str, ...]
    frequency: str
    source_name: str
    source_url: str
    fee_type: FeeType = FeeType.QUADRATIC
    fee_multiplier: Decimal = ONE
    exchange_index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One question with its markets. Times are unix seconds."""

    event_ticker: str
    series_ticker: str
    title: str
    sub_title: str
    mutually_exclusive: bool
    strike_time: float
    created: float
    markets: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Market:
    """One contract: what never changes, and below it what its life changes. Times are unix seconds."""

    ticker: str
    event_ticker: str
    series_ticker: str
    title: str
    yes_sub_title: str
    no_sub_title: str
    rules: str
    structure: str
    created: float
    open_time: float
    close_time: float
    settlement_seconds: int
    exchange_index: int = 0
    strike_type: str | None = None
    floor_strike: float | None = None
    cap_strike: float | None = None
    base_volume: Decimal = ZERO
    """Traded before this exchange was started, by the generated history."""
    base_interest: Decimal = ZERO

    status: Status = Status.INITIALIZED
    updated: float = 0.0
    volume: Decimal = ZERO
    open_interest: Decimal = ZERO
    last_price: Decimal = ZERO
    result: str = ""
    """yes, no, scalar, or empty before it is determined."""
    yes_value: Decimal | None = None
    """Dollars per YES contract once determined."""
    determined: float | None = None
    settled: float | None = None
    expiration_value: str = ""

    def enter(self, status: Status, now: float) -> None:
        """Go to the next stage; a stage that does not follow is a mistake of the caller."""
        if status not in NEXT[self.status]:
            raise ValueError(f"{self.ticker} cannot go from {self.status} to {status}")
        self.status = status
        self.updated = now


@dataclass(slots=True, kw_only=True)
class Listing:
    """An event with its markets, as the catalogue hands it over."""

    event: Event
    markets: list[Market] = field(default_factory=list)
