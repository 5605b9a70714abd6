"""Simulated traders: market makers, informed traders and noise traders. They decide what to order; the venue executes.

A maker sees the true odds with an error that drifts slowly, shifts its quotes against its inventory, and quotes three
levels a side. An informed trader takes a price that is wrong by more than its cost; a noise trader takes a random side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from coliseum.trading.markets import Level
from coliseum.trading.trades import BookSide
from coliseum_local.exchange.ticks import nearest, step_at

MAKERS = ("maker-amber", "maker-basalt", "maker-cedar")
VISITORS = ("crowd-1", "crowd-2", "crowd-3", "crowd-4")
VIEW_ERROR = 0.018
"""Standard deviation of a maker's error about the odds where they are even; it shrinks towards 0 and 1."""
INFORMED_EDGE = 0.025
"""Dollars by which a price must be wrong before an informed trader takes it."""
FULL_INVENTORY = 3000.0
"""Contracts at which a maker shifts its quotes by half of its usual spread."""


@dataclass(frozen=True, slots=True)
class SimulatedOrder:
    """An order that a simulated trader wants to place. The price is in dollars per YES contract."""

    account_id: str
    side: BookSide
    price: Decimal
    count: Decimal


@dataclass(slots=True)
class MarketMaker:
    """One market maker's state in one market."""

    account_id: str
    half_spread: float
    """Half of its usual spread, in dollars."""
    activity: float = 1.0
    """Scales the size of its quotes: visitors' orders are larger where this is larger."""
    error: float = 0.0
    """Its present error about the odds."""
    order_ids: list[str] = field(default_factory=list)

    def quotes(self, *, odds: float, inventory: float, structure: str, rng: Random) -> list[SimulatedOrder]:
        """Bids and asks around its view of the odds. `inventory` is its signed position in the market."""
        # An AR(1) process: 0.44 is about sqrt(1 - 0.9²), which keeps its standard deviation at VIEW_ERROR.
        self.error = 0.9 * self.error + rng.gauss(0.0, VIEW_ERROR * 0.44)
        uncertainty = 4 * odds * (1 - odds)  # 1 at even odds, 0 where the outcome is certain
        shift = -self.half_spread * max(-1.5, min(1.5, inventory / (FULL_INVENTORY * self.activity)))
        view = min(0.999, max(0.001, odds + self.error * math.sqrt(uncertainty) + shift))
        half = self.half_spread * (0.3 + 0.7 * math.sqrt(uncertainty))
        intents = []
        for level in range(3):
            distance = half * (1 + 0.9 * level)
            for side, price in ((BookSide.BID, view - distance), (BookSide.ASK, view + distance)):
                if 0.002 < price < 0.998:
                    count = Decimal(f"{self.activity * rng.lognormvariate(3.4 + 0.4 * level, 0.6):.2f}")
                    intents.append(SimulatedOrder(self.account_id, side, nearest(structure, price), count))
        return intents


def rest_behind(intent: SimulatedOrder, *, best: Level | None, structure: str) -> SimulatedOrder | None:
    """The quote, moved so far from the opposite side's best price that it rests; None where no price is left."""
    if best is None:
        return intent
    step = step_at(structure, best.price)
    if intent.side is BookSide.BID:
        price = min(intent.price, best.price - step)
    else:
        price = max(intent.price, best.price + step)
    if not 0 < price < 1:
        return None
    return SimulatedOrder(intent.account_id, intent.side, nearest(structure, float(price)), intent.count)


def visitor_order(
    *, odds: float, bid: Level | None, ask: Level | None, activity: float, rng: Random
) -> SimulatedOrder | None:
    """One visitor's order: it takes a wrong price if there is one, otherwise a random side; None on an empty side."""
    account = rng.choice(VISITORS)
    count = Decimal(f"{activity * min(rng.lognormvariate(2.2, 1.0), 400.0):.2f}")
    if rng.random() < 0.5:
        count = count.to_integral_value() + 1
    if ask is not None and odds - float(ask.price) > INFORMED_EDGE:
        return SimulatedOrder(account, BookSide.BID, ask.price, max(count, Decimal(5)))
    if bid is not None and float(bid.price) - odds > INFORMED_EDGE:
        return SimulatedOrder(account, BookSide.ASK, bid.price, max(count, Decimal(5)))
    side = BookSide.BID if rng.random() < 0.5 else BookSide.ASK
    level = ask if side is BookSide.BID else bid
    return None if level is None else SimulatedOrder(account, side, level.price, max(count, Decimal("0.01")))
