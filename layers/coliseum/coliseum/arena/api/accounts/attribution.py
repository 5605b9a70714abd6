"""Where paper profit comes from: edge, sizing, spread, depth, fees, luck. Exact, and the parts add up. Pure.

An order of n contracts at a mean price f, on a side whose frozen mid was q and best ask a, on a forecast p of that
side, with a market that paid v dollars per contract and a fee: its profit n(v - f) - fee is

    n(p - q)  promise       what the forecast said the mid was missing
  + n(q - a)  spread        from the mid to the best ask
  + n(a - f)  depth         from the best ask to the price really paid
  + n(v - p)  luck          the outcome against the agent's own forecast
  - fee

The promise is split: at equal stakes it would have been mean(s) x sum((p - q) / f), with stakes s = n f; the rest is
sizing. Luck is 0 in the long run for whoever is calibrated. Buying the other side of a position closes it; both
orders are held against the outcome, which gives the same sum as the sale.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import Outcome

STEP = Decimal("0.000001")
"""Precision of the split between edge and sizing; everything else is exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributedOrder:
    """A paper order with what it was decided on. Probabilities and prices are of YES, `value` per YES contract."""

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
    """None while the market has no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """Dollars; everything from `edge` to `luck` adds up to `net`."""

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
    """An order on the side that was bought."""

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
    """The parts of the profit of one account's settled orders."""
    orders = tuple(orders)
    decided = [order for order in orders if order.value is not None]
    settled = [found for found in map(_on_its_side, decided) if found is not None]
    waiting, unexplained = len(orders) - len(decided), len(decided) - len(settled)
    if not settled:
        return Waterfall(waiting=waiting, unexplained=unexplained)
    promise = sum((one.promise for one in settled), ZERO)
    staked = sum((one.cost for one in settled), ZERO)
    rates = sum((one.promise / one.cost for one in settled), ZERO)
    edge = (staked / len(settled) * rates).quantize(STEP, ROUND_HALF_EVEN)
    return Waterfall(
        orders=len(settled),
        staked=staked,
        edge=edge,
        sizing=promise - edge,
        spread=sum((one.contracts * (one.mid - one.ask) for one in settled), ZERO),
        depth=sum((one.contracts * one.ask - one.cost for one in settled), ZERO),
        fees=-sum((one.fee for one in settled), ZERO),
        luck=sum((one.contracts * (one.value - one.forecast) for one in settled), ZERO),
        net=sum((one.contracts * one.value - one.cost - one.fee for one in settled), ZERO),
        waiting=waiting,
        unexplained=unexplained,
    )


def _on_its_side(order: AttributedOrder) -> _SettledOrder | None:
    """None where mid, quote or forecast are missing: nothing is imputed."""
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
