"""The trader on a sandbox exchange in this process. Seeds, and clocks that the tests move, decide all that happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import httpx
import pytest

from coliseum.client import Reporter
from coliseum.errors import SourceUnavailable
from coliseum.kalshi.signing import load_private_key
from coliseum.trading.trades import Outcome, Side
from coliseum_local.bot.client import ExchangeClient
from coliseum_local.bot.mode import decide
from coliseum_local.bot.order_journal import OrderJournal
from coliseum_local.bot.trader import Trader
from coliseum_local.exchange.app import create_app
from coliseum_local.exchange.credentials import load_or_create_credentials
from coliseum_local.exchange.journal import Journal
from coliseum_local.exchange.market_lifecycle import pause
from coliseum_local.exchange.sandbox import SandboxExchange, open_sandbox

URL = "http://127.0.0.1/trade-api/v2"
START = 1_795_262_400.0
"""2026-11-21 12:00 UTC."""
LOOK_SECONDS = 6.0
"""Exchange seconds between two looks."""


class Simulation:
    """A trader and its exchange. Time passes only between two looks."""

    def __init__(self, sandbox: SandboxExchange, journal: Path | None = None) -> None:
        self.sandbox = sandbox
        self.reporter = Reporter(None, port=None)
        self._seconds = 0.0
        keys = sandbox.credentials
        self.trader = Trader(
            client=ExchangeClient(
                URL,
                key_id=keys.ed25519_key_id,
                private_key=load_private_key(keys.ed25519_path.read_text(), variable="the test's key"),
                transport=httpx.ASGITransport(create_app(sandbox)),
            ),
            mode=decide(exchange=URL, live=False, confirmation=None),
            pace_seconds=0.5,
            rng=Random(7),
            clock=lambda: self._seconds,
            reporter=self.reporter,
            journal=None if journal is None else OrderJournal(journal),
        )

    def reported(self) -> set[str]:
        """Ids of the trades that Coliseum can see."""
        return {row["trade_id"] for row in json.loads(self.reporter.answer("/trades") or b"")["trades"]}

    async def look(self) -> None:
        await self.trader.look()
        self._seconds += 1.0
        self.sandbox.clock.move(LOOK_SECONDS)

    def look_until(self, condition: Callable[[], bool], *, most: int = 600) -> None:
        async def loop() -> None:
            for _ in range(most):
                if condition():
                    return
                await self.look()
            raise AssertionError(f"not fulfilled after {most} looks")

        asyncio.run(loop())


@pytest.fixture
def simulation(tmp_path: Path) -> Iterator[Simulation]:
    journal = Journal(tmp_path / "exchange.sqlite3")
    sandbox = open_sandbox(
        journal=journal,
        credentials=load_or_create_credentials(tmp_path),
        seed="tests",
        start=START,
        speed=0.0,
        simulate=True,
    )
    sandbox.switches.rate_limits = False
    simulation = Simulation(sandbox, tmp_path / "bot" / "orders.log")
    yield simulation
    simulation.reporter.close()
    journal.close()


def test_it_buys_and_sells_both_outcomes_over_many_markets(simulation: Simulation) -> None:
    every_kind = {(side, outcome) for side in Side for outcome in Outcome}
    trades = simulation.trader.blotter.trades
    simulation.look_until(
        lambda: (
            {(trade.side, trade.outcome) for trade in trades} == every_kind
            and len({trade.ticker for trade in trades}) >= 4
        )
    )
    fills = {fill.fill_id: fill for fill in simulation.sandbox.venue.fills[simulation.sandbox.credentials.account_id]}
    assert simulation.trader.blotter.count == len(fills)
    assert all(trade.order_id == fills[trade.trade_id].order_id for trade in trades)


def test_a_pause_of_the_exchange_is_the_reason_for_not_trading(simulation: Simulation) -> None:
    pause(simulation.sandbox.venue, paused=True)
    simulation.look_until(lambda: simulation.trader.looks == 5)
    (reason,) = simulation.trader.status()["idle_reasons"]
    assert reason["reason"] == "trading is paused on the exchange"
    assert reason["markets"] == len(simulation.trader.quotes) > 0
    assert simulation.trader.blotter.count == 0


def test_an_outage_is_an_error_and_the_bot_trades_after_it(simulation: Simulation) -> None:
    simulation.sandbox.switches.outage = True
    with pytest.raises(SourceUnavailable, match="503"):
        asyncio.run(simulation.look())
    simulation.sandbox.switches.outage = False
    simulation.look_until(lambda: simulation.trader.blotter.count > 0)


def fills_of_the_account(simulation: Simulation) -> set[str]:
    sandbox = simulation.sandbox
    return {fill.fill_id for fill in sandbox.venue.fills[sandbox.credentials.account_id]}


def test_it_reports_each_trade_as_it_learns_it(simulation: Simulation) -> None:
    simulation.look_until(lambda: simulation.trader.blotter.count >= 3)
    assert simulation.reported() == {trade.trade_id for trade in simulation.trader.blotter.trades}


def test_after_a_kill_it_learns_the_fills_that_it_had_not_seen(simulation: Simulation, tmp_path: Path) -> None:
    """The process ends while an order is on its way: the exchange fills it, and nobody has read that."""
    trader, sent = simulation.trader, 0

    async def unread(self: ExchangeClient, **_: object) -> list[object]:
        del self
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ExchangeClient, "fills", unread)
        simulation.look_until(lambda: len(fills_of_the_account(simulation)) >= 3)
    assert trader.blotter.count == sent
    again = Simulation(simulation.sandbox, tmp_path / "bot" / "orders.log")
    again.look_until(lambda: again.trader.looks == 1)
    assert fills_of_the_account(simulation) <= again.reported()
    again.reporter.close()
