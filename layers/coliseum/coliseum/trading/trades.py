"""Trades of the bot and fills of the exchange, and when two reports describe the same trade."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from coliseum.trading.money import decimal_text


class Side(StrEnum):
    """What the bot did with the contracts of `Trade.outcome`."""

    BUY = "BUY"
    SELL = "SELL"


class Outcome(StrEnum):
    """The side of a binary market that a contract pays on."""

    YES = "yes"
    NO = "no"

    @property
    def opposite(self) -> Outcome:
        return Outcome.NO if self is Outcome.YES else Outcome.YES


class BookSide(StrEnum):
    """Direction on the YES book: a bid makes the holder longer YES, an ask longer NO."""

    BID = "bid"
    ASK = "ask"


class TradeSource(StrEnum):
    """The source that reported a trade."""

    BOT_LIVE = "bot_live"
    KALSHI = "kalshi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One execution, as the stream and the REST answers show it."""

    trade_id: str
    ticker: str
    side: Side
    outcome: Outcome | None
    """None where the bot does not say which contract it traded."""
    quantity: Decimal
    """Contracts, above 0."""
    price: Decimal
    """Dollars per contract of `outcome`, 0 to 1."""
    timestamp: float
    """Execution time, unix seconds."""
    fee: Decimal | None = None
    """Dollars; None is unknown, not zero."""
    order_id: str | None = None
    source: TradeSource = TradeSource.BOT_LIVE
    backfilled: bool = False
    """Supplied later by the exchange, because the bot's list no longer held it."""
    clock_ahead_seconds: float | None = None
    """By how much `timestamp` was ahead of our clock when the trade was read; None where it was not."""
    strategy: str | None = None
    """What the bot calls the strategy that made it; None where it names none."""

    def digest(self) -> str:
        """Equal for two reports of one execution with the same facts; different once any fact changed. 16 hex digits.

        `source`, `backfilled`, `clock_ahead_seconds` and `strategy` describe the report and not the trade, so they do
        not count.
        """
        parts = (
            self.trade_id,
            self.ticker,
            self.side,
            self.outcome or "",
            decimal_text(self.quantity),
            decimal_text(self.price),
            repr(self.timestamp),
            "" if self.fee is None else decimal_text(self.fee),
            self.order_id or "",
        )
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One fill of the account on the exchange. `book_side` gives its direction."""

    fill_id: str
    order_id: str
    ticker: str
    book_side: BookSide
    outcome: Outcome
    """The exchange's `outcome_side`: the contract this fill makes the holder longer in."""
    sold: bool
    """True where the order was a sale of the opposite outcome (wire `action` = sell)."""
    count: Decimal
    yes_price: Decimal
    no_price: Decimal
    fee: Decimal
    is_taker: bool
    timestamp: float
    subaccount: int = 0
    """The exchange's number; 0 is the primary account."""

    @property
    def key(self) -> tuple[str, str]:
        """Its identity. Where an account traded with itself, both halves have one `fill_id` and two orders."""
        return self.fill_id, self.order_id

    @property
    def yes_delta(self) -> Decimal:
        """Signed change of the net YES position."""
        return self.count if self.book_side is BookSide.BID else -self.count

    def as_trade(self, *, backfilled: bool = False) -> Trade:
        """The fill as a trade: a BUY of `outcome`, or a SELL of the opposite outcome at that outcome's price.

        A sale of YES makes the holder longer in NO, so a sold fill names the opposite of the contract that was sold.
        """
        outcome = self.outcome.opposite if self.sold else self.outcome
        return Trade(
            trade_id=self.fill_id,
            ticker=self.ticker,
            side=Side.SELL if self.sold else Side.BUY,
            outcome=outcome,
            quantity=self.count,
            price=self.yes_price if outcome is Outcome.YES else self.no_price,
            timestamp=self.timestamp,
            fee=self.fee,
            order_id=self.order_id,
            source=TradeSource.KALSHI,
            backfilled=backfilled,
        )
