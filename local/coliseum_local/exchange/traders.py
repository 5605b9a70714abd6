"""The other people on the exchange: market makers, informed traders and noise. They decide; the venue acts.

A maker sees the true odds through a fog of its own that drifts slowly, leans against its inventory and quotes a few
levels. Noise takes whichever side it fancies; the informed take a price that is wrong by more than its cost.
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
FOG = 0.018
"""Standard deviation of a maker's error about the odds, before it shrinks towards certainty."""
INFORMED_EDGE = 0.025
FULL_INVENTORY = 3000.0
"""Contracts at which a maker leans a whole spread."""


@dataclass(frozen=True, slots=True)
class SimulatedOrder:
    """An order somebody wants to place. Price is dollars per YES contract."""

    account_id: str
    side: BookSide
    price: Decimal
    count: Decimal


@dataclass(slots=True)
class MarketMaker:
    """One market maker's state in one market."""

    account_id: str
    patience: float
    """Half of its usual spread, in dollars."""
    bustle: float = 1.0
    """Where larger orders come, larger ones wait."""
    error: float = 0.0
    order_ids: list[str] = field(default_factory=list)

    def quotes(self, *, odds: float, inventory: float, structure: str, rng: Random) -> list[SimulatedOrder]:
        """Bids and asks around its view of the odds."""
        self.error = 0.9 * self.error + rng.gauss(0.0, FOG * 0.44)
        sure = 4 * odds * (1 - odds)
        lean = -self.patience * max(-1.5, min(1.5, inventory / (FULL_INVENTORY * self.bustle)))
        view = min(0.999, max(0.001, odds + self.error * math.sqrt(sure) + lean))
        half = self.patience * (0.3 + 0.7 * math.sqrt(sure))
        intents = []
        for level in range(3):
            distance = half * (1 + 0.9 * level)
            for side, price in ((BookSide.BID, view - distance), (BookSide.ASK, view + distance)):
                if 0.002 < price < 0.998:
                    count = Decimal(f"{self.bustle * rng.lognormvariate(3.4 + 0.4 * level, 0.6):.2f}")
                    intents.append(SimulatedOrder(self.account_id, side, nearest(structure, price), count))
        return intents


def rest_behind(intent: SimulatedOrder, *, best: Level | None, structure: str) -> SimulatedOrder | None:
    """The quote moved behind the opposite side's best price, so that it rests; None where no price is left."""
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


def visitor_order(*, odds: float, bid: Level | None, ask: Level | None, bustle: float, rng: Random) -> SimulatedOrder | None:
    """What one visitor of the market does: take the wrong price if there is one, else follow a whim."""
    account = rng.choice(VISITORS)
    count = Decimal(f"{bustle * min(rng.lognormvariate(2.2, 1.0), 400.0):.2f}")
    if rng.random() < 0.5:
        count = count.to_integral_value() + 1
    if ask is not None and odds - float(ask.price) > INFORMED_EDGE:
        return SimulatedOrder(account, BookSide.BID, ask.price, max(count, Decimal(5)))
    if bid is not None and float(bid.price) - odds > INFORMED_EDGE:
        return SimulatedOrder(account, BookSide.ASK, bid.price, max(count, Decimal(5)))
    side = BookSide.BID if rng.random() < 0.5 else BookSide.ASK
    level = ask if side is BookSide.BID else bid
    return None if level is None else SimulatedOrder(account, side, level.price, max(count, Decimal("0.01")))
