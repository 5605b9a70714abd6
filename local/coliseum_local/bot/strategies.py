"""What to do in one market. Both strategies are simple on purpose: they shall make trades to watch, not money.

- Mean reversion: compare the mid price with its own moving average. Where it is lower by more than `entry`, buy YES;
  where it is higher, buy NO. Sell once the price is back at the average, or after `patience_seconds`.
- Spread: where bid and ask lie far apart, bid one step above the best bid, or offer the position one step below the
  best ask, and wait for a trade.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import Outcome, Side
from coliseum_local.bot.models import BotPosition, Decision, Idle, OrderIntent, Quote

MEAN_REVERSION, SPREAD = "mean-reversion", "spread"


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyParameters:
    """Parameters of both strategies. Prices in dollars, `count` in contracts."""

    entry: Decimal = Decimal("0.004")
    """Distance of the mid price from its average at which mean reversion buys."""
    widest: Decimal = Decimal("0.06")
    """Above this spread mean reversion does not buy."""
    narrowest: Decimal = Decimal("0.02")
    """Below this spread the spread strategy does not quote."""
    cheapest: Decimal = Decimal("0.04")
    """Below this price, or above one dollar minus it, the outcome is nearly decided and no position is opened."""
    count: Decimal = Decimal(8)
    patience_seconds: float = 35.0
    last_seconds: float = 20.0
    """Seconds before the close in which no position is opened."""


def mean_reversion(
    quote: Quote,
    *,
    average: Decimal | None,
    holding: BotPosition | None,
    held_seconds: float,
    now: float,
    rules: StrategyParameters,
) -> Decision:
    """Buy where the price is far from its average, or sell a position whose price is back or that is old."""
    mid = quote.mid
    if mid is None:
        return Idle("one side of the book is empty")
    if average is None:
        return Idle("no average yet")
    if holding is not None and holding.contracts:
        return _leave(quote, holding, mid=mid, average=average, held_seconds=held_seconds, rules=rules)
    if idle := _not_worth_opening(quote, mid, now, rules):
        return idle
    assert quote.bid is not None
    assert quote.ask is not None
    if quote.ask - quote.bid > rules.widest:
        return Idle("the spread is too wide to take")
    distance = mid - average
    if abs(distance) < rules.entry:
        return Idle("the price is near its average")
    outcome = Outcome.YES if distance < ZERO else Outcome.NO
    where = "below" if distance < ZERO else "above"
    return _take(quote, Side.BUY, outcome, rules.count, f"{abs(distance):.3f} {where} its average")


def spread(quote: Quote, *, holding: BotPosition | None, now: float, rules: StrategyParameters) -> Decision:
    """A resting order at a better price than the best one in the book."""
    mid = quote.mid
    if mid is None:
        return Idle("one side of the book is empty")
    assert quote.bid is not None
    assert quote.ask is not None
    if quote.ask - quote.bid < rules.narrowest:
        return Idle("the spread is too narrow to quote inside")
    if holding is not None and holding.contracts:
        outcome, side, count = holding.outcome, Side.SELL, abs(holding.contracts)
    else:
        if idle := _not_worth_opening(quote, mid, now, rules):
            return idle
        outcome, side, count = (Outcome.YES if mid < Decimal("0.5") else Outcome.NO), Side.BUY, rules.count
    yes_bids = (outcome is Outcome.YES) is (side is Side.BUY)
    yes_price = quote.bid + quote.step if yes_bids else quote.ask - quote.step
    if not quote.bid < yes_price < quote.ask:
        return Idle("no price fits inside the spread")
    return OrderIntent(
        strategy=SPREAD,
        ticker=quote.ticker,
        side=side,
        outcome=outcome,
        count=count,
        price=yes_price if outcome is Outcome.YES else ONE - yes_price,
        rests=True,
        why=f"the spread is {quote.ask - quote.bid:.3f}",
    )


def _leave(
    quote: Quote,
    holding: BotPosition,
    *,
    mid: Decimal,
    average: Decimal,
    held_seconds: float,
    rules: StrategyParameters,
) -> Decision:
    back = mid >= average if holding.outcome is Outcome.YES else mid <= average
    if back and held_seconds >= 2.0:
        return _take(quote, Side.SELL, holding.outcome, abs(holding.contracts), "the price came back to its average")
    if held_seconds >= rules.patience_seconds:
        return _take(quote, Side.SELL, holding.outcome, abs(holding.contracts), "held long enough")
    return Idle("holding, and the price is not back yet")


def _not_worth_opening(quote: Quote, mid: Decimal, now: float, rules: StrategyParameters) -> Idle | None:
    if quote.close_time - now < rules.last_seconds:
        return Idle("it closes too soon")
    if not rules.cheapest <= mid <= ONE - rules.cheapest:
        return Idle("it is as good as decided")
    return None


def _take(quote: Quote, side: Side, outcome: Outcome, count: Decimal, why: str) -> Decision:
    best = quote.best(outcome, side)
    if best is None:
        return Idle("the other side of the book is empty")
    price, size = best
    return OrderIntent(
        strategy=MEAN_REVERSION,
        ticker=quote.ticker,
        side=side,
        outcome=outcome,
        count=min(count, size),
        price=price,
        rests=False,
        why=why,
    )
