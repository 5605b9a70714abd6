"""The trader on a sandbox exchange in this process. Seeds, and clocks that the tests move, decide all that happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import httpx
import pytest

from coliseum.errors import SourceUnavailable
from coliseum.kalshi.signing import load_private_key
from coliseum.trading.trades import Outcome, Side
from coliseum_local.bot.client import ExchangeClient
from coliseum_local.bot.mode import decide
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

    def __init__(self, sandbox: SandboxExchange) -> None:
        self.sandbox = sandbox
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
        )

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
    yield Simulation(sandbox)
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
