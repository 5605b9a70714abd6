"""Money figures of a paper account, from its ledger and its marks. They do not affect ranks. Pure.

Dollars are exact decimals, ratios are floats. Only Sharpe and Sortino are annualised (365 days, zero rate). They need
30 daily returns.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from statistics import fmean, stdev

from coliseum.arena.paper.account import LedgerRow, LedgerRowKind, replay
from coliseum.arena.scoring.proportions import wilson
from coliseum.trading.money import ZERO

DAYS_A_YEAR = 365
LEAST_RETURNS = 30
"""Daily returns below which Sharpe and Sortino are None."""


@dataclass(frozen=True, slots=True)
class AccountValue:
    """The value of an account at one time, in dollars.

    `equity` is cash plus what the positions would bring at the bid price, after fees.
    """

    at: datetime
    cash: Decimal
    equity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketBet:
    """Everything that an account did in one market that is settled or closed in full."""

    ticker: str
    cost: Decimal
    """Dollars paid for contracts, without fees."""
    profit: Decimal
    """Dollars, after fees."""

    @property
    def roi(self) -> float:
        return float(self.profit / self.cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyFigures:
    """The figures of an account. None if there is too little data."""

    deposit: Decimal
    value: Decimal
    """Account value at liquidation."""
    net_of_models: Decimal
    """`value` minus the cost of the agent's model calls."""
    realized: Decimal
    """Profit of closed and settled contracts, before fees."""
    unrealized: Decimal
    fees: Decimal
    turnover: Decimal
    """Dollars of contracts bought and sold before settlement."""
    exposure: Decimal
    """Cost of the open positions."""
    roi: float | None
    """(value - deposit) / deposit."""
    bets: int
    win_rate: float | None
    """Share of the bets with a profit after fees."""
    win_interval: tuple[float, float] | None
    profit_factor: float | None
    """Profit of the winning bets / loss of the losing bets. None without a losing bet."""
    max_drawdown: float | None
    """Largest fall from a peak, as a share of the peak, on hourly marks. The deposit is the first peak."""
    drawdown_hours: float | None
    """The longest time below an earlier peak."""
    daily_volatility: float | None
    sharpe: float | None
    sortino: float | None
    per_bet_sharpe: float | None
    """mean / stdev of the returns of the bets, not annualised, as printed by Prophet Arena."""
    log_growth_per_bet: float | None


def money_figures(
    rows: Sequence[LedgerRow], values: Sequence[AccountValue], *, model_cost: Decimal = ZERO
) -> MoneyFigures:
    """The figures of one account. `values` ascend in time; without any, positions count at cost."""
    state = replay(rows)
    value = values[-1].equity if values else state.cash + state.basis
    closed_bets = bets(rows)
    wins = [bet.profit for bet in closed_bets if bet.profit > ZERO]
    losses = -sum((bet.profit for bet in closed_bets if bet.profit < ZERO), ZERO)
    returns = [bet.roi for bet in closed_bets]
    daily = daily_returns(values)
    largest_fall, hours = drawdown(hourly(values), state.deposits)
    growth = float(value / state.deposits) if state.deposits and value > ZERO else None
    return MoneyFigures(
        deposit=state.deposits,
        value=value,
        net_of_models=value - model_cost,
        realized=state.realized,
        unrealized=value - state.cash - state.basis,
        fees=state.fees,
        turnover=sum((abs(row.cash) for row in rows if row.kind in {LedgerRowKind.BUY, LedgerRowKind.CLOSE}), ZERO),
        exposure=state.basis,
        roi=float((value - state.deposits) / state.deposits) if state.deposits else None,
        bets=len(closed_bets),
        win_rate=len(wins) / len(closed_bets) if closed_bets else None,
        win_interval=wilson(len(wins), len(closed_bets)),
        profit_factor=float(sum(wins, ZERO) / losses) if losses else None,
        max_drawdown=largest_fall,
        drawdown_hours=hours,
        daily_volatility=stdev(daily) if len(daily) > 1 else None,
        sharpe=_annualised_ratio(daily, [change - fmean(daily) for change in daily], len(daily) - 1) if daily else None,
        sortino=_annualised_ratio(daily, [min(0.0, change) for change in daily], len(daily)) if daily else None,
        per_bet_sharpe=_ratio(fmean(returns), stdev(returns)) if len(returns) > 1 else None,
        log_growth_per_bet=math.log(growth) / len(closed_bets) if closed_bets and growth is not None else None,
    )


def bets(rows: Sequence[LedgerRow]) -> tuple[MarketBet, ...]:
    """One bet for each market that is settled or closed in full. An amended settlement counts with its newest value."""
    state = replay(rows)
    cost: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    profit: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for row in rows:
        if row.ticker is None:
            continue
        if row.kind is LedgerRowKind.BUY:
            cost[row.ticker] -= row.cash
        profit[row.ticker] += row.cash if row.kind is LedgerRowKind.FEE else row.realized
    return tuple(
        MarketBet(ticker=ticker, cost=cost[ticker], profit=profit[ticker])
        for ticker in sorted(cost)
        if ticker not in state.positions
    )


def hourly(values: Sequence[AccountValue]) -> tuple[AccountValue, ...]:
    """The last mark of each hour."""
    last: Mapping[datetime, AccountValue] = {
        mark.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0): mark for mark in values
    }
    return tuple(last.values())


def drawdown(values: Sequence[AccountValue], deposit: Decimal) -> tuple[float | None, float | None]:
    """(Largest fall as a share of its peak, hours of the longest time below a peak). The deposit is the first peak."""
    if not values:
        return None, None
    peak, fall, longest = AccountValue(values[0].at, deposit, deposit), 0.0, 0.0
    for mark in values:
        if mark.equity >= peak.equity:
            peak = mark
            continue
        fall = max(fall, float((peak.equity - mark.equity) / peak.equity))
        longest = max(longest, (mark.at - peak.at).total_seconds() / 3600)
    return fall, longest


def daily_returns(values: Sequence[AccountValue]) -> list[float]:
    """Relative change of equity from the last mark of a UTC day to the last mark of the next day with marks."""
    last = {mark.at.astimezone(UTC).date(): mark.equity for mark in values}
    return [float(after / before) - 1 for before, after in pairwise(last.values()) if before > ZERO]


def _annualised_ratio(daily: Sequence[float], deviations: Sequence[float], degrees: int) -> float | None:
    """Mean over deviation of the daily returns, times sqrt(365). None below 30 returns."""
    if len(daily) < LEAST_RETURNS:
        return None
    spread = math.sqrt(math.fsum(deviation * deviation for deviation in deviations) / degrees)
    daily_ratio = _ratio(fmean(daily), spread)
    return None if daily_ratio is None else daily_ratio * math.sqrt(DAYS_A_YEAR)


def _ratio(top: float, bottom: float) -> float | None:
    return top / bottom if bottom > 0 else None
