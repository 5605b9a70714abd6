"""`coliseum books`: a rebuild ends with the same books, also when it is killed on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from tests.fixtures.exchange import START, Exchange, StartExchange, quoted_market
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.waiting import PATIENCE_SECONDS, until

from coliseum.store.client import Store


@pytest.fixture
def exchange(start_exchange: StartExchange) -> Exchange:
    return start_exchange(arguments=("--no-rate-limits",))


class Command:
    """The command line in a folder without a `.env`, with the settings of these servers."""

    def __init__(self, folder: Path, exchange: Exchange, postgres: PostgresServer) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "SUPABASE_URL": postgres.url,
            "SUPABASE_SERVICE_ROLE_KEY": postgres.secret_key,
            "KALSHI_API_BASE": exchange.url,
            "KALSHI_API_KEY": exchange.api_key,
            "KALSHI_RSA_KEY_PATH": str(exchange.private_key_path),
            "COLISEUM_STATE_DIR": str(folder / "state"),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "coliseum_local", "books", *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        out, error = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, out + error


@pytest.fixture
def command(tmp_path: Path, exchange: Exchange, postgres_server: PostgresServer) -> Command:
    return Command(tmp_path, exchange, postgres_server)


def holdings(store: Store) -> list[dict[str, object]]:
    return store.select("account_holdings", "ticker,contracts::text,basis::text,realized::text,fees::text")


def test_a_rebuild_ends_with_the_same_holdings_although_it_was_killed(
    command: Command, exchange: Exchange, store: Store
) -> None:
    ticker = quoted_market(exchange)["ticker"]
    exchange.admin("past-fills", ticker=ticker, pairs=2000, first=START - 90_000, every=20)
    code, said = command.run("rebuild")
    assert (code, "complete: 4,000 fills, from 2026-11-20T11:00:00Z to" in said) == (0, True), said
    before = holdings(store)
    exchange.admin("latency", seconds=0.5)
    killed = command.start("rebuild")
    until(lambda: store.select("account_holdings", "ticker") == [])
    killed.kill()
    killed.communicate(timeout=PATIENCE_SECONDS)
    exchange.admin("latency", seconds=0)
    assert command.run("status")[0] == 1
    assert command.run("rebuild")[0] == 0
    assert holdings(store) == before
    assert Decimal(str(before[0]["fees"])) == 40
    assert command.run("status")[0] == 0


def test_a_command_without_a_database_says_which_setting_is_missing(command: Command) -> None:
    del command.environment["SUPABASE_URL"]
    code, said = command.run("rebuild")
    assert code == 1
    assert "SUPABASE_URL" in said
