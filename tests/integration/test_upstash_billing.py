"""The meter counts what Upstash would bill."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import httpx
import pytest
from tests.fixtures.redis import RedisServer

from coliseum.upstash.client import Redis

THREE_CALLS = "redis.call('SET', KEYS[1], '1') redis.call('INCR', KEYS[1]) return redis.call('GET', KEYS[1])"


@pytest.fixture(autouse=True)
def _zero(redis_server: RedisServer, redis: Redis) -> None:
    redis_server.reset_meter()


def test_a_script_with_three_inner_calls_bills_four(redis_server: RedisServer, redis: Redis, prefix: str) -> None:
    redis.command("EVAL", THREE_CALLS, 1, f"{prefix}k")
    assert redis_server.billed() == {"EVAL": 1, "SET": 1, "INCR": 1, "GET": 1}


def test_an_unknown_script_bills_its_refusal_once(redis_server: RedisServer, redis: Redis, prefix: str) -> None:
    source = f"{THREE_CALLS} -- {prefix}"
    for _ in range(2):
        redis.script(source, [f"{prefix}k"], [])
    assert redis_server.billed() == {"EVALSHA": 2, "EVAL": 1, "SET": 2, "INCR": 2, "GET": 2}


def test_calls_that_fail_inside_a_script_are_billed_too(redis_server: RedisServer, redis: Redis, prefix: str) -> None:
    source = (
        "redis.call('SET', KEYS[1], 'x') redis.pcall('INCR', KEYS[1]) return redis.call('XINFO', 'STREAM', KEYS[1])"
    )
    with pytest.raises(Exception, match="WRONGTYPE"):
        redis.command("EVAL", source, 1, f"{prefix}k")
    assert redis_server.billed() == {"EVAL": 1, "SET": 1, "INCR": 1, "XINFO": 1}


def test_each_command_of_a_batch_is_billed_and_the_batch_is_not(
    redis_server: RedisServer, redis: Redis, prefix: str
) -> None:
    redis.pipeline([("SET", f"{prefix}k", 1), ("GET", f"{prefix}k"), ("PUBLISH", f"{prefix}c", "m")])
    redis.transaction([("GET", f"{prefix}k"), ("EVAL", THREE_CALLS, 1, f"{prefix}k"), ("GET", f"{prefix}k")])
    assert redis_server.billed() == {"SET": 2, "GET": 4, "PUBLISH": 1, "EVAL": 1, "INCR": 1}


def test_what_the_gateway_refuses_is_not_billed(redis_server: RedisServer) -> None:
    redis_server.admin.post("/", json=["BLPOP", "q", 0])
    redis_server.admin.post("/multi-exec", json=[["SET", "a", "b"], ["GET"]])
    httpx.get(f"{redis_server.url}/get/k")
    assert redis_server.meter()["total"] == 0


def test_a_subscription_bills_one_command_for_any_number_of_messages(redis_server: RedisServer, prefix: str) -> None:
    with redis_server.admin.stream("POST", f"/subscribe/{prefix}c") as stream:
        lines = stream.iter_lines()
        assert next(lines) == f"data: subscribe,{prefix}c,1"
        for number in range(3):
            redis_server.admin.get(f"/publish/{prefix}c/{number}")
        received = list(islice(filter(None, lines), 3))
        assert received == [f"data: message,{prefix}c,{number}" for number in range(3)]
        assert redis_server.meter()["subscribers"] == 1
    assert redis_server.billed() == {"SUBSCRIBE": 1, "PUBLISH": 3}


def test_counts_stay_exact_when_many_run_scripts_at_once(redis_server: RedisServer, redis: Redis, prefix: str) -> None:
    def work(number: int) -> None:
        redis.command("EVAL", THREE_CALLS, 1, f"{prefix}{number}")
        redis.command("GET", f"{prefix}{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    assert redis_server.billed() == {"EVAL": 40, "SET": 40, "INCR": 40, "GET": 80}
