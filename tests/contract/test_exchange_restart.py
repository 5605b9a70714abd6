"""What the exchange answered once, it still knows after a crash."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fixtures.exchange import Exchange, StartExchange, launch_standing_exchange, quoted_market
from tests.fixtures.waiting import PATIENCE_SECONDS, START_SECONDS


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """One with keys of its own making. The last test here ends it."""
    exchange = launch_standing_exchange(tmp_path_factory.mktemp("restart") / "state", own_keys=True)
    yield exchange
    exchange.stop()


def test_a_fill_that_was_answered_survives_a_kill(start_exchange: StartExchange) -> None:
    exchange = start_exchange()
    ticker = quoted_market(exchange)["ticker"]
    exchange.order(ticker, "bid", "5.00", "0.99")
    resting = exchange.order(ticker, "bid", "3.00", "0.01", time_in_force="good_till_canceled").json()["order_id"]
    other = quoted_market(exchange, lambda each: each["ticker"] != ticker)["ticker"]
    exchange.order(other, "ask", "2.00", "0.01")
    exchange.admin(f"markets/{other}/settle", result="yes")
    names = ("fills", "settlements", "orders", "positions?settlement_status=all")
    exchange.order(ticker, "ask", "1.00", "0.01")
    before = {name: exchange.get(f"/portfolio/{name.split('?')[0]}") for name in names}
    markets = exchange.get("/markets", limit=1000)["markets"]
    money = exchange.admin_state()["money"]
    exchange.process.kill()

    again = start_exchange(state=exchange.state)
    assert {name: again.get(f"/portfolio/{name.split('?')[0]}") for name in names} == before
    assert (again.api_key, again.admin_state()["money"]) == (exchange.api_key, money)
    assert {each["ticker"]: each["status"] for each in again.get("/markets", limit=1000)["markets"]} == {
        each["ticker"]: each["status"] for each in markets
    }
    assert again.call("DELETE", f"/portfolio/events/orders/{resting}").json()["reduced_by"] == "3.00"
    assert again.order(ticker, "bid", "1.00", "0.99").json()["fill_count"] == "1.00"
    assert len(again.get("/portfolio/fills")["fills"]) > len(before["fills"]["fills"])


def test_two_exchanges_never_share_one_state(running: Exchange) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "coliseum_local.exchange", "--port", "0", "--state", str(running.state)],
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert second.returncode != 0
    assert "in use" in second.stderr


def test_keys_and_journal_are_the_owners_alone(running: Exchange) -> None:
    state = running.state
    for path in (*state.glob("*.pem"), *state.glob("*.json"), *state.glob("*.sqlite3*"), state / "admin-token"):
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600, path


def test_it_ends_when_its_parent_is_gone(running: Exchange) -> None:
    running.process.hang_up()
    running.process.wait(PATIENCE_SECONDS)
    assert running.process.exit_code is not None
