"""Open positions as the answers show them: the exchange's counts, our average cost, valued at the bid. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coliseum.portfolio.account_state import Bids
from coliseum.portfolio.ledger import MICRO_DOLLAR, Holding
from coliseum.trading.markets import ExchangePosition
from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioPosition:
    """One open position, money in dollars. Unknown is None, never 0."""

    ticker: str
    outcome: Outcome
    contracts: Decimal
    """Above 0."""
    average_cost: Decimal
    """Dollars per contract, without fees."""
    exposure: Decimal
    """Cost of the open contracts: the most that can still be lost."""
    realized_pnl: Decimal
    fees_paid: Decimal
    mark: Decimal | None
    """The best bid for this outcome, in dollars per contract: the price of selling now. None without a bid."""
    event_ticker: str | None = None
    title: str | None = None
    """The market's question. None where the market data did not answer, like the fields below."""
    meaning: str | None = None
    """What `outcome` stands for, in words."""
    close_time: datetime | None = None
    crossed: bool | None = None
    """The market's bid is not below its ask, so the mark is doubtful."""

    @property
    def value_low(self) -> Decimal:
        """The market value; 0 where it is unknown, the least that contracts can be worth."""
        value = self.market_value
        return ZERO if value is None else value

    @property
    def value_high(self) -> Decimal:
        """The market value; a dollar for each contract where it is unknown, the most that they can be worth."""
        value = self.market_value
        return self.contracts * ONE if value is None else value

    @property
    def market_value(self) -> Decimal | None:
        return None if self.mark is None else self.contracts * self.mark

    @property
    def unrealized_pnl(self) -> Decimal | None:
        value = self.market_value
        return None if value is None else value - self.exposure


def positions_from(
    rows: Iterable[ExchangePosition], holdings: Mapping[str, Holding], bids: Mapping[str, Bids]
) -> tuple[PortfolioPosition, ...]:
    """Open positions, largest exposure first.

    Counts and money are the exchange's. The average cost comes from our ledger where it holds the same contracts, else
    it is the exchange's exposure divided by its count.
    """
    positions = [_position(row, holdings.get(row.ticker), bids.get(row.ticker)) for row in rows if row.position]
    return tuple(sorted(positions, key=lambda position: (-position.exposure, position.ticker)))


def _position(row: ExchangePosition, holding: Holding | None, bids: Bids | None) -> PortfolioPosition:
    outcome = Outcome.YES if row.position > ZERO else Outcome.NO
    contracts = abs(row.position)
    agrees = holding is not None and holding.contracts == row.position
    basis = holding.basis if agrees and holding is not None else row.exposure
    return PortfolioPosition(
        ticker=row.ticker,
        outcome=outcome,
        contracts=contracts,
        average_cost=(basis / contracts).quantize(MICRO_DOLLAR),
        exposure=row.exposure,
        realized_pnl=row.realized_pnl,
        fees_paid=row.fees_paid,
        mark=None if bids is None else (bids.yes if outcome is Outcome.YES else bids.no),
        event_ticker=None if bids is None else bids.event_ticker,
        title=None if bids is None else bids.title,
        meaning=None if bids is None else (bids.yes_meaning if outcome is Outcome.YES else bids.no_meaning),
        close_time=None if bids is None else bids.close_time,
        crossed=None if bids is None else bids.crossed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionTotals:
    """Sums over the open positions, in dollars."""

    open_positions: int
    contracts: Decimal
    exposure: Decimal
    market_value: Decimal | None
    """None as soon as one position has no mark: a partial sum would be taken for the whole."""
    unrealized_pnl: Decimal | None
    market_value_low: Decimal
    """A bound: what the positions are worth at least. The market value itself where every position has a mark."""
    market_value_high: Decimal
    unrealized_low: Decimal
    unrealized_high: Decimal
    unmarked: int
    """Positions without a bid, or whose market data did not answer."""


def sum_positions(positions: Iterable[PortfolioPosition]) -> PositionTotals:
    rows = tuple(positions)
    values = [row.market_value for row in rows if row.market_value is not None]
    gains = [row.unrealized_pnl for row in rows if row.unrealized_pnl is not None]
    complete = len(values) == len(rows)
    exposure = sum((row.exposure for row in rows), ZERO)
    low, high = sum((row.value_low for row in rows), ZERO), sum((row.value_high for row in rows), ZERO)
    return PositionTotals(
        open_positions=len(rows),
        contracts=sum((row.contracts for row in rows), ZERO),
        exposure=exposure,
        market_value_low=low,
        market_value_high=high,
        unrealized_low=low - exposure,
        unrealized_high=high - exposure,
        market_value=sum(values, ZERO) if complete else None,
        unrealized_pnl=sum(gains, ZERO) if complete else None,
        unmarked=len(rows) - len(values),
    )
