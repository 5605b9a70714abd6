"""The bot's loop: read the exchange, decide, place orders, learn its fills; wait longer while the exchange fails."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any
from uuid import uuid4

from coliseum.client import Reporter
from coliseum.errors import SourceError, SourceRateLimited, SourceRefused
from coliseum.trading.trades import Side
from coliseum_local.bot import risk, strategies
from coliseum_local.bot.client import ExchangeClient
from coliseum_local.bot.memory import Averages, Blotter, holding_body, trade_body
from coliseum_local.bot.mode import Mode
from coliseum_local.bot.models import BotPosition, Decision, Idle, OrderIntent, Quote
from coliseum_local.bot.order_journal import OrderJournal

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 1.5
BALANCE_SECONDS = 10.0
OVERLAP_SECONDS = 10.0
"""Fills are asked for again this far back, because the exchange's lists lag behind its matching engine."""
QUOTE_SECONDS = 15.0
"""Resting orders expire after this time."""
MAX_QUOTES = 4
"""Markets with a resting order at the same time."""
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 10.0
DAY = 86_400


@dataclass(slots=True)
class Trader:
    """Trades for one account. `run` never ends by itself; `look` is one pass of it.

    `now` is the exchange's time everywhere. `clock` (monotonic seconds) only decides how often calls are made.
    """

    client: ExchangeClient
    mode: Mode
    pace_seconds: float
    """Average seconds between two orders that take."""
    rules: strategies.StrategyParameters = field(default_factory=strategies.StrategyParameters)
    limits: risk.Limits = field(default_factory=risk.Limits)
    rng: Random = field(default_factory=Random)
    clock: Callable[[], float] = time.monotonic
    reporter: Reporter | None = None
    """Shows trades and status to Coliseum."""
    journal: OrderJournal | None = None
    """Remembers orders over restarts."""
    since: float | None = None
    """The exchange's time from which fills are learnt: the first look, or the last orders of the process before."""
    now: float = 0.0
    """The exchange's time at the newest look."""

    blotter: Blotter = field(default_factory=Blotter)
    averages: Averages = field(default_factory=Averages)
    quotes: dict[str, Quote] = field(default_factory=dict)
    holdings: dict[str, BotPosition] = field(default_factory=dict)
    entered: dict[str, float] = field(default_factory=dict)
    """The exchange's time at which each position was first seen."""
    idle: Counter[str] = field(default_factory=Counter)
    """Reasons of the last look for not trading, with the number of markets."""
    last_error: str | None = None
    last_error_at: float | None = None
    last_look_at: float | None = None
    looks: int = 0
    equity: Decimal | None = None
    day_start_equity: Decimal | None = None
    _day: int = -1
    _next_take: float = 0.0
    _next_balance: float = 0.0

    async def run(self) -> None:
        """Look again and again; after a failure wait longer each time, with jitter."""
        failures = 0
        self._report_status()
        while True:
            try:
                await self.look()
                failures = 0
                self.last_error = None
                self._report_status()
                await asyncio.sleep(min(LOOK_SECONDS, self.pace_seconds))
            except SourceError as error:
                failures += 1
                self._note_error(str(error))
                self._report_status()
                longest = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(failures, 10))
                await asyncio.sleep(self.rng.uniform(longest / 2, longest))
            except Exception as error:
                # Nothing restarts the bot, so no error may end the loop. /status shows it; the next look tries again.
                LOG.exception("a look failed")
                failures += 1
                self._note_error(f"{type(error).__name__}: {error}")
                self._report_status()
                await asyncio.sleep(LONGEST_BACKOFF)

    async def look(self) -> None:
        """One pass. Raises SourceError where the exchange does not answer as expected."""
        self.now = now = await self.client.now()
        if self.since is None:
            await self._cancel_leftovers()
            self.since = self._resume(now)
        await self._resolve_unsure()
        quotes = await self.client.open_markets()
        self.quotes = {quote.ticker: quote for quote in quotes}
        self.averages.see(quotes)
        await self._learn()
        await self._refresh_account(now)
        self.last_look_at = time.time()
        self.looks += 1
        if not await self.client.trading_is_active():
            self.idle = Counter({"trading is paused on the exchange": len(quotes)})
            return
        await self._quote(now)
        await self._take(now)

    async def _take(self, now: float) -> None:
        decisions = {ticker: self._mean_reversion(quote, now) for ticker, quote in self.quotes.items()}
        intents = [decision for decision in decisions.values() if isinstance(decision, OrderIntent)]
        self.idle = Counter(decision.reason for decision in decisions.values() if isinstance(decision, Idle))
        if not self.quotes:
            self.idle["no market is open"] += 1
        if self.clock() < self._next_take or not intents:
            return
        if await self._send(self._choose(intents), expires=None):
            await self._learn()
            await self._refresh_holdings(now)
        self._next_take = self.clock() + self.pace_seconds * self.rng.uniform(0.5, 1.5)

    def _mean_reversion(self, quote: Quote, now: float) -> Decision:
        decision = strategies.mean_reversion(
            quote,
            average=self.averages.of(quote.ticker),
            holding=self.holdings.get(quote.ticker),
            held_seconds=now - self.entered.get(quote.ticker, now),
            now=now,
            rules=self.rules,
        )
        return risk.check(decision, standing=self.standing(), limits=self.limits)

    def _choose(self, intents: list[OrderIntent]) -> OrderIntent:
        """Among four random intents the one whose market was traded longest ago; sales go first.

        This spreads the trades over many markets.
        """
        sales = [intent for intent in intents if intent.side is Side.SELL]
        pool = sales or intents
        sample = self.rng.sample(pool, min(4, len(pool)))
        return min(sample, key=lambda intent: self.blotter.last_trade.get(intent.ticker, 0.0))

    async def _quote(self, now: float) -> None:
        """Keep a few resting orders in the book. The exchange cancels each at its expiry."""
        if self.blotter.resting:
            alive = {order.order_id for order in await self.client.orders(status="resting")}
            self.blotter.resting = {key: intent for key, intent in self.blotter.resting.items() if key in alive}
        busy = {intent.ticker for intent in self.blotter.resting.values()}
        wanted: list[OrderIntent] = []
        for quote in self.quotes.values():
            decision = strategies.spread(quote, holding=self.holdings.get(quote.ticker), now=now, rules=self.rules)
            decision = risk.check(decision, standing=self.standing(), limits=self.limits)
            if isinstance(decision, OrderIntent) and quote.ticker not in busy:
                wanted.append(decision)
        if wanted and len(busy) < MAX_QUOTES:
            await self._send(self.rng.choice(wanted), expires=now + QUOTE_SECONDS)

    async def _send(self, intent: OrderIntent, *, expires: float | None) -> bool:
        """Place one order; False where the exchange refused it.

        The order is noted as unsure first: where the answer is lost, `_resolve_unsure` finds out what became of it.
        """
        client_order_id = str(uuid4())
        self.blotter.unsure[client_order_id] = intent
        if self.journal is not None:
            try:
                self.journal.note(client_order_id, intent, at=self.now)
            except OSError as error:  # without it a kill could cost the report of this order's fills, nothing else
                self._note_error(f"the order could not be noted on disk: {error.strerror}")
        try:
            order_id = await self.client.place(intent, client_order_id=client_order_id, expires=expires)
        except SourceRefused as refusal:
            del self.blotter.unsure[client_order_id]
            LOG.info("the exchange refused an order: %s", refusal)
            self._note_error(str(refusal))
            return False
        del self.blotter.unsure[client_order_id]
        self.blotter.note_order(order_id, intent)
        return True

    def _resume(self, now: float) -> float:
        """Orders of the process before may have been filled after its last look; returns since when."""
        if self.journal is None:
            return now
        since, orders = self.journal.recent()
        self.blotter.unsure |= orders
        return now if since is None else min(now, since)

    async def _resolve_unsure(self) -> None:
        """Look up orders whose answer was lost: the exchange lists them by client order id, or never got them."""
        if not self.blotter.unsure:
            return
        for order in await self.client.orders(since=(self.since or 0.0) - OVERLAP_SECONDS):
            if (intent := self.blotter.unsure.pop(order.client_order_id, None)) is not None:
                self.blotter.note_order(order.order_id, intent)
        self.blotter.unsure.clear()

    async def _learn(self) -> None:
        since = self.blotter.trades[0].timestamp if self.blotter.trades else self.since or 0.0
        for trade in self.blotter.learn(await self.client.fills(since=since - OVERLAP_SECONDS)):
            LOG.info("%s %s %s %s @ %s", trade.side, trade.quantity, trade.ticker, trade.outcome, trade.price)
            if self.reporter is not None:
                self.reporter.trade(**trade_body(trade))

    async def _refresh_account(self, now: float) -> None:
        await self._refresh_holdings(now)
        if self.clock() < self._next_balance:
            return
        self._next_balance = self.clock() + BALANCE_SECONDS
        try:
            cash, value = await self.client.cash_and_value()
        except SourceRateLimited:  # other programs of the account share the one call a second
            self._next_balance = self.clock() + BALANCE_SECONDS / 5
            return
        self.equity = cash + value + self.blotter.resting_cost
        if int(now // DAY) != self._day:
            self._day, self.day_start_equity = int(now // DAY), self.equity

    async def _refresh_holdings(self, now: float) -> None:
        self.holdings = {holding.ticker: holding for holding in await self.client.holdings()}
        self.entered = {ticker: self.entered.get(ticker, now) for ticker in self.holdings}

    async def _cancel_leftovers(self) -> None:
        """Cancel the resting orders of an earlier run, which this run does not know."""
        for order in await self.client.orders(status="resting"):
            await self.client.cancel(order.order_id)

    def standing(self) -> risk.RiskState:
        return risk.RiskState(
            holdings=self.holdings,
            resting_cost=self.blotter.resting_cost,
            equity=self.equity,
            day_start_equity=self.day_start_equity,
        )

    def status(self) -> dict[str, Any]:
        """The body of GET /status."""
        standing = self.standing()
        return {
            "mode": self.mode.name,
            "target": self.mode.target,
            "exchange": self.mode.host,
            "strategy": f"{strategies.MEAN_REVERSION} + {strategies.SPREAD}",
            "positions": [
                holding_body(holding, quote.mid if (quote := self.quotes.get(ticker)) else None)
                for ticker, holding in sorted(self.holdings.items())
            ],
            "last_error": self.last_error,
            "last_error_at": self.last_error_at,
            "trade_count": self.blotter.count,
            "last_trade_at": self.blotter.trades[0].timestamp if self.blotter.trades else None,
            "last_look_at": self.last_look_at,
            "looks": self.looks,
            "idle_reasons": [{"reason": reason, "markets": count} for reason, count in self.idle.most_common()],
            "resting_orders": len(self.blotter.resting),
            "exposure": f"{standing.exposure:.4f}",
            "equity": None if self.equity is None else f"{self.equity:.4f}",
            "day_loss": f"{standing.day_loss:.4f}",
            "limits": {
                "contracts_per_market": str(self.limits.contracts_per_market),
                "exposure": str(self.limits.exposure),
                "daily_loss": str(self.limits.daily_loss),
            },
            "pace_seconds": self.pace_seconds,
        }

    def _report_status(self) -> None:
        if self.reporter is not None:
            self.reporter.status(**self.status())

    def _note_error(self, problem: str) -> None:
        self.last_error, self.last_error_at = problem, time.time()
