"""The reference bot trading on the sandbox exchange, seen through its own interface."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fixtures.exchange import Exchange, StartExchange, launch_exchange, quoted_market
from tests.fixtures.waiting import PATIENCE_SECONDS, START_SECONDS

from coliseum.bot.parse import trades_from
from coliseum_local.processes import ServerProcess


class Bot:
    """A running bot."""

    def __init__(self, exchange: Exchange, log: Path, *arguments: str, ed25519: bool = False) -> None:
        key = exchange.ed25519_key if ed25519 else exchange.api_key
        path = exchange.ed25519_key_path if ed25519 else exchange.private_key_path
        fixed = ["--port", "0", "--exchange", exchange.url, "--api-key", key, "--private-key", str(path)]
        self.process = ServerProcess("coliseum_local.bot", [*fixed, *arguments], log=log)
        self.log = log
        self._http = httpx.Client(base_url=self.process.ready["url"], timeout=PATIENCE_SECONDS)

    def get(self, path: str) -> Any:
        response = self._http.get(path)
        assert response.headers["x-bot-mode"] == "paper"
        return response.raise_for_status().json()

    def until(self, path: str, holds: Callable[[Any], bool], *, seconds: float = PATIENCE_SECONDS) -> Any:
        """The first body that fulfils the condition."""
        deadline = time.monotonic() + seconds
        while not holds(body := self.get(path)):
            assert time.monotonic() < deadline, f"{path} still says {body}"
            time.sleep(0.1)
        return body

    def stop(self) -> None:
        self._http.close()
        self.process.stop()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """A lively exchange of this file's own: twenty seconds pass in one."""
    server = launch_exchange(tmp_path_factory.mktemp("bot-exchange"), "--speed", "20", "--no-rate-limits")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def bot(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bot]:
    running = Bot(exchange, tmp_path_factory.mktemp("bot") / "bot.log", "--pace", "0.3")
    yield running
    running.stop()


@pytest.fixture
def start_bot(tmp_path: Path) -> Iterator[Callable[..., Bot]]:
    """A factory of bots that end with the test."""
    running: list[Bot] = []

    def start(exchange: Exchange, *arguments: str, ed25519: bool = False) -> Bot:
        running.append(Bot(exchange, tmp_path / f"bot-{len(running)}.log", *arguments, ed25519=ed25519))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def test_it_trades_soon_and_lists_trades_as_the_exchange_knows_them(bot: Bot, exchange: Exchange) -> None:
    rows = bot.until("/trades", lambda trades: len(trades) >= 6)
    fills = {fill["fill_id"]: fill for fill in exchange.get("/portfolio/fills", limit=1000)["fills"]}
    for row in rows:
        fill = fills[row["trade_id"]]
        assert row["order_id"] == fill["order_id"]
        assert row["ticker"] == fill["ticker"]
        assert row["quantity"] == float(fill["count_fp"])
        assert row["price"] == float(fill[f"{row['outcome']}_price_dollars"])
        assert row["fee"] == float(fill["fee_cost"])
        assert row["side"] == fill["action"].upper()
        assert row["outcome"] == (fill["outcome_side"] if row["side"] == "BUY" else _other(fill["outcome_side"]))
        assert type(row["timestamp"]) is float
    assert [row["timestamp"] for row in rows] == sorted((row["timestamp"] for row in rows), reverse=True)


def _other(outcome: str) -> str:
    return {"yes": "no", "no": "yes"}[outcome]


def test_it_buys_and_sells_both_outcomes_over_many_markets(bot: Bot) -> None:
    wanted = {("BUY", "yes"), ("BUY", "no"), ("SELL", "yes"), ("SELL", "no")}
    rows = bot.until("/trades", lambda trades: {(row["side"], row["outcome"]) for row in trades} == wanted)
    assert len({row["ticker"] for row in rows}) >= 4


