"""Orders of the account that wait in the exchange's book."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coliseum.trading.trades import BookSide, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingOrder:
    """One resting order. Prices are dollars per contract, counts contracts."""

    order_id: str
    client_order_id: str | None
    ticker: str
    book_side: BookSide
    outcome: Outcome
    """The contract that a fill makes the holder longer in: a sale of YES rests as a purchase of NO."""
    yes_price: Decimal
    no_price: Decimal
    remaining: Decimal
    filled: Decimal
    initial: Decimal
    created_at: datetime | None
    updated_at: datetime | None
    expires_at: datetime | None

    @property
    def price(self) -> Decimal:
        """Of `outcome`."""
        return self.yes_price if self.outcome is Outcome.YES else self.no_price

    @property
    def cost(self) -> Decimal:
        """Dollars that the rest costs where all of it opens a position, without fees."""
        return self.remaining * self.price
