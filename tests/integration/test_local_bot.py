"""The reference bot as a process beside the sandbox exchange, seen through its own HTTP interface.

What it trades is tested with a simulated clock in `tests/unit/local/bot/test_trader.py`.
"""

from __future__ import annotations

import json
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

    def content(self, path: str) -> bytes:
        response = self._http.get(path)
        assert response.headers["x-bot-mode"] == "paper"
        return response.raise_for_status().content

    def get(self, path: str) -> Any:
        return json.loads(self.content(path))

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
    """An exchange of this file's own, a little faster than real time: a slow machine must be able to keep up."""
    server = launch_exchange(tmp_path_factory.mktemp("bot-exchange"), "--speed", "2", "--no-rate-limits")
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


def test_it_lists_its_trades_as_the_exchange_reports_them(bot: Bot, exchange: Exchange) -> None:
    rows = bot.until("/trades", lambda answer: answer["trades"])["trades"]
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


def test_the_poller_can_read_its_trades(bot: Bot) -> None:
    bot.until("/trades", lambda answer: answer["trades"])
    listed = trades_from(bot.content("/trades"))
    assert listed.trades
    assert listed.rejected == ()


def test_health_and_status_show_mode_strategy_and_reasons(bot: Bot) -> None:
    bot.until("/trades", lambda answer: answer["trades"])
    health = bot.get("/health")
    status = bot.until("/status", lambda body: body["looks"] > 2 and body["equity"] is not None)
    assert health["status"] == "alive"
    assert health["trade_count"] >= 1
    assert health["started_at"].endswith("Z")
    assert (status["mode"], status["target"]) == ("paper", "sandbox")
    assert {"strategy", "positions", "last_error", "idle_reasons", "limits", "exposure"} <= status.keys()
    assert sum(row["markets"] for row in status["idle_reasons"]) > 0


def test_fills_of_other_programs_of_the_account_are_not_its_trades(
    start_exchange: StartExchange, start_bot: Callable[..., Bot]
) -> None:
    server = start_exchange(arguments=("--no-rate-limits",))
    ticker = quoted_market(server)["ticker"]
    fresh = start_bot(server, "--pace", "0.1", ed25519=True)
    # The bot may have resting orders of the same account: these give way.
    prevention = {"self_trade_prevention_type": "maker"}
    for side, price in (("bid", "0.99"), ("ask", "0.01")):
        assert server.order(ticker, side, "1.00", price, **prevention).json()["fill_count"] == "1.00"
    looks = fresh.get("/status")["looks"]
    fresh.until("/status", lambda body: body["looks"] >= looks + 3)
    assert fresh.get("/trades")["trades"] == []
    assert fresh.get("/health")["trade_count"] == 0
    assert len(server.get("/portfolio/fills")["fills"]) == 2


def test_it_reports_a_pause_and_an_outage_and_trades_after_them(tmp_path: Path, start_bot: Callable[..., Bot]) -> None:
    server = launch_exchange(tmp_path / "own", "--speed", "2", "--no-rate-limits")
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
        own.until("/trades", lambda answer: answer["trades"])
        own.until("/status", lambda body: body["last_error"] is None)
    finally:
        server.stop()


def test_a_restart_keeps_run_and_trades(exchange: Exchange, tmp_path: Path, start_bot: Callable[..., Bot]) -> None:
    arguments = ("--pace", "0.3", "--state", str(tmp_path / "state"))
    first = start_bot(exchange, *arguments)
    before = first.until("/trades", lambda answer: answer["trades"])
    first.process.kill()
    after = start_bot(exchange, *arguments).get("/trades")
    assert after["started_at"] == before["started_at"]
    assert {row["trade_id"] for row in before["trades"]} <= {row["trade_id"] for row in after["trades"]}


def test_a_taken_port_ends_it_with_a_sentence(exchange: Exchange, bot: Bot) -> None:
    result = _run(exchange, "--port", bot.process.ready["url"].rpartition(":")[2], confirmation="")
    assert result.returncode != 0
    assert "cannot be used" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [("--live",), ("--exchange", "https://external-api.kalshi.com/trade-api/v2")])
def test_it_does_not_start_with_real_money_without_confirmation(exchange: Exchange, arguments: tuple[str, ...]) -> None:
    result = _run(exchange, *arguments, confirmation="")
    assert result.returncode != 0
    assert "COLISEUM_BOT_LIVE" in result.stderr
    assert result.stdout == ""


def test_with_confirmation_it_announces_that_it_is_live(exchange: Exchange) -> None:
    result = _run(exchange, "--live", confirmation="I_UNDERSTAND")
    assert "mode LIVE" in result.stderr
    assert "I_UNDERSTAND" in result.stderr
    assert '"mode": "live"' in result.stdout


def _run(exchange: Exchange, *arguments: str, confirmation: str) -> subprocess.CompletedProcess[str]:
    """Run the bot with closed standard input, which ends it as soon as it serves."""
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
