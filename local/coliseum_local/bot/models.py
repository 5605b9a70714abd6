"""Types of the bot. Prices are dollars per contract, counts contracts, times unix seconds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import BookSide, Outcome, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One open market at the last look. Prices are of YES; None is an empty side."""

    ticker: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal
    ask_size: Decimal
    step: Decimal
    """The largest price step of the market, which is valid everywhere on its grid."""
    close_time: float

    @property
    def mid(self) -> Decimal | None:
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2

    def best(self, outcome: Outcome, side: Side) -> tuple[Decimal, Decimal] | None:
        """Price and size at which `outcome` can be bought or sold now; None where that side is empty."""
        takes_ask = (outcome is Outcome.YES) is (side is Side.BUY)
        price, size = (self.ask, self.ask_size) if takes_ask else (self.bid, self.bid_size)
        if price is None:
            return None
        return price if outcome is Outcome.YES else ONE - price, size


@dataclass(frozen=True, slots=True, kw_only=True)
class BotPosition:
    """The account's position in one market, as the exchange reports it."""

    ticker: str
    contracts: Decimal
    """Signed: above 0 YES, below 0 NO."""
    cost: Decimal
    realized: Decimal
    fees: Decimal

    @property
    def outcome(self) -> Outcome:
        return Outcome.YES if self.contracts > ZERO else Outcome.NO

    @property
    def average(self) -> Decimal:
        return self.cost / abs(self.contracts) if self.contracts else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIntent:
    """An order that a strategy wants. The price is of `outcome`."""

    strategy: str
    ticker: str
    side: Side
    outcome: Outcome
    count: Decimal
    price: Decimal
    rests: bool
    """True: it waits in the book as a maker. False: it takes what is there, and the rest is canceled."""
    why: str

    @property
    def book_side(self) -> BookSide:
        return BookSide.BID if (self.outcome is Outcome.YES) is (self.side is Side.BUY) else BookSide.ASK

    @property
    def yes_price(self) -> Decimal:
        return self.price if self.outcome is Outcome.YES else ONE - self.price

    @property
    def cost(self) -> Decimal:
        """Dollars it can add to the exposure."""
        return self.count * self.price if self.side is Side.BUY else ZERO


@dataclass(frozen=True, slots=True)
class Idle:
    """Why a strategy does nothing in a market; the operator sees the reason in /status."""

    reason: str


Decision = OrderIntent | Idle
