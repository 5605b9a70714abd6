"""What an account made of its forecasts: from its ledger and its marks. Shown beside the board, never ranked on. Pure.

Dollars are exact; ratios are floats. Nothing is annualised but Sharpe and Sortino (365 days, zero rate), which need
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


@dataclass(frozen=True, slots=True)
class AccountValue:
    """An account's value at an instant: cash, and cash with positions sold at the bid after fees."""

    at: datetime
    cash: Decimal
    equity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketBet:
    """Everything an account did in one market that is over."""

    ticker: str
    cost: Decimal
    """Dollars paid for contracts, fees aside."""
    profit: Decimal
    """After fees."""

    @property
    def roi(self) -> float:
        return float(self.profit / self.cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyFigures:
    """An account's figures; None where there is too little to reckon from."""

    deposit: Decimal
    value: Decimal
    """Account value at liquidation."""
    net_of_models: Decimal
    """`value` less what the agent's model calls cost."""
    realized: Decimal
    """Gross of fees; settlements count."""
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
    """Winners' profit / losers' loss; None without a loser."""
    max_drawdown: float | None
    """Largest fall from a peak, as a share of the peak, on hourly marks; the deposit is the first peak."""
    drawdown_hours: float | None
    """The longest time below an earlier peak."""
    daily_volatility: float | None
    sharpe: float | None
    sortino: float | None
    per_bet_sharpe: float | None
    """mean / stdev of the bets' returns, not annualised: the figure Prophet Arena prints."""
    log_growth_per_bet: float | None


def money_figures(
    rows: Sequence[LedgerRow], worths: Sequence[AccountValue], *, model_cost: Decimal = ZERO
) -> MoneyFigures:
    """The figures of one account. `worths` ascend in time; without any the positions count at cost."""
    state = replay(rows)
    value = worths[-1].equity if worths else state.cash + state.basis
    done = bets(rows)
    wins = [one.profit for one in done if one.profit > ZERO]
    losses = -sum((one.profit for one in done if one.profit < ZERO), ZERO)
    returns = [one.roi for one in done]
    daily = daily_returns(worths)
    fall, hours = drawdown(hourly(worths), state.deposits)
    grown = float(value / state.deposits) if state.deposits and value > ZERO else None
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
        bets=len(done),
        win_rate=len(wins) / len(done) if done else None,
        win_interval=wilson(len(wins), len(done)),
        profit_factor=float(sum(wins, ZERO) / losses) if losses else None,
        max_drawdown=fall,
        drawdown_hours=hours,
        daily_volatility=stdev(daily) if len(daily) > 1 else None,
        sharpe=_annual(daily, [one - fmean(daily) for one in daily], len(daily) - 1) if daily else None,
        sortino=_annual(daily, [min(0.0, one) for one in daily], len(daily)) if daily else None,
        per_bet_sharpe=_ratio(fmean(returns), stdev(returns)) if len(returns) > 1 else None,
        log_growth_per_bet=math.log(grown) / len(done) if done and grown is not None else None,
    )


def bets(rows: Sequence[LedgerRow]) -> tuple[MarketBet, ...]:
    """One bet per market that was settled or closed in full; an amended settlement counts as it stands now."""
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


def hourly(worths: Sequence[AccountValue]) -> tuple[AccountValue, ...]:
    """The last mark of each hour."""
    last: Mapping[datetime, AccountValue] = {
        one.at.astimezone(UTC).replace(minute=0, second=0, microsecond=0): one for one in worths
    }
    return tuple(last.values())


def drawdown(worths: Sequence[AccountValue], deposit: Decimal) -> tuple[float | None, float | None]:
    """(largest fall as a share of its peak, hours of the longest time below a peak); the deposit is the first peak."""
    if not worths:
        return None, None
    peak, fall, longest = AccountValue(worths[0].at, deposit, deposit), 0.0, 0.0
    for one in worths:
        if one.equity >= peak.equity:
            peak = one
            continue
        fall = max(fall, float((peak.equity - one.equity) / peak.equity))
        longest = max(longest, (one.at - peak.at).total_seconds() / 3600)
    return fall, longest


def daily_returns(worths: Sequence[AccountValue]) -> list[float]:
    """Change of equity from the last mark of each UTC day to the next day's."""
    last = {one.at.astimezone(UTC).date(): one.equity for one in worths}
    return [float(after / before) - 1 for before, after in pairwise(last.values()) if before > ZERO]


def _annual(daily: Sequence[float], deviations: Sequence[float], degrees: int) -> float | None:
    if len(daily) < LEAST_RETURNS:
        return None
    spread = math.sqrt(math.fsum(one * one for one in deviations) / degrees)
    growth = _ratio(fmean(daily), spread)
    return None if growth is None else growth * math.sqrt(DAYS_A_YEAR)


def _ratio(top: float, bottom: float) -> float | None:
    return top / bottom if bottom > 0 else None
