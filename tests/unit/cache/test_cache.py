"""The cache, with a real Redis where that matters."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import TypeAdapter
from tests.fixtures.redis import RedisServer
from tests.fixtures.waiting import PATIENCE_SECONDS

from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import Cache, CacheSpec
from coliseum.cache.freshness import Tier
from coliseum.errors import NotFound, SourceRateLimited, SourceRefused, SourceUnavailable
from coliseum.upstash.client import Redis

NUMBER = CacheSpec(key="number", source="kalshi", tier=Tier(5, 60), shape=TypeAdapter(int))
PACED = CacheSpec(key="paced", source="kalshi", tier=Tier(5, 60), shape=TypeAdapter(int), pace_seconds=1.0)
DOWN = "http://127.0.0.1:9"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Source:
    """A number that grows with each call."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None

    def __call__(self) -> int:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return self.calls


def cache_of(
    redis: Redis | None, prefix: str, clock: Callable[[], float], *, sleep: Callable[[float], None] = time.sleep
) -> Cache:
    return Cache(redis, prefix=prefix, breaker=CircuitBreaker(clock=clock), clock=clock, sleep=sleep)


def test_a_fresh_value_is_not_fetched_again_and_needs_no_redis_command(
    redis: Redis, redis_server: RedisServer, prefix: str
) -> None:
    clock, source = Clock(), Source()
    cache = cache_of(redis, prefix, clock)
    redis_server.reset_meter()
    first = cache.get(NUMBER, source)
    assert (first.value, first.source, first.stale, first.age_seconds) == (1, "kalshi", False, 0)
    assert redis_server.billed() == {"GET": 1, "SET": 1}
    clock.now += 4.9
    again = cache.get(NUMBER, source)
    assert (again.value, again.source, again.stale) == (1, "kalshi", False)
    assert again.age_seconds == pytest.approx(4.9)
    assert redis_server.billed() == {"GET": 1, "SET": 1}
    clock.now += 0.2
    assert cache.get(NUMBER, source).value == 2


def test_another_process_takes_the_value_from_redis(redis: Redis, prefix: str) -> None:
    clock, source = Clock(), Source()
    cache_of(redis, prefix, clock).get(NUMBER, source)
    clock.now += 1
    served = cache_of(redis, prefix, clock).get(NUMBER, source)
    assert (served.value, served.age_seconds, source.calls) == (1, 1.0, 1)


@pytest.mark.parametrize("error", [SourceUnavailable("kalshi", "down"), SourceRefused("kalshi", "401")])
def test_while_the_source_fails_the_stale_value_is_served_up_to_the_ceiling(
    redis: Redis, prefix: str, error: Exception
) -> None:
    clock, source = Clock(), Source()
    cache = cache_of(redis, prefix, clock)
    cache.get(NUMBER, source)
    source.error = error
    clock.now += 59
    served = cache.get(NUMBER, source)
    assert (served.value, served.source, served.stale, served.age_seconds) == (1, "cache", True, 59.0)
    assert served.error is not None
    clock.now += 2
    with pytest.raises(type(error)):
        cache.get(NUMBER, source)


def test_an_error_that_is_not_the_sources_is_not_hidden(prefix: str) -> None:
    clock, source = Clock(), Source()
    cache = cache_of(None, prefix, clock)
    cache.get(NUMBER, source)
    clock.now += 10
    source.error = NotFound("market", "A")
    with pytest.raises(NotFound):
        cache.get(NUMBER, source)


def test_without_redis_each_process_has_its_own_cache(prefix: str) -> None:
    clock, source = Clock(), Source()
    cache = cache_of(Redis(DOWN, "token-token-token", connect_seconds=0.2), prefix, clock)
    assert cache.get(PACED, source).value == 1
    clock.now += 1
    assert cache.get(PACED, source).value == 1
    clock.now += 10
    source.error = SourceUnavailable("kalshi", "down")
    assert cache.get(PACED, source).stale


