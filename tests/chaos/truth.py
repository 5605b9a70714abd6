"""A bot that remembers every trade it ever made, so that the tests know what should have been delivered."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from coliseum.bot.parse import BotHealth, BotStatus, BotTrades, health_from, status_from, trades_from
from coliseum.errors import SourceUnavailable
from coliseum.trading.trades import BookSide, Fill, Outcome

LIST = 100
FILL_LAG_SECONDS = 8.0
"""How long after an execution the exchange lists its fill."""
TICKERS = ("ALPHA", "BETA")


@dataclass
class TruthfulBot:
    """Behaves as the bot of the contract, and keeps in `truth` what that bot forgets.

    Its answers go through the real parser. Trade ids start at 1 in each run, or are those of the exchange.
    """

    time: float = 1_700_000_000.0
    run: int = 1
    count: int = 0
    truth: list[dict[str, Any]] = field(default_factory=list)
    window: list[int] = field(default_factory=list)
    """Indexes into `truth`, oldest first: the trades that the bot still lists."""
    down: bool = False
    exchange_ids: bool = False
    """Trades have the ids of their fills, and no id comes twice."""
    times: list[float] = field(default_factory=list)
    """When each trade of `truth` really happened; its timestamp is by the bot's clock."""
    clock_error: float = 0.0
    """Seconds by which the bot's clock is ahead of the real time; below 0 where it is behind."""
    mode: str = "paper"
    _errors: int = 0

    def set_clock(self, error: float) -> None:
        """Let the bot's clock jump. No two errors are equal, so that no two trades of one id get the same time.

        After a jump back it trades, because only a clock that goes forward shows in which order a first list is.
        """
        went_back = error < self.clock_error
        self._errors += 1
        self.clock_error = error + self._errors * 0.0137
        if went_back:
            self.trade(4)

    def trade(self, number: int) -> None:
        for step in range(number):
            self.count += 1
            self.time += 0.25 if step % 3 == 0 else 0.0  # several trades at one instant
            row = {
                "trade_id": f"fill-{len(self.truth)}" if self.exchange_ids else str(self.count),
                "ticker": TICKERS[self.count % 2],
                "side": "BUY",
                "quantity": 1 + self.count % 7,
                "price": 0.5,
                "timestamp": self.time + self.clock_error,
            }
            self.window = [*self.window, len(self.truth)][-LIST:]
            self.truth.append(row)
            self.times.append(self.time)

    def correct(self, position: int) -> None:
        """Report another price for a trade that is still listed."""
        if self.window:
            row = self.truth[self.window[position % len(self.window)]]
            row["price"] = round(0.01 + row["price"] % 0.97, 2)

    def pushed(self, rows: int) -> bytes:
        """The body of a push: the newest `rows` trades that are listed, with their run and count."""
        window = self.window[-rows:] if rows else []
        body = {
            "trades": [self.truth[index] for index in reversed(window)],
            "started_at": self.started_at,
            "trade_count": self.count,
        }
        return json.dumps(body).encode()

    @property
    def started_at(self) -> str:
        return f"2026-11-21T00:00:00.{self.run:06d}Z"

    def restart(self, *, keeps_list: bool) -> None:
        self.run += 1
        self.time += 1.0
        if not keeps_list:
            self.count = 0
            self.window = []

    def _answer(self) -> None:
        if self.down:
            raise SourceUnavailable("bot", "does not answer")

    def health(self) -> BotHealth:
        self._answer()
        body = {"status": "alive", "trade_count": self.count, "started_at": self.started_at}
        return health_from(json.dumps(body).encode())

    def status(self) -> BotStatus:
        self._answer()
        return status_from(json.dumps({"mode": self.mode, "strategy": "truth"}).encode())

    def trades(self) -> BotTrades:
        self._answer()
        return trades_from(json.dumps([self.truth[index] for index in reversed(self.window)]).encode())


@dataclass
class TruthfulExchange:
    """The account's fills: every trade of the bot, at its real time, a little late."""

    bot: TruthfulBot
    down: bool = False
    requests: int = 0

    def for_seconds(self, seconds: float) -> TruthfulExchange:
        del seconds
        return self

    def all_fills(self, *, since: int) -> tuple[Fill, ...]:
        self.requests += 1
        if self.down:
            raise SourceUnavailable("kalshi", "does not answer")
        visible = [
            index for index, at in enumerate(self.bot.times) if since <= at and at + FILL_LAG_SECONDS <= self.bot.time
        ]
        return tuple(self._fill(index) for index in reversed(visible))

    def _fill(self, index: int) -> Fill:
        row = self.bot.truth[index]
        return Fill(
            fill_id=row["trade_id"],
            order_id=f"order-{index}",
            ticker=row["ticker"],
            book_side=BookSide.BID,
            outcome=Outcome.YES,
            sold=False,
            count=Decimal(row["quantity"]),
            yes_price=Decimal("0.5"),
            no_price=Decimal("0.5"),
            fee=Decimal(0),
            is_taker=True,
            timestamp=self.bot.times[index],
        )
