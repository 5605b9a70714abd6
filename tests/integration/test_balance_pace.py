"""The exchange allows one balance call per second and account: functions in different processes share that limit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.fixtures.redis import RedisServer
from tests.fixtures.waiting import PATIENCE_SECONDS
from tests.unit.kalshi import payloads
from tests.unit.kalshi.keys import ed25519_key, pkcs8
from tests.unit.kalshi.stage import Asked, Reply, Stage

FUNCTION = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.freshness import Tier
from coliseum.cache.cache import Cache
from coliseum.errors import SourceRateLimited
from coliseum.kalshi.client import Credentials, Kalshi
from coliseum.portfolio.account import BALANCE_SPEC, ExchangeAccount
from coliseum.upstash.client import Redis

arguments = json.loads(sys.argv[1])
kalshi = Kalshi(arguments["exchange"], Credentials(arguments["key"], private_key_path=Path(arguments["key_file"])))
cache = Cache(Redis(arguments["redis"], arguments["token"]), prefix=arguments["prefix"], breaker=CircuitBreaker())
tier, pace_seconds = Tier(float(arguments["fresh_seconds"]), 3600), float(arguments["pace_seconds"])
spec = replace(BALANCE_SPEC, tier=tier, pace_seconds=pace_seconds)
account = ExchangeAccount(kalshi, cache, balance_spec=spec)
print("ready", flush=True)
sys.stdin.readline()
end = time.monotonic() + float(arguments["for_seconds"])
served = []
while not served or time.monotonic() < end:
    if arguments["snapshots"]:
        with suppress(SourceRateLimited):
            account.balance_now(kalshi)
    with ThreadPoolExecutor(4) as threads:
        served += [future.result() for future in [threads.submit(account.balance) for _ in range(8)]]
print(json.dumps([[str(one.value.cash), one.stale] for one in served]))
"""


def _ask_in_two_processes(arguments: dict[str, str]) -> tuple[list[list[object]], float]:
    """Eight questions and more in each of two processes at the same time.

    Returns cash and staleness of every answer, and the moment before the first question.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FUNCTION, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=PATIENCE_SECONDS)[0] for process in processes]
    return [row for answer in answers for row in json.loads(answer)], began


def _arguments(redis: RedisServer, prefix: str, stage: Stage, folder: Path) -> dict[str, str]:
    key_file = folder / "key.pem"
    key_file.write_text(pkcs8(ed25519_key()))
    return {
        "redis": redis.url,
        "token": redis.token,
        "prefix": prefix,
        "exchange": stage.url,
        "key": "key-id",
        "key_file": str(key_file),
        "fresh_seconds": "1800",
        "pace_seconds": "1",
        "for_seconds": "0",
        "snapshots": "",
    }


def test_two_processes_ask_for_the_balance_once(redis_server: RedisServer, prefix: str, tmp_path: Path) -> None:
    """Sixteen questions at once, nothing cached, and an exchange that takes its time: one call."""
    slow = Reply(body=json.dumps(payloads.BALANCE).encode(), delay_seconds=0.3)
    with Stage(lambda asked: slow).open() as stage:
        arguments = _arguments(redis_server, prefix, stage, tmp_path)
        answers, _ = _ask_in_two_processes(arguments | {"pace_seconds": "8"})
    assert len(stage.asked) == 1
    assert len(answers) == 16
    assert {tuple(answer) for answer in answers} == {(str(answers[0][0]), False)}


def test_two_processes_that_ask_without_pause_keep_a_second_between_calls(
    redis_server: RedisServer, prefix: str, tmp_path: Path
) -> None:
    moments: list[float] = []

    def script(asked: Asked) -> Reply:
        moments.append(time.monotonic())
        return Reply(body=json.dumps(payloads.BALANCE).encode())

    with Stage(script).open() as stage:
        arguments = _arguments(redis_server, prefix, stage, tmp_path)
        _, began = _ask_in_two_processes(arguments | {"fresh_seconds": "0.3", "for_seconds": "2", "snapshots": "yes"})
    assert len(moments) >= 2
    # The call with number n (from 0) leaves n seconds after the start at the earliest, however slow the machine is.
    assert all(moment - began > number - 0.1 for number, moment in enumerate(moments))