def test_its_trades_are_ones_the_poller_can_read(bot: Bot) -> None:
    bot.until("/trades", bool)
    listed = trades_from(bot._http.get("/trades").content)
    assert listed.trades
    assert listed.rejected == ()


def test_health_and_status_say_who_it_is_and_what_it_does(bot: Bot) -> None:
    bot.until("/trades", bool)
    health = bot.get("/health")
    status = bot.until("/status", lambda body: body["looks"] > 2 and body["equity"] is not None)
    assert health["status"] == "alive"
    assert health["trade_count"] >= 1
    assert health["started_at"].endswith("Z")
    assert (status["mode"], status["target"]) == ("paper", "sandbox")
    assert {"strategy", "positions", "last_error", "idle_reasons", "limits", "exposure"} <= status.keys()
    assert sum(row["markets"] for row in status["idle_reasons"]) > 0


def test_it_starts_with_an_empty_list_and_strangers_fills_stay_out(
    start_exchange: StartExchange, start_bot: Callable[..., Bot]
) -> None:
    server = start_exchange(arguments=("--no-rate-limits",))
    ticker = quoted_market(server)["ticker"]
    fresh = start_bot(server, "--pace", "0.1", ed25519=True)
    ours = {"self_trade_prevention_type": "maker"}  # the bot may rest quotes of the same account in our way
    for side, price in (("bid", "0.99"), ("ask", "0.01")):
        assert server.order(ticker, side, "1.00", price, **ours).json()["fill_count"] == "1.00"
    looks = fresh.get("/status")["looks"]
    fresh.until("/status", lambda body: body["looks"] >= looks + 3)
    assert fresh.get("/trades") == []
    assert fresh.get("/health")["trade_count"] == 0
    assert len(server.get("/portfolio/fills")["fills"]) == 2


def test_it_says_why_nothing_trades_when_the_exchange_pauses_or_fails_and_comes_back(
    tmp_path: Path, start_bot: Callable[..., Bot]
) -> None:
    server = launch_exchange(tmp_path / "own", "--speed", "20", "--no-rate-limits")
    try:
        server.admin("trading-pause", paused=True)
        own = start_bot(server, "--pace", "0.3")
        own.until("/status", lambda body: "paused" in str(body["idle_reasons"]))
        server.admin("outage", active=True)
        down = own.until("/status", lambda body: body["last_error"] is not None)
        assert "503" in down["last_error"]
        assert own.get("/health")["status"] == "alive"
        server.admin("outage", active=False)
        server.admin("trading-pause", paused=False)
        own.until("/trades", bool)
        own.until("/status", lambda body: body["last_error"] is None)
    finally:
        server.stop()


@pytest.mark.parametrize("arguments", [("--live",), ("--exchange", "https://external-api.kalshi.com/trade-api/v2")])
def test_it_does_not_start_towards_real_money_without_the_words(exchange: Exchange, arguments: tuple[str, ...]) -> None:
    refused = _run(exchange, *arguments, confirmation="")
    assert refused.returncode != 0
    assert "COLISEUM_BOT_LIVE" in refused.stderr
    assert refused.stdout == ""


def test_with_the_words_it_says_loudly_that_it_is_live(exchange: Exchange) -> None:
    said = _run(exchange, "--live", confirmation="I_UNDERSTAND")
    assert "mode LIVE" in said.stderr
    assert "I_UNDERSTAND" in said.stderr
    assert '"mode": "live"' in said.stdout


def _run(exchange: Exchange, *arguments: str, confirmation: str) -> subprocess.CompletedProcess[str]:
    """Run the bot with its parent already gone: it ends as soon as it serves."""
    command = ["--port", "0", "--exchange", exchange.url, "--api-key", exchange.api_key]
    return subprocess.run(
        [sys.executable, "-m", "coliseum_local.bot", *command, "--private-key", exchange.private_key_path, *arguments],
        env={**os.environ, "COLISEUM_BOT_LIVE": confirmation},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
