"""The exchange answers one balance call a second for the whole account: functions in different processes share it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from tests.fixtures.redis import RedisServer
from tests.unit.kalshi import payloads
from tests.unit.kalshi.keys import ed25519_key, pkcs8
from tests.unit.kalshi.stage import Asked, Reply, Stage

FUNCTION = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from coliseum.cache.breaker import Breaker
from coliseum.cache.freshness import Tier
from coliseum.cache.cache import Cache
from coliseum.errors import SourceRateLimited
from coliseum.kalshi.client import Credentials, Kalshi
from coliseum.portfolio.account import service
from coliseum.upstash.client import Redis

given = json.loads(sys.argv[1])
kalshi = Kalshi(given["exchange"], Credentials(given["key"], private_key_path=Path(given["key_file"])))
cache = Cache(Redis(given["redis"], given["token"]), prefix=given["prefix"], breaker=Breaker())
service._BALANCE = replace(service._BALANCE, tier=Tier(float(given["fresh_seconds"]), 3600))
account = service.Account(kalshi, cache)
print("ready", flush=True)
sys.stdin.readline()
end = time.monotonic() + float(given["for_seconds"])
served = []
while not served or time.monotonic() < end:
    if given["snapshots"]:
        with suppress(SourceRateLimited):
            account.balance_now(kalshi)
    with ThreadPoolExecutor(4) as threads:
        served += [future.result() for future in [threads.submit(account.balance) for _ in range(8)]]
print(json.dumps([[str(one.value.cash), one.stale] for one in served]))
"""


def _ask_in_two_processes(arguments: dict[str, str]) -> list[list[object]]:
    """Eight questions and more in each of two processes, begun at one moment; cash and staleness of every answer."""
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
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=30)[0] for process in processes]
    return [row for answer in answers for row in json.loads(answer)]


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
        "fresh_seconds": "5",
        "for_seconds": "0",
        "snapshots": "",
    }


def test_two_processes_ask_for_the_balance_once(redis_server: RedisServer, prefix: str, tmp_path: Path) -> None:
    """Sixteen questions at once, nothing cached, and an exchange that takes its time: one call."""
    moments: list[float] = []

    def script(asked: Asked) -> Reply:
        moments.append(time.monotonic())
        return Reply(body=json.dumps(payloads.BALANCE).encode(), delay_seconds=0.3)

    with Stage(script).open() as stage:
        arguments = _arguments(redis_server, prefix, stage, tmp_path)
        answers = _ask_in_two_processes(arguments)
    assert len(moments) == 1
    assert len(answers) == 16
    assert {tuple(answer) for answer in answers} == {(str(answers[0][0]), False)}


def test_two_processes_that_want_it_all_the_time_and_fresh_keep_a_second_between_calls(
    redis_server: RedisServer, prefix: str, tmp_path: Path
) -> None:
    moments: list[float] = []

    def script(asked: Asked) -> Reply:
        moments.append(time.monotonic())
        return Reply(body=json.dumps(payloads.BALANCE).encode())

    with Stage(script).open() as stage:
        arguments = _arguments(redis_server, prefix, stage, tmp_path)
        _ask_in_two_processes(arguments | {"fresh_seconds": "0.3", "for_seconds": "2", "snapshots": "yes"})
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert len(moments) >= 2
    assert min(gaps) > 0.9
