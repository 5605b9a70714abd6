"""Orders of the account, as the exchange keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coliseum.trading.trades import BookSide, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order; direction is `book_side`. Counts in contracts, money in dollars."""

    order_id: str
    client_order_id: str | None
    ticker: str
    book_side: BookSide
    outcome: Outcome
    status: str
    """The exchange's word: resting, canceled or executed."""
    yes_price: Decimal
    """The limit, not what was paid."""
    no_price: Decimal
    filled: Decimal
    remaining: Decimal
    initial: Decimal
    fill_cost: Decimal
    fees: Decimal
    created_at: datetime | None
    updated_at: datetime | None
