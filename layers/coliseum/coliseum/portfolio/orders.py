"""Resting orders and the collateral that they bind. Pure.

The exchange does not say what an order binds. A contract that opens a position binds its price; one that closes an open
position binds nothing. A position can be closed only once: where several orders would close it, the oldest ones do.
Fees that a fill would cost are not part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from coliseum.trading.money import ZERO
from coliseum.trading.orders import RestingOrder
from coliseum.trading.trades import Outcome


@dataclass(frozen=True, slots=True)
class BoundOrder:
    """A resting order with what it binds."""

    order: RestingOrder
    closing: Decimal
    """Contracts that would close an open position of the opposite outcome."""

    @property
    def collateral(self) -> Decimal:
        """Dollars."""
        return (self.order.remaining - self.closing) * self.order.price


def age_order(order: RestingOrder) -> tuple[float, str]:
    """Sort key, oldest first. One without a time counts as the newest: it may close nothing that another one closes."""
    return (float("inf") if order.created_at is None else order.created_at.timestamp()), order.order_id


def bind_orders(orders: Iterable[RestingOrder], positions: Mapping[str, Decimal]) -> tuple[BoundOrder, ...]:
    """The orders, newest first, each with what it binds. `positions` are signed contracts by ticker, YES above 0."""
    closable: dict[tuple[str, Outcome], Decimal] = {}
    bound: list[BoundOrder] = []
    for order in sorted(orders, key=age_order):
        held = positions.get(order.ticker, ZERO)
        opposite = -held if order.outcome is Outcome.YES else held
        key = (order.ticker, order.outcome)
        free = closable.get(key, max(ZERO, opposite))
        closing = min(free, order.remaining)
        closable[key] = free - closing
        bound.append(BoundOrder(order, closing))
    return tuple(reversed(bound))
