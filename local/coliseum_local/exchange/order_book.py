"""The limit order book of one market and its matching engine, by price-time priority.

One book in YES prices holds both outcomes: a bid buys YES, an ask buys NO at one dollar minus its price. Invariants:

- The best bid is below the best ask.
- An incoming order trades at the resting order's price.
- Two orders of one account never trade with each other.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from coliseum.trading.markets import Level
from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import BookSide
from coliseum_local.exchange.orders import (
    OPPOSITE,
    OrderMatch,
    OrderRejected,
    OrderStatus,
    SandboxOrder,
    SelfTradePrevention,
    TimeInForce,
)


@dataclass(slots=True)
class Placement:
    """What an incoming order did to the book."""

    matches: list[OrderMatch] = field(default_factory=list)
    self_trades_prevented: list[SandboxOrder] = field(default_factory=list)
    """Resting orders of the same account that were canceled, so that it does not trade with itself."""


class LimitOrderBook:
    """Resting orders of one market.

    `_levels` holds the orders of each price in the order of their arrival, `_prices` the same prices sorted upwards.
    """

    def __init__(self) -> None:
        self._levels: dict[BookSide, dict[Decimal, list[SandboxOrder]]] = {BookSide.BID: {}, BookSide.ASK: {}}
        self._prices: dict[BookSide, list[Decimal]] = {BookSide.BID: [], BookSide.ASK: []}
        self.orders: dict[str, SandboxOrder] = {}

    @property
    def best_bid(self) -> Level | None:
        return next(self.levels(BookSide.BID), None)

    @property
    def best_ask(self) -> Level | None:
        return next(self.levels(BookSide.ASK), None)

    def levels(self, side: BookSide) -> Iterator[Level]:
        """Displayed size per YES price, best first."""
        for price in self._best_first(side):
            yield Level(price, sum((order.remaining for order in self._levels[side][price]), ZERO))

    def leg(self, side: BookSide) -> list[Level]:
        """One outcome's bids in that outcome's own prices, best **last**: Kalshi sends them in this order."""
        return [
            Level(level.price if side is BookSide.BID else ONE - level.price, level.count)
            for level in reversed(list(self.levels(side)))
        ]

    def queue(self, side: BookSide) -> Iterator[SandboxOrder]:
        """Resting orders in the order in which they will trade."""
        # Copies, because matching removes orders while the caller walks the queue.
        for price in list(self._best_first(side)):
            yield from list(self._levels[side].get(price, ()))

    def place(self, order: SandboxOrder) -> Placement:
        """Match an incoming order; what remains of it rests in the book or is canceled, by its time in force.

        Raises OrderRejected before anything changed: post-only orders that would trade, fill-or-kill orders that
        would not fill completely.
        """
        best = next(self.queue(OPPOSITE[order.side]), None)
        if order.post_only and best is not None and self._crosses(order, best):
            raise OrderRejected("invalid_order", details="post only cross")
        if order.time_in_force is TimeInForce.FILL_OR_KILL and self._available(order) < order.remaining:
            raise OrderRejected("fill_or_kill_insufficient_resting_volume", status=409)
        placement = self._match(order)
        if order.status is OrderStatus.RESTING:
            if not order.remaining:
                order.status = OrderStatus.EXECUTED
            elif order.time_in_force is TimeInForce.GOOD_TILL_CANCELED:
                self.rest(order)
            else:
                order.status = OrderStatus.CANCELED
                order.remaining = ZERO
        return placement

    def rest(self, order: SandboxOrder) -> None:
        """Put an order into the book behind the others at its price, without matching."""
        queue = self._levels[order.side].setdefault(order.price, [])
        if not queue:
            insort(self._prices[order.side], order.price)
        queue.append(order)
        self.orders[order.order_id] = order

    def cancel(self, order: SandboxOrder) -> Decimal:
        """Remove a resting order; returns the contracts that were still open."""
        self._remove(order)
        open_count, order.remaining = order.remaining, ZERO
        order.status = OrderStatus.CANCELED
        return open_count

    def _match(self, order: SandboxOrder) -> Placement:
        placement = Placement()
        for resting in self.queue(OPPOSITE[order.side]):
            if not order.remaining or not self._crosses(order, resting):
                break
            if resting.account_id == order.account_id:
                if order.self_trade_prevention is SelfTradePrevention.TAKER_AT_CROSS:
                    order.remaining, order.status = ZERO, OrderStatus.CANCELED
                    break
                self.cancel(resting)
                placement.self_trades_prevented.append(resting)
                continue
            count = min(order.remaining, resting.remaining)
            order.remaining -= count
            resting.remaining -= count
            if not resting.remaining:
                self._remove(resting)
                resting.status = OrderStatus.EXECUTED
            placement.matches.append(OrderMatch(resting, order, resting.price, count))
        return placement

    def _available(self, order: SandboxOrder) -> Decimal:
        """Contracts that `order` could trade now, without orders of its own account."""
        total = ZERO
        for resting in self.queue(OPPOSITE[order.side]):
            if not self._crosses(order, resting):
                break
            if resting.account_id != order.account_id:
                total += resting.remaining
            elif order.self_trade_prevention is SelfTradePrevention.TAKER_AT_CROSS:
                break
        return total

    @staticmethod
    def _crosses(order: SandboxOrder, resting: SandboxOrder) -> bool:
        if order.side is BookSide.BID:
            return resting.price <= order.price
        return resting.price >= order.price

    def _best_first(self, side: BookSide) -> Iterator[Decimal]:
        prices = self._prices[side]
        return reversed(prices) if side is BookSide.BID else iter(prices)

    def _remove(self, order: SandboxOrder) -> None:
        queue = self._levels[order.side][order.price]
        queue.remove(order)
        del self.orders[order.order_id]
        if not queue:
            del self._levels[order.side][order.price]
            self._prices[order.side].remove(order.price)
