"""The delivery machine's truth: a bot that remembers all it ever did, and a reader that accounts for everything."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from coliseum.bot.parse import BotHealth, BotStatus, BotTrades, health_from, status_from, trades_from
from coliseum.feed.contiguity import Ahead, Continue, Gap, Reset, follow
from coliseum.feed.entries import START, Entry, EntryId
from coliseum.feed.service import Feed

LIST = 100
TICKERS = ("ALPHA", "BETA")
NEVER = "NEVER"
"""A ticker that no trade has."""


@dataclass
class TruthfulBot:
    """Behaves as the bot of the contract does, and keeps what the contract's bot forgets.

    Answers go through the real parser. Ids begin again at 1 with each run.
    """

    time: float = 1_700_000_000.0
    run: int = 1
    count: int = 0
    truth: list[dict[str, Any]] = field(default_factory=list)
    window: list[int] = field(default_factory=list)
    """Indexes into `truth`, oldest first: the list as the bot still has it."""
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
        """Report another price for a trade still in the list."""
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
        told = {"status": "alive", "trade_count": self.count, "started_at": f"2026-11-21T00:00:00.{self.run:06d}Z"}
        return health_from(json.dumps(told).encode())

    def status(self) -> BotStatus:
        return status_from(b'{"mode": "paper", "strategy": "truth"}')

    def trades(self) -> BotTrades:
        return trades_from(json.dumps([self.truth[index] for index in reversed(self.window)]).encode())


class Unaccounted(AssertionError):
    """A reader was told something that does not add up."""


@dataclass(frozen=True)
class Account:
    """What a client knows when it holds an event id: everything up to there is delivered, filtered out or lost."""

    epoch: str | None = None
    cursor: EntryId = START
    delivered: int = 0
    skipped: int = 0
    lost: int = 0

    def check(self) -> None:
        if self.delivered + self.skipped + self.lost != self.cursor.seq:
            raise Unaccounted(f"{self} does not add up to its cursor")


@dataclass
class Reader:
    """One client and the server's session for it; a cut loses the session, the client resumes from its last id."""

    feed: Feed
    ticker: str | None
    """None takes everything."""
    client: Account = field(default_factory=Account)
    session: Account = field(default_factory=Account)
    received: list[tuple[str, EntryId]] = field(default_factory=list)
    resets: int = 0
    gaps: int = 0

    def pump(self, frames: int) -> bool:
        """Read up to `frames` times; whether the session has seen the log's end."""
        return any(self._read() for _ in range(frames))

    def heartbeat(self) -> None:
        """Tells the client the scan position, as an event with an id and without data of the log."""
        self.client = self.session

    def cut(self) -> None:
        self.session = self.client

    def _read(self) -> bool:
        reading = self.feed.read(self.session.cursor, count=37).reading
        decision = follow(self.session.cursor, self.session.epoch, reading)
        match decision:
            case Reset() | Ahead():
                if reading.epoch is None:
                    return True
                self.resets += 1
                self.session = self.client = Account(epoch=reading.epoch)
            case Gap(lost, _, to):
                self.gaps += 1
                before = self.session
                self.session = replace(before, epoch=reading.epoch, cursor=to, lost=before.lost + lost)
            case Continue(entries):
                self.session = replace(self.session, epoch=reading.epoch)
                for entry in entries:
                    self._scan(entry)
                return not entries
        return False

    def _scan(self, entry: Entry) -> None:
        before = self.session
        if self.ticker is None or entry.ticker in {None, self.ticker}:
            assert before.epoch is not None
            self.received.append((before.epoch, entry.id))
            self.session = replace(before, cursor=entry.id, delivered=before.delivered + 1)
            self.client = self.session
        else:
            self.session = replace(before, cursor=entry.id, skipped=before.skipped + 1)
        self.session.check()
