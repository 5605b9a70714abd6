"""Splits the profit of paper orders into edge, sizing, spread, depth, fees and luck. Pure.

The parts add up to the profit exactly. Take an order of n contracts at the mean price f, with a fee. At the time of
the order its side had the frozen mid q, the best ask a and the forecast p. Its market paid v dollars per contract.
Then the profit n(v - f) - fee is the sum of

    n(p - q)  promise       what the order gains if the forecast is right and it costs the mid
  + n(q - a)  spread        from the mid to the best ask
  + n(a - f)  depth         from the best ask to the price that was paid
  + n(v - p)  luck          the outcome compared with the agent's own forecast
  - fee

The promise is split into edge and sizing. Edge is what it would have been at equal stakes:
mean(s) x sum((p - q) / f), with the stakes s = n f. Sizing is the rest. The luck of a calibrated agent is 0 in the
long run. Buying the other side of a position closes it. Then both orders are compared with the outcome, which gives
the same sum as a sale.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import Outcome

STEP = Decimal("0.000001")
"""Dollars. Edge and sizing are rounded to this step; everything else is exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributedOrder:
    """A paper order, the quote and forecast it was based on, and its result. Prices and probabilities are of YES."""

    side: Outcome
    contracts: Decimal
    cost: Decimal
    """Dollars paid, without the fee."""
    fee: Decimal
    mid: Decimal | None
    yes_bid: Decimal | None
    yes_ask: Decimal | None
    forecast: Decimal | None
    value: Decimal | None
    """Dollars paid per YES contract; None while the market has no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """The parts in dollars: everything from `edge` to `luck` adds up to `net`.

    `waiting` orders have no result yet; `unexplained` ones lack a mid, quote or forecast. Neither is in the parts.
    """

    orders: int = 0
    staked: Decimal = ZERO
    edge: Decimal = ZERO
    sizing: Decimal = ZERO
    spread: Decimal = ZERO
    depth: Decimal = ZERO
    fees: Decimal = ZERO
    luck: Decimal = ZERO
    net: Decimal = ZERO
    waiting: int = 0
    unexplained: int = 0


@dataclass(frozen=True, slots=True)
class _SettledOrder:
    """A settled order; prices and probabilities are of the side that was bought."""

    contracts: Decimal
    cost: Decimal
    fee: Decimal
    mid: Decimal
    ask: Decimal
    forecast: Decimal
    value: Decimal

    @property
    def promise(self) -> Decimal:
        return self.contracts * (self.forecast - self.mid)


def waterfall(orders: Iterable[AttributedOrder]) -> Waterfall:
    """Split the profit of the settled orders of one account."""
    orders = tuple(orders)
    decided = [order for order in orders if order.value is not None]
    settled = [order for order in map(_on_its_side, decided) if order is not None]
    waiting, unexplained = len(orders) - len(decided), len(decided) - len(settled)
    if not settled:
        return Waterfall(waiting=waiting, unexplained=unexplained)
    promise = sum((order.promise for order in settled), ZERO)
    staked = sum((order.cost for order in settled), ZERO)
    rates = sum((order.promise / order.cost for order in settled), ZERO)
    edge = (staked / len(settled) * rates).quantize(STEP, ROUND_HALF_EVEN)
    return Waterfall(
        orders=len(settled),
        staked=staked,
        edge=edge,
        sizing=promise - edge,
        spread=sum((order.contracts * (order.mid - order.ask) for order in settled), ZERO),
        depth=sum((order.contracts * order.ask - order.cost for order in settled), ZERO),
        fees=-sum((order.fee for order in settled), ZERO),
        luck=sum((order.contracts * (order.value - order.forecast) for order in settled), ZERO),
        net=sum((order.contracts * order.value - order.cost - order.fee for order in settled), ZERO),
        waiting=waiting,
        unexplained=unexplained,
    )


def _on_its_side(order: AttributedOrder) -> _SettledOrder | None:
    """The order seen from its own side. None if mid, quote or forecast is missing: values are not guessed."""
    if None in {order.mid, order.yes_bid, order.yes_ask, order.forecast} or order.cost <= ZERO:
        return None
    assert order.mid is not None
    assert order.yes_bid is not None
    assert order.yes_ask is not None
    assert order.forecast is not None
    assert order.value is not None
    yes = order.side is Outcome.YES
    return _SettledOrder(
        contracts=order.contracts,
        cost=order.cost,
        fee=order.fee,
        mid=order.mid if yes else ONE - order.mid,
        ask=order.yes_ask if yes else ONE - order.yes_bid,
        forecast=order.forecast if yes else ONE - order.forecast,
        value=order.value if yes else ONE - order.value,
    )
