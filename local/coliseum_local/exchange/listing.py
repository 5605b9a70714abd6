"""What the exchange lists: series, events, markets, and the statuses that a market goes through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from coliseum.trading.fees import FeeType
from coliseum.trading.money import ONE, ZERO


class MarketStatus(StrEnum):
    """A market's status, as responses show it."""

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
"""The statuses that may follow each one. Positions are paid on entering FINALIZED; a result can change until then."""

STATUS_FILTERS: Mapping[str, frozenset[MarketStatus]] = MappingProxyType(
    {
        "unopened": frozenset({MarketStatus.INITIALIZED}),
        "open": frozenset({MarketStatus.ACTIVE}),
        "paused": frozenset({MarketStatus.INACTIVE}),
        "closed": frozenset(
            {MarketStatus.CLOSED, MarketStatus.DETERMINED, MarketStatus.DISPUTED, MarketStatus.AMENDED}
        ),
        "settled": frozenset({MarketStatus.FINALIZED}),
    }
)
"""Values of the `status` query, which are not the statuses of responses, and the statuses each one selects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSeries:
    """A recurring kind of event, and what trading in it costs."""

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
    """One market. The fields above `status` never change; the others change while it trades. Times are unix seconds."""

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
    """Contracts traded in the generated past, before this exchange was started."""
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
        """Go to the next status. Raises ValueError if it may not follow the present one."""
        if status not in NEXT_STATUSES[self.status]:
            raise ValueError(f"{self.ticker}: cannot go from {self.status} to {status}")
        self.status = status
        self.updated = now


@dataclass(slots=True, kw_only=True)
class EventListing:
    """A new event with its markets."""

    event: SandboxEvent
    markets: list[SandboxMarket] = field(default_factory=list)
