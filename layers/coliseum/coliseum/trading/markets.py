"""Markets, order books, candles, balance, positions, settlements. Prices are dollars per contract, sizes contracts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coliseum.errors import InvalidInput
from coliseum.trading.money import ONE, ZERO

_TICKER = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)


def ticker_from(value: object, *, field: str = "ticker") -> str:
    """A ticker that is safe in a path, a query, a log line and a Redis key. Raises InvalidInput otherwise."""
    if not isinstance(value, str) or not _TICKER.fullmatch(value) or not value.strip("."):
        raise InvalidInput(field, value, "a ticker: up to 100 letters, digits, dots, hyphens and underscores")
    return value


@dataclass(frozen=True, slots=True)
class Level:
    """The size that rests at one price."""

    price: Decimal
    count: Decimal


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Resting bids of both outcomes, best first. An ask is the other outcome's bid seen from here."""

    yes_bids: tuple[Level, ...]
    no_bids: tuple[Level, ...]

    @property
    def yes_asks(self) -> tuple[Level, ...]:
        return tuple(Level(ONE - level.price, level.count) for level in self.no_bids)

    @property
    def no_asks(self) -> tuple[Level, ...]:
        return tuple(Level(ONE - level.price, level.count) for level in self.yes_bids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One market. A side without orders has no quote: None, never 0 or 1."""

    ticker: str
    event_ticker: str
    title: str
    subtitle: str
    status: str
    """As the exchange sends it: initialized, active, inactive, closed, determined, disputed, amended, finalized."""
    market_type: str
    yes_bid: Decimal | None
    yes_ask: Decimal | None
    no_bid: Decimal | None
    no_ask: Decimal | None
    last_price: Decimal | None
    previous_price: Decimal | None
    """The last price 24 hours ago."""
    volume: Decimal
    volume_24h: Decimal
    open_interest: Decimal
    open_time: datetime
    close_time: datetime
    expected_expiration_time: datetime | None
    updated_time: datetime | None
    result: str | None
    """yes, no or scalar once determined."""
    settlement_value: Decimal | None
    """Dollars per YES contract once settled."""
    settled_at: datetime | None
    rules_primary: str
    rules_secondary: str
    price_level_structure: str
    can_close_early: bool | None
    no_subtitle: str = ""
    """What NO stands for, as the exchange names it: often the same text as `subtitle`, which is what YES stands for."""

    @property
    def no_meaning(self) -> str:
        """What NO stands for, in words that differ from those of YES."""
        if self.no_subtitle and self.no_subtitle != self.subtitle:
            return self.no_subtitle
        return f"not: {self.subtitle}" if self.subtitle else ""

    @property
    def spread(self) -> Decimal | None:
        return None if self.yes_bid is None or self.yes_ask is None else self.yes_ask - self.yes_bid

    @property
    def crossed(self) -> bool:
        """A bid at or above the ask. The exchange would match the two, so one of them is out of date or wrong."""
        return self.spread is not None and self.spread <= ZERO

    @property
    def midpoint(self) -> Decimal | None:
        """None in a crossed book: its middle is no price."""
        if self.yes_bid is None or self.yes_ask is None or self.crossed:
            return None
        return (self.yes_ask + self.yes_bid) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One period of a market's history; `price` parts are None where nothing traded."""

    end: datetime
    yes_bid_close: Decimal | None
    yes_ask_close: Decimal | None
    price_open: Decimal | None
    price_high: Decimal | None
    price_low: Decimal | None
    price_close: Decimal | None
    price_previous: Decimal | None
    volume: Decimal
    open_interest: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardCash:
    """The cash on one of the exchange's shards, in dollars."""

    exchange_index: int
    cash: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The account's money, in dollars. Equity is cash plus the exchange's value of the positions."""

    cash: Decimal
    portfolio_value: Decimal
    as_of: datetime
    by_shard: tuple[ShardCash, ...] | None = None
    """None where the exchange does not send it, which is so for a key that is locked to a subaccount."""

    @property
    def equity(self) -> Decimal:
        return self.cash + self.portfolio_value


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangePosition:
    """One market's position as the exchange reports it, in dollars and contracts."""

    ticker: str
    position: Decimal
    """Signed contracts: above 0 YES, below 0 NO."""
    exposure: Decimal
    realized_pnl: Decimal
    fees_paid: Decimal
    total_traded: Decimal
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The end of one market in which the account traded, in dollars and contracts.

    Counts and costs are gross: everything that was bought on each side. A sale of YES is a purchase of NO, and pairs of
    both were paid out when they met. `revenue` is what was paid for the rest, which was held at the end.
    """

    ticker: str
    event_ticker: str
    result: str
    yes_count: Decimal
    yes_cost: Decimal
    no_count: Decimal
    no_cost: Decimal
    revenue: Decimal
    value: Decimal | None
    """As the exchange sends it: 1 or 0 on yes and no, on a scalar row the same as `revenue`. It pays nothing."""
    fee: Decimal
    """Dollars: the sum of the fees of all fills in this market."""
    settled_at: datetime

    @property
    def held(self) -> Decimal:
        """Contracts held at the end, signed: above 0 YES, below 0 NO."""
        return self.yes_count - self.no_count
