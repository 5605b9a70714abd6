"""What to do in one market. Both strategies are simple on purpose: they make trades worth watching, not money.

- Mean reversion: the middle of the quotes against its own moving average. Below it by more than `entry`, buy YES;
  above it, buy NO. Sell once the price has come back, or after `patience_seconds`.
- Spread: where the quotes lie apart, bid one step better than the best bid, or offer what is held one step better than
  the best ask, and wait to be hit.
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
    """Numbers both strategies go by."""

    entry: Decimal = Decimal("0.004")
    """Dollars between middle and average at which mean reversion enters."""
    widest: Decimal = Decimal("0.06")
    """A spread at which taking is too dear."""
    narrowest: Decimal = Decimal("0.02")
    """A spread below which quoting inside it is not worth while."""
    cheapest: Decimal = Decimal("0.04")
    """Outcomes below this price, or above one dollar minus it, are as good as decided."""
    count: Decimal = Decimal(8)
    patience_seconds: float = 35.0
    last_seconds: float = 20.0
    """No new position so shortly before the close."""


def mean_reversion(
    quote: Quote,
    *,
    average: Decimal | None,
    holding: BotPosition | None,
    held_seconds: float,
    now: float,
    rules: StrategyParameters,
) -> Decision:
    """Take the price that strayed, or leave the position that has done its work."""
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
    """Offer a better price than the book's own and wait."""
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
        return Idle("nobody is on the other side")
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
