"""Limits on what strategies may do. Selling out of a position is always allowed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from coliseum.trading.money import ZERO
from coliseum.trading.trades import Side
from coliseum_local.bot.models import BotPosition, Decision, Idle, OrderIntent


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits in contracts and dollars."""

    contracts_per_market: Decimal = Decimal(50)
    exposure: Decimal = Decimal(1_500)
    """Cost of all positions and of resting orders."""
    daily_loss: Decimal = Decimal(500)
    """Loss since the start of the UTC day at which the bot only closes positions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskState:
    """The account's present state, in dollars. None is not known yet."""

    holdings: dict[str, BotPosition]
    resting_cost: Decimal
    equity: Decimal | None
    day_start_equity: Decimal | None

    @property
    def exposure(self) -> Decimal:
        return total_cost(self.holdings.values()) + self.resting_cost

    @property
    def day_loss(self) -> Decimal:
        if self.equity is None or self.day_start_equity is None:
            return ZERO
        return max(ZERO, self.day_start_equity - self.equity)


def total_cost(holdings: Iterable[BotPosition]) -> Decimal:
    return sum((holding.cost for holding in holdings), ZERO)


def check(decision: Decision, *, standing: RiskState, limits: Limits) -> Decision:
    """The decision where the limits allow it, otherwise an `Idle` with the limit that does not."""
    if isinstance(decision, Idle) or decision.side is Side.SELL:
        return decision
    return _buy(decision, standing=standing, limits=limits)


def _buy(intent: OrderIntent, *, standing: RiskState, limits: Limits) -> Decision:
    if standing.day_loss >= limits.daily_loss:
        return Idle(f"the day's loss of {standing.day_loss:.2f} reached its limit of {limits.daily_loss}")
    holding = standing.holdings.get(intent.ticker)
    held = abs(holding.contracts) if holding else ZERO
    if held + intent.count > limits.contracts_per_market:
        return Idle(f"more than {limits.contracts_per_market} contracts in one market")
    if standing.exposure + intent.cost > limits.exposure:
        return Idle(f"exposure would pass its limit of {limits.exposure}")
    return intent