def test_a_value_in_another_format_is_fetched_again(redis: Redis, prefix: str) -> None:
    redis.command("SET", f"{prefix}cache:number", '{"v":1,"as_of":1000.0,"value":"many"}')
    assert cache_of(redis, prefix, Clock()).get(NUMBER, Source()).value == 1


def test_a_long_value_stays_in_the_process(redis: Redis, prefix: str) -> None:
    slot = CacheSpec(key="text", source="kalshi", tier=Tier(5, 60), shape=TypeAdapter(str))
    cache_of(redis, prefix, Clock()).get(slot, lambda: "x" * 300_000)
    assert redis.command("GET", f"{prefix}cache:text") is None


def test_threads_that_want_the_same_value_cause_one_fetch(redis: Redis, prefix: str) -> None:
    clock, source = Clock(), Source()
    cache = cache_of(redis, prefix, clock)
    entered, go = threading.Event(), threading.Event()

    def slow() -> int:
        entered.set()
        go.wait(PATIENCE_SECONDS)
        return source()

    with ThreadPoolExecutor(8) as threads:
        answers = [threads.submit(cache.get, NUMBER, slow) for _ in range(8)]
        entered.wait(PATIENCE_SECONDS)
        go.set()
        assert {answer.result().value for answer in answers} == {1}
    assert source.calls == 1


def test_processes_take_turns_at_a_source_with_a_pace(redis: Redis, prefix: str) -> None:
    clock = Clock()
    mine, theirs = Source(), Source()
    slept: list[float] = []

    def until_the_other_writes_it(seconds: float) -> None:
        slept.append(seconds)
        other.get(PACED_BY_OTHER, theirs)

    other = cache_of(redis, prefix, clock)
    cache = cache_of(redis, prefix, clock, sleep=until_the_other_writes_it)
    redis.command("SET", f"{prefix}cache:paced:turn", "1", "PX", 60_000)
    served = cache.get(PACED, mine)
    assert (served.value, mine.calls, theirs.calls, len(slept)) == (1, 0, 1, 1)


PACED_BY_OTHER = CacheSpec(key="paced", source="kalshi", tier=Tier(5, 60), shape=TypeAdapter(int))


def test_when_the_other_process_writes_nothing_the_next_turn_is_taken(redis: Redis, prefix: str) -> None:
    source, slept = Source(), list[float]()
    turn = f"{prefix}cache:paced:turn"

    def until_the_turn_ends(seconds: float) -> None:
        slept.append(seconds)
        redis.command("DEL", turn)

    redis.command("SET", turn, "1", "PX", 60_000)
    assert cache_of(redis, prefix, Clock(), sleep=until_the_turn_ends).get(PACED, source).value == 1
    assert sum(slept) == pytest.approx(1.0)


def test_a_process_without_a_turn_gives_up_and_does_not_call_the_source(redis: Redis, prefix: str) -> None:
    clock, source, slept = Clock(), Source(), list[float]()
    cache = cache_of(redis, prefix, clock, sleep=slept.append)
    redis.command("SET", f"{prefix}cache:paced:turn", "1", "PX", 60_000)
    with pytest.raises(SourceRateLimited):
        cache.get(PACED, source)
    assert source.calls == 0
    assert sum(slept) == pytest.approx(3.0)
    redis.command("DEL", f"{prefix}cache:paced:turn")
    cache.get(PACED, source)
    clock.now += 10
    redis.command("SET", f"{prefix}cache:paced:turn", "1", "PX", 60_000)
    assert cache.get(PACED, source).stale


def test_a_value_that_was_read_in_another_way_is_fresh_without_a_call() -> None:
    source = Source()
    cache = cache_of(None, "test:", Clock())
    cache.keep(NUMBER, 42)
    assert (cache.get(NUMBER, source).value, source.calls) == (42, 0)
