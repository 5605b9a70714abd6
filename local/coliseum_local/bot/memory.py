"""What the bot remembers while it runs, and forgets when it stops: averages, its orders, its newest trades."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from coliseum.trading.money import ZERO
from coliseum.trading.trades import Outcome, Trade
from coliseum_local.bot.models import BotPosition, OrderIntent, Quote
from coliseum_local.bot.parse import FillRow

KEPT_TRADES = 100
AVERAGE_WEIGHT = Decimal("0.08")
"""Weight of the newest middle in the moving average: it forgets half in about nine looks."""
MIN_LOOKS = 3
REMEMBERED = 5_000
"""Orders and fills known by id: many times what one look back at the exchange can show."""
T = TypeVar("T")


@dataclass(slots=True)
class Averages:
    """Exponential moving average of each market's middle."""

    values: dict[str, Decimal] = field(default_factory=dict)
    looks: Counter[str] = field(default_factory=Counter)

    def see(self, quotes: Iterable[Quote]) -> None:
        """Take in one look at the open markets; markets that are gone are forgotten."""
        seen = {quote.ticker: quote.mid for quote in quotes}
        self.values = {ticker: value for ticker, value in self.values.items() if ticker in seen}
        self.looks = Counter({ticker: count for ticker, count in self.looks.items() if ticker in seen})
        for ticker, mid in seen.items():
            if mid is not None:
                before = self.values.get(ticker, mid)
                self.values[ticker] = before + (mid - before) * AVERAGE_WEIGHT
                self.looks[ticker] += 1

    def of(self, ticker: str) -> Decimal | None:
        return self.values.get(ticker) if self.looks[ticker] >= MIN_LOOKS else None


@dataclass(slots=True)
class Blotter:
    """The bot's orders and trades since it started."""

    orders: dict[str, OrderIntent] = field(default_factory=dict)
    """By the exchange's order id: what the bot meant."""
    resting: dict[str, OrderIntent] = field(default_factory=dict)
    unsure: dict[str, OrderIntent] = field(default_factory=dict)
    """By client order id: sent, but no answer came. The exchange may have it."""
    trades: deque[Trade] = field(default_factory=lambda: deque(maxlen=KEPT_TRADES))
    """Newest first."""
    known: dict[str, None] = field(default_factory=dict)
    """Fill ids, in the order in which they were learnt."""
    count: int = 0
    last_trade: dict[str, float] = field(default_factory=dict)
    """By ticker."""

    def note_order(self, order_id: str, intent: OrderIntent) -> None:
        """An order of ours is at the exchange."""
        self.orders[order_id] = intent
        _forget_oldest(self.orders)
        if intent.rests:
            self.resting[order_id] = intent

    def learn(self, fills: Iterable[FillRow]) -> list[Trade]:
        """Note the fills of our own orders that are new, oldest first."""
        fresh = [fill for fill in fills if fill.order_id in self.orders and fill.fill_id not in self.known]
        trades = [trade_from(fill, self.orders[fill.order_id]) for fill in sorted(fresh, key=lambda row: row.time)]
        for trade in trades:
            self.known[trade.trade_id] = None
            self.trades.appendleft(trade)
            self.last_trade[trade.ticker] = trade.timestamp
        self.count += len(trades)
        _forget_oldest(self.known)
        return trades

    @property
    def resting_cost(self) -> Decimal:
        return sum((intent.cost for intent in self.resting.values()), ZERO)


def _forget_oldest(rows: dict[str, T]) -> None:
    while len(rows) > REMEMBERED:
        del rows[next(iter(rows))]


def trade_from(fill: FillRow, intent: OrderIntent) -> Trade:
    """A fill in the words of the stream. What the bot meant says whether it bought or sold, and which outcome."""
    price = fill.yes_price if intent.outcome is Outcome.YES else fill.no_price
    return Trade(
        trade_id=fill.fill_id,
        ticker=fill.ticker,
        side=intent.side,
        outcome=intent.outcome,
        quantity=fill.count,
        price=price,
        timestamp=fill.time,
        fee=fill.fee,
        order_id=fill.order_id,
    )


def trade_body(trade: Trade) -> dict[str, Any]:
    """One row of GET /trades: numbers are JSON numbers."""
    assert trade.outcome is not None
    assert trade.fee is not None
    return {
        "timestamp": trade.timestamp,
        "ticker": trade.ticker,
        "side": trade.side.value,
        "quantity": _json_number(trade.quantity),
        "price": float(trade.price),
        "trade_id": trade.trade_id,
        "outcome": trade.outcome.value,
        "fee": float(trade.fee),
        "order_id": trade.order_id,
    }


def holding_body(holding: BotPosition, mid: Decimal | None) -> dict[str, Any]:
    """One row of `positions` in GET /status; money as decimal strings."""
    return {
        "ticker": holding.ticker,
        "outcome": holding.outcome.value,
        "contracts": f"{abs(holding.contracts):.2f}",
        "average_cost": f"{holding.average:.4f}",
        "exposure": f"{holding.cost:.4f}",
        "realized_pnl": f"{holding.realized:.4f}",
        "fees": f"{holding.fees:.4f}",
        "mid_price": None if mid is None else f"{mid if holding.outcome is Outcome.YES else 1 - mid:.4f}",
    }


def _json_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
