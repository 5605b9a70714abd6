"""A bot that remembers every trade it ever made, so that the tests know what should have been delivered."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from coliseum.bot.parse import BotHealth, BotStatus, BotTrades, health_from, status_from, trades_from

LIST = 100
TICKERS = ("ALPHA", "BETA")


@dataclass
class TruthfulBot:
    """Behaves as the bot of the contract, and keeps in `truth` what that bot forgets.

    Its answers go through the real parser. Trade ids start at 1 in each run.
    """

    time: float = 1_700_000_000.0
    run: int = 1
    count: int = 0
    truth: list[dict[str, Any]] = field(default_factory=list)
    window: list[int] = field(default_factory=list)
    """Indexes into `truth`, oldest first: the trades that the bot still lists."""
    down: bool = False

    def trade(self, number: int) -> None:
        for step in range(number):
            self.count += 1
            self.time += 0.25 if step % 3 == 0 else 0.0  # several trades at one instant
            row = {
                "trade_id": str(self.count),
                "ticker": TICKERS[self.count % 2],
                "side": "BUY",
                "quantity": 1 + self.count % 7,
                "price": 0.5,
                "timestamp": self.time,
            }
            self.window = [*self.window, len(self.truth)][-LIST:]
            self.truth.append(row)

    def correct(self, position: int) -> None:
        """Report another price for a trade that is still listed."""
        if self.window:
            row = self.truth[self.window[position % len(self.window)]]
            row["price"] = round(0.01 + row["price"] % 0.97, 2)

    def restart(self, *, keeps_list: bool) -> None:
        self.run += 1
        self.time += 1.0
        if not keeps_list:
            self.count = 0
            self.window = []

    def health(self) -> BotHealth:
        body = {"status": "alive", "trade_count": self.count, "started_at": f"2026-11-21T00:00:00.{self.run:06d}Z"}
        return health_from(json.dumps(body).encode())

    def status(self) -> BotStatus:
        return status_from(b'{"mode": "paper", "strategy": "truth"}')

    def trades(self) -> BotTrades:
        return trades_from(json.dumps([self.truth[index] for index in reversed(self.window)]).encode())
