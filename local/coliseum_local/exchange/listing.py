"""Words for what is listed: series, events, markets, and a market's life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from coliseum.trading.fees import FeeType
from coliseum.trading.money import ONE, ZERO


class MarketStatus(StrEnum):
    """Where a market is in its life, in the words of responses."""

    INITIALIZED = "initialized"
    INACTIVE = "inactive"
    ACTIVE = "active"
    CLOSED = "closed"
    DETERMINED = "determined"
    DISPUTED = "disputed"
    AMENDED = "amended"
    FINALIZED = "finalized"


NEXT_STATUSES: Mapping[MarketStatus, frozenset[MarketStatus]] = MappingProxyType(
    {
        MarketStatus.INITIALIZED: frozenset({MarketStatus.ACTIVE}),
        MarketStatus.ACTIVE: frozenset({MarketStatus.INACTIVE, MarketStatus.CLOSED}),
        MarketStatus.INACTIVE: frozenset({MarketStatus.ACTIVE, MarketStatus.CLOSED}),
        MarketStatus.CLOSED: frozenset({MarketStatus.DETERMINED}),
        MarketStatus.DETERMINED: frozenset({MarketStatus.DISPUTED, MarketStatus.AMENDED, MarketStatus.FINALIZED}),
        MarketStatus.DISPUTED: frozenset({MarketStatus.AMENDED, MarketStatus.FINALIZED}),
        MarketStatus.AMENDED: frozenset({MarketStatus.DISPUTED, MarketStatus.FINALIZED}),
        MarketStatus.FINALIZED: frozenset(),
    }
)
"""Money moves on entering FINALIZED and at no other step; a result can change until then."""

STATUS_FILTERS: Mapping[str, frozenset[MarketStatus]] = MappingProxyType(
    {
        "unopened": frozenset({MarketStatus.INITIALIZED}),
        "open": frozenset({MarketStatus.ACTIVE}),
        "paused": frozenset({MarketStatus.INACTIVE}),
        "closed": frozenset({MarketStatus.CLOSED, MarketStatus.DETERMINED, MarketStatus.DISPUTED, MarketStatus.AMENDED}),
        "settled": frozenset({MarketStatus.FINALIZED}),
    }
)
"""The `status` query speaks other words than responses do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSeries:
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
class SandboxEvent:
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
class SandboxMarket:
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

    status: MarketStatus = MarketStatus.INITIALIZED
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

    def enter(self, status: MarketStatus, now: float) -> None:
        """Go to the next stage; a stage that does not follow is a mistake of the caller."""
        if status not in NEXT_STATUSES[self.status]:
            raise ValueError(f"{self.ticker} cannot go from {self.status} to {status}")
        self.status = status
        self.updated = now


@dataclass(slots=True, kw_only=True)
class EventListing:
    """An event with its markets, as the catalogue hands it over."""

    event: SandboxEvent
    markets: list[SandboxMarket] = field(default_factory=list)
