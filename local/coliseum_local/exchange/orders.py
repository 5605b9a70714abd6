"""Types of the matching engine. Prices are dollars per YES contract, counts contracts, times unix seconds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import BookSide, Outcome


class TimeInForce(StrEnum):
    GOOD_TILL_CANCELED = "good_till_canceled"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"
    FILL_OR_KILL = "fill_or_kill"


class SelfTradePrevention(StrEnum):
    """Which order is canceled when an order meets one of the same account: the incoming or the resting one."""

    TAKER_AT_CROSS = "taker_at_cross"
    MAKER = "maker"


class OrderStatus(StrEnum):
    RESTING = "resting"
    CANCELED = "canceled"
    EXECUTED = "executed"


class Action(StrEnum):
    """Kalshi's deprecated `action`: sell where the whole order closes a position, buy otherwise."""

    BUY = "buy"
    SELL = "sell"


OPPOSITE = {BookSide.BID: BookSide.ASK, BookSide.ASK: BookSide.BID}
BOUGHT_OUTCOME = {BookSide.BID: Outcome.YES, BookSide.ASK: Outcome.NO}
"""The contract that an order of a side adds to the position."""


@dataclass(slots=True, kw_only=True)
class SandboxOrder:
    """One order. The book changes `remaining`, `status` and the sums; everything else stays as it was placed."""

    order_id: str
    account_id: str
    ticker: str
    side: BookSide
    price: Decimal
    initial: Decimal
    remaining: Decimal
    time_in_force: TimeInForce
    self_trade_prevention: SelfTradePrevention
    action: Action
    created: float
    updated: float
    client_order_id: str = ""
    expires: float | None = None
    cancel_on_pause: bool = False
    post_only: bool = False
    reduce_only: bool = False
    status: OrderStatus = OrderStatus.RESTING
    filled: Decimal = ZERO
    taker_cost: Decimal = ZERO
    maker_cost: Decimal = ZERO
    taker_fees: Decimal = ZERO
    maker_fees: Decimal = ZERO
    fee_accumulator: Decimal = ZERO

    @property
    def leg_price(self) -> Decimal:
        """Dollars that one contract of the outcome this order buys may cost at most."""
        return self.price if self.side is BookSide.BID else ONE - self.price

    @property
    def sign(self) -> int:
        """+1 where a fill adds YES, −1 where it adds NO."""
        return 1 if self.side is BookSide.BID else -1


@dataclass(frozen=True, slots=True)
class OrderMatch:
    """Two orders traded `count` contracts at the resting order's price."""

    maker: SandboxOrder
    taker: SandboxOrder
    price: Decimal
    count: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFill:
    """One account's half of a trade."""

    fill_id: str
    order_id: str
    account_id: str
    ticker: str
    side: BookSide
    action: Action
    count: Decimal
    price: Decimal
    """Dollars per YES contract."""
    fee: Decimal
    is_taker: bool
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicTrade:
    """A trade as everybody sees it, without its accounts."""

    trade_id: str
    ticker: str
    price: Decimal
    count: Decimal
    taker_side: BookSide
    time: float


class OrderRejected(Exception):
    """An order that the exchange does not take: Kalshi's error code, the HTTP status and, for some codes, details."""

    def __init__(self, code: str, *, status: int = 400, details: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.details = details
