"""What one look sees: the database, the log and the exchange. Pure values; None is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from coliseum.alerts.states import States
from coliseum.feed.entries import START, Entry, EntryId
from coliseum.feed.protocol import PollerHeartbeat


@dataclass(frozen=True, slots=True)
class SeenUpTo:
    """The last entry of the log that the rules have seen."""

    epoch: str | None = None
    id: EntryId = START


@dataclass(frozen=True, slots=True)
class EquityAt:
    """The account's equity in dollars at a moment, in unix seconds."""

    equity: Decimal
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPosition:
    """One holding of the books: signed contracts, and what they cost in dollars."""

    ticker: str
    contracts: Decimal
    basis: Decimal
    event_ticker: str | None
    last_fill_at: float | None = None
    """When it was last traded, in unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillCounts:
    """The bot's trades and the account's fills of a day, without those that are too young."""

    matched: int
    unconfirmed: int
    """Trades without a fill."""
    unreported: int
    """Fills without a trade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswers:
    """What one model did in the last closed round."""

    agent_id: str
    round_id: str
    done: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepFacts:
    """What is looked at every few minutes."""

    peak: EquityAt | None
    fills: FillCounts
    budget_share: Decimal | None
    """Spent of the day's budget; None where nothing was reserved today."""
    budget_day: str | None
    models: tuple[ModelAnswers, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts:
    """What Postgres holds."""

    version: int
    seen: SeenUpTo | None
    """None before the first look: it begins at the log's newest entry."""
    states: States
    memory: Mapping[str, Any]
    acknowledged: frozenset[str]
    last_trade_at: float | None
    positions: tuple[OpenPosition, ...] | None
    """Those of the books; None where there are no complete books."""
    equity: EquityAt | None
    day_first: EquityAt | None
    deep: DeepFacts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFacts:
    """What the log holds behind the last look."""

    entries: tuple[Entry, ...]
    seen: SeenUpTo
    heartbeat: PollerHeartbeat | None
    bot: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFacts:
    """What the exchange answered. Without a key only `trading` is known."""

    trading: bool | None = None
    key_refused: bool | None = None
    equity: Decimal | None = None
    positions: Mapping[str, Decimal] | None = None
    """Signed contracts by ticker."""
    closes: Mapping[str, float] = field(default_factory=dict)
    """When the markets of open positions close, in unix seconds."""
    transfers: tuple[tuple[float, Decimal], ...] = ()
    """Applied deposits (above 0) and withdrawals (below 0) with their times; read only where equity fell."""
