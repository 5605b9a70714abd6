"""What the bot remembers while it runs: average prices, its orders, its newest trades."""

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
"""Weight of the newest mid price in the moving average. Half of a change is in it after about nine looks."""
MIN_LOOKS = 3
"""A market has an average once it was seen this often."""
REMEMBERED = 5_000
"""Orders and fills that are remembered by id: many times what one answer of the exchange can show."""
T = TypeVar("T")


@dataclass(slots=True)
class Averages:
    """Exponential moving average of each market's mid price."""

    values: dict[str, Decimal] = field(default_factory=dict)
    looks: Counter[str] = field(default_factory=Counter)

    def see(self, quotes: Iterable[Quote]) -> None:
        """Add one look at all open markets; markets that are missing in it are forgotten."""
        mids = {quote.ticker: quote.mid for quote in quotes}
        self.values = {ticker: value for ticker, value in self.values.items() if ticker in mids}
        self.looks = Counter({ticker: count for ticker, count in self.looks.items() if ticker in mids})
        for ticker, mid in mids.items():
            if mid is not None:
                before = self.values.get(ticker, mid)
                self.values[ticker] = before + (mid - before) * AVERAGE_WEIGHT
                self.looks[ticker] += 1

    def of(self, ticker: str) -> Decimal | None:
        """The market's average; None until it was seen `MIN_LOOKS` times."""
        return self.values.get(ticker) if self.looks[ticker] >= MIN_LOOKS else None


@dataclass(slots=True)
class Blotter:
    """The bot's orders and trades since it started."""

    orders: dict[str, OrderIntent] = field(default_factory=dict)
    """What the bot wanted with each order, by the exchange's order id."""
    resting: dict[str, OrderIntent] = field(default_factory=dict)
    unsure: dict[str, OrderIntent] = field(default_factory=dict)
    """Orders that were sent and got no answer, by client order id. The exchange may have them or not."""
    trades: deque[Trade] = field(default_factory=lambda: deque(maxlen=KEPT_TRADES))
    """Newest first."""
    known: dict[str, None] = field(default_factory=dict)
    """Fill ids in the order in which they were learnt; a dict because it keeps this order."""
    count: int = 0
    last_trade: dict[str, float] = field(default_factory=dict)
    """Unix second of the newest trade, by ticker."""

    def note_order(self, order_id: str, intent: OrderIntent) -> None:
        """Remember an order that the exchange took."""
        self.orders[order_id] = intent
        _forget_oldest(self.orders)
        if intent.rests:
            self.resting[order_id] = intent

    def learn(self, fills: Iterable[FillRow]) -> list[Trade]:
        """Add the new fills of the bot's own orders; returns them as trades, oldest first.

        Fills of other orders of the account are left out: their owner is somebody else, or an earlier run.
        """
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
    """A fill as a trade. The intent, not the fill, says whether the bot bought or sold and which outcome.

    Kalshi reports a sale of YES as a fill of NO, and may drop the deprecated field that tells them apart.
    """
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
        strategy=intent.strategy,
    )


def trade_body(trade: Trade) -> dict[str, Any]:
    """A trade as the reporter takes it: numbers are JSON numbers."""
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
        "strategy": trade.strategy,
    }


def holding_body(holding: BotPosition, mid: Decimal | None) -> dict[str, Any]:
    """One row of `positions` in GET /status. Money is decimal text."""
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
