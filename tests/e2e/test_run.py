"""`make run` from outside: start, look, crash, start again, stop."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.fixtures.stack import Stack, environment, launch, processes_of
from tests.fixtures.waiting import PATIENCE_SECONDS, START_SECONDS, until

from coliseum.feed.entries import START, Entry, EntryKind
from coliseum.feed.feed import Feed
from coliseum.upstash.client import Redis
from coliseum_local.state import StateFolder

pytestmark = pytest.mark.slow


def new_trades(url: str) -> list[dict[str, Any]]:
    """The trades of the first `new_trades` event of one connection."""
    deadline = time.monotonic() + START_SECONDS
    with httpx.stream("GET", f"{url}/api/python/sse/trading", timeout=START_SECONDS, trust_env=False) as response:
        event, seen = "", [f"HTTP {response.status_code}"]
        for line in response.iter_lines():
            seen.append(line)
            assert time.monotonic() < deadline, "no new_trades in time"
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event == "new_trades":
                trades: list[dict[str, Any]] = json.loads(line.removeprefix("data: "))["trades"]
                return trades
    raise AssertionError("the stream ended without new_trades:\n" + "\n".join(seen))


def run_once(state: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coliseum_local"],
        env=environment(state, **variables),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


@dataclass
class Crash:
    """A system that was killed and started again from the same state."""

    left: list[psutil.Process]
    """What still ran after the kill."""
    before: list[dict[str, Any]]
    """What the first connection of the first client had brought by then."""
    again: Stack


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crash]:
    """One system for all tests of this file; a start of the whole stack is the most expensive thing of the suite."""
    state = tmp_path_factory.mktemp("crash") / "state"
    first = launch(state)
    try:
        before = new_trades(first.url)
    finally:
        first.process.kill()
        first.process.wait()
    with suppress(AssertionError):
        until(lambda: not processes_of(state))
    left = processes_of(state)
    again = launch(state)  # its poller waits for the lease of the one that was killed; other tests go on meanwhile
    try:
        yield Crash(left, before, again)
    finally:
        again.stop()


@pytest.fixture(scope="module")
def stack(crash: Crash) -> Stack:
    """The system that runs after the crash, as any other would."""
    return crash.again


def test_killing_the_supervisor_leaves_no_process_behind(crash: Crash) -> None:
    assert crash.left == []


def test_the_first_connection_of_a_newcomer_brings_new_trades(crash: Crash) -> None:
    first, *_ = crash.before
    assert {"timestamp", "ticker", "side", "quantity", "price", "trade_id"} <= first.keys()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/health",
        "/docs",
        "/openapi.json",
        "/api/python/health",
        "/api/python/portfolio/balance",
        "/api/python/portfolio/summary",
        "/api/python/markets/",
        "/api/python/sse/stats",
    ],
)
def test_every_kind_of_page_answers(stack: Stack, path: str) -> None:
    answer = httpx.get(stack.url + path, timeout=PATIENCE_SECONDS, follow_redirects=True, trust_env=False)
    assert answer.status_code == 200


def test_an_unknown_path_is_answered_with_a_problem_document(stack: Stack) -> None:
    answer = httpx.get(f"{stack.url}/api/python/nothing", trust_env=False, timeout=PATIENCE_SECONDS)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_the_output_is_plain_lines_when_it_is_no_terminal(stack: Stack) -> None:
    until(lambda: "health: status healthy" in stack.output.read_text())
    text = stack.output.read_text()
    assert "\x1b" not in text
    for service in ("redis", "postgres", "exchange", "bot", "gateway"):
        assert f"│ {service}" in text


def test_the_doctor_finds_the_running_system_in_order(stack: Stack) -> None:
    def examined() -> str:
        """What the command shows where nothing failed; the system that started again may not be complete yet."""
        command = [sys.executable, "-m", "coliseum_local", "doctor"]
        done = subprocess.run(
            command, env=environment(stack.state), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        return done.stdout if done.returncode == 0 else ""

    shown = until(examined, every=1.0)
    for part in ("settings", "exchange", "account", "redis", "postgres", "bot"):
        assert f"ok       {part}: " in shown
    assert (StateFolder(stack.state).published() or {})["UPSTASH_REDIS_REST_TOKEN"] not in shown


def test_a_second_start_is_refused_and_names_the_first(stack: Stack) -> None:
    second = run_once(stack.state)
    assert second.returncode == 1
    assert f"pid {stack.process.pid}" in second.stderr
    assert stack.process.poll() is None


def test_a_taken_port_is_named_with_the_variable_that_moves_it(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        refused = run_once(tmp_path / "state", COLISEUM_KALSHI_PORT=str(port))
    assert refused.returncode == 1
    assert f"port {port} for exchange is taken" in refused.stderr
    assert "COLISEUM_KALSHI_PORT" in refused.stderr


def test_a_setting_of_a_wrong_form_is_refused_by_name_before_anything_starts(tmp_path: Path) -> None:
    refused = run_once(tmp_path / "state", POLL_INTERVAL_SECONDS="three")
    assert refused.returncode == 1
    assert "Coliseum does not start: POLL_INTERVAL_SECONDS: Input should be a valid number" in refused.stderr
    assert not (tmp_path / "state").exists()


def test_a_server_that_dies_is_started_again_and_reported(stack: Stack) -> None:
    children = json.loads((stack.state / "children.json").read_text())
    psutil.Process(children["bot"][0]).kill()
    until(lambda: "bot runs again" in stack.output.read_text())
    assert new_trades(stack.url)


def executed(stack: Stack) -> set[str]:
    """Ids of the bot's trades as the exchange knows them."""
    answer = httpx.get(f"{stack.url}/api/python/portfolio/fills?limit=1000", trust_env=False, timeout=PATIENCE_SECONDS)
    return {fill["trade_id"] for fill in answer.raise_for_status().json()["items"]}


def logged(stack: Stack) -> list[Entry]:
    """All entries of the log, oldest first."""
    redis = Redis(stack.variables["UPSTASH_REDIS_REST_URL"], stack.variables["UPSTASH_REDIS_REST_TOKEN"])
    with closing(redis):
        return list(Feed(redis, prefix="python:", maxlen=10_000).read(START, count=10_000).reading.entries)


def logged_trades(stack: Stack) -> list[str]:
    return [entry.data["trade_id"] for entry in logged(stack) if entry.kind is EntryKind.TRADE]


def test_after_a_crash_no_published_trade_is_lost_or_repeated(crash: Crash) -> None:
    assert new_trades(crash.again.url)
    trades = logged_trades(crash.again)
    numbers = [entry.id.seq for entry in logged(crash.again)]
    assert {trade["trade_id"] for trade in crash.before} <= set(trades)
    assert len(trades) == len(set(trades))
    assert numbers == list(range(1, len(numbers) + 1))


def test_after_a_crash_what_the_bot_traded_meanwhile_is_filled_in(crash: Crash) -> None:
    """The bot forgets its trades when it dies; the exchange does not."""
    known = executed(crash.again)
    until(lambda: known <= set(logged_trades(crash.again)), START_SECONDS, every=0.5)


def test_ctrl_c_stops_everything_and_leaves_no_process_behind(crash: Crash) -> None:
    assert crash.again.stop(signal.SIGINT) == 0
    assert processes_of(crash.again.state) == []
    assert not (crash.again.state / "children.json").exists()
