"""Profit by market, event, series, category, day or strategy: sums of the ledger's bookings. Pure.

Every booking belongs to exactly one group, so the groups of any grouping add up to the ledger's totals. A reversal
belongs to the group of what it takes back and has its amounts negated, so sums are right with reversals in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum

from coliseum.portfolio.ledger import Booking, BookingKind
from coliseum.trading.money import ZERO

UNKNOWN = "unknown"
"""The group of bookings whose group is not known."""
SEVERAL = "several"
"""The group of a settlement in a market that several strategies traded."""


class PnlGroup(StrEnum):
    """What profit is summed by."""

    MARKET = "market"
    EVENT = "event"
    SERIES = "series"
    CATEGORY = "category"
    DAY = "day"
    STRATEGY = "strategy"


@dataclass(slots=True, kw_only=True)
class Gains:
    """Sums over bookings, in dollars. `add` changes it."""

    realized: Decimal = ZERO
    """Profit of closed contracts, before fees: by trades and by settlements."""
    settled: Decimal = ZERO
    """The part of `realized` that settlements made."""
    fees: Decimal = ZERO
    basis: Decimal = ZERO
    """Change of the cost of open contracts."""
    fills: int = 0
    tickers: set[str] = field(default_factory=set)
    first_at: float | None = None
    """Unix seconds of the first booking."""
    last_at: float | None = None

    @property
    def cash(self) -> Decimal:
        """The change of cash."""
        return self.realized - self.basis - self.fees

    def add(self, booking: Booking) -> None:
        self.realized += booking.realized
        self.fees += booking.fees
        self.basis += booking.basis
        if booking.fill_id is None:
            self.settled += booking.realized
        else:
            self.fills += -1 if booking.kind is BookingKind.REVERSAL else 1
        self.tickers.add(booking.ticker)
        self.first_at = booking.at if self.first_at is None else min(self.first_at, booking.at)
        self.last_at = booking.at if self.last_at is None else max(self.last_at, booking.at)


@dataclass(frozen=True, slots=True)
class NamedGains:
    """The sums of one market or day."""

    name: str
    gains: Gains
    event_ticker: str | None
    """As a settlement among the bookings names it; None where none does. Of a day it says nothing."""


Group = Callable[[Booking], str]


def group_gains(bookings: Iterable[Booking], group: Group) -> dict[str, Gains]:
    """The sums of each group. Bookings are read once, so they may come page by page."""
    groups: dict[str, Gains] = {}
    for booking in bookings:
        groups.setdefault(group(booking), Gains()).add(booking)
    return groups


def named_gains(bookings: Iterable[Booking], group: Group) -> list[NamedGains]:
    """The sums of each group, with an event that its bookings name."""
    events: dict[str, str] = {}

    def noted(booking: Booking) -> str:
        name = group(booking)
        if booking.event_ticker is not None:
            events[name] = max(booking.event_ticker, events.get(name, ""))
        return name

    groups = group_gains(bookings, noted)
    return [NamedGains(name, groups[name], events.get(name)) for name in sorted(groups)]


def regroup(markets: Mapping[str, Gains], name: Callable[[str], str]) -> dict[str, Gains]:
    """The sums of groups of markets, from the sums of each market; `name` gives a ticker's group."""
    members: dict[str, list[Gains]] = {}
    for ticker, gains in markets.items():
        members.setdefault(name(ticker), []).append(gains)
    return {group: total_gains(each) for group, each in members.items()}


def total_gains(groups: Iterable[Gains]) -> Gains:
    """The sums over these groups."""
    total = Gains()
    for each in groups:
        total.realized += each.realized
        total.settled += each.settled
        total.fees += each.fees
        total.basis += each.basis
        total.fills += each.fills
        total.tickers |= each.tickers
        total.first_at = _of_both(min, total.first_at, each.first_at)
        total.last_at = _of_both(max, total.last_at, each.last_at)
    return total


def _of_both(choose: Callable[[float, float], float], one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return choose(one, other)


def series_of(ticker: str) -> str:
    """The exchange's series: everything before the first hyphen of a market's ticker."""
    return ticker.partition("-")[0]


def by_market(booking: Booking) -> str:
    return booking.ticker


def by_day(zone: tzinfo) -> Group:
    """The calendar day in `zone`, as `2026-11-21`. A day has 23 or 25 hours where clocks change."""
    return lambda booking: datetime.fromtimestamp(booking.at, UTC).astimezone(zone).date().isoformat()


@dataclass(frozen=True, slots=True)
class Strategies:
    """Which strategy made which trade, as far as the bot named one."""

    by_trade: Mapping[str, str]
    """By the trade's id, which may be the fill's or the order's."""
    by_ticker: Mapping[str, frozenset[str]]

    @classmethod
    def from_trades(cls, trades: Iterable[tuple[str, str | None, str, str]]) -> Strategies:
        """From trade id, order id, ticker and strategy of each trade that names one."""
        by_trade: dict[str, str] = {}
        by_ticker: dict[str, set[str]] = {}
        for trade_id, order_id, ticker, strategy in trades:
            by_trade[trade_id] = strategy
            if order_id is not None:
                by_trade.setdefault(order_id, strategy)
            by_ticker.setdefault(ticker, set()).add(strategy)
        return cls(by_trade, {ticker: frozenset(names) for ticker, names in by_ticker.items()})

    def of(self, booking: Booking) -> str:
        """A fill's own strategy: it gets what the fill realised. A settlement's: that of the whole market."""
        if booking.fill_id is not None:
            named = self.by_trade.get(booking.fill_id) or self.by_trade.get(booking.order_id or "")
            return named or UNKNOWN
        return self.of_market(booking.ticker)

    def of_market(self, ticker: str) -> str:
        names = self.by_ticker.get(ticker, frozenset())
        return next(iter(names)) if len(names) == 1 else SEVERAL if names else UNKNOWN
