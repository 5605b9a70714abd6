"""A cache in two levels, process and Redis, that serves an older value with its age where the source fails.

A fresh value costs nothing in the process that has it, and one GET in another process; a refresh costs one SET more.
Only one refresh of a key runs at a time in a process. Without Redis each process has only its own level.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.entries import CacheEntry, parse_entry, serialize_entry
from coliseum.cache.freshness import Freshness, Tier
from coliseum.cache.memory import MemoryCache
from coliseum.errors import SourceError, SourceRateLimited
from coliseum.upstash.client import Redis

Value = TypeVar("Value")
CACHE = "cache"
"""The `source` of a value that its own source did not confirm for this request."""
_REDIS = "redis"
_SHARED_CHARACTERS = 256 * 1024
"""Longer values stay in the process: Redis is billed by traffic and refuses large requests."""
_TURNS = 3
"""How many turns a request waits for before it gives up."""
_READS_PER_TURN = 4
"""How often Redis is read while another process has the turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSpec(Generic[Value]):
    """What one cached value is: key, source, allowed age, type."""

    key: str
    source: str
    tier: Tier
    shape: TypeAdapter[Value]
    pace_seconds: float | None = None
    """The shortest time between two refreshes of all processes together, for sources with a limit per account."""


@dataclass(frozen=True, slots=True)
class CachedValue(Generic[Value]):
    """A value with its source and age. `error` says why it is stale."""

    value: Value
    source: str
    as_of: float
    """Unix seconds."""
    age_seconds: float
    stale: bool = False
    error: SourceError | None = None

    def origin(self) -> dict[str, Any]:
        """Source, time, age and staleness, by the field names that every answer uses."""
        return origin_of(self.source, as_of=self.as_of, age_seconds=self.age_seconds, stale=self.stale)


def origin_of(source: str, *, as_of: float, age_seconds: float = 0.0, stale: bool = False) -> dict[str, Any]:
    """The same for data that were read for this answer; `as_of` in unix seconds."""
    return {
        "source": source,
        "as_of": datetime.fromtimestamp(as_of, UTC),
        "stale": stale,
        "age_seconds": round(age_seconds, 3),
    }


class Cache:
    """One per process."""

    def __init__(
        self,
        redis: Redis | None,
        *,
        prefix: str,
        breaker: CircuitBreaker,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._redis = redis
        self._prefix = f"{prefix}cache:"
        self._breaker = breaker
        self._clock = clock
        self._sleep = sleep
        self._memory = MemoryCache()
        self._flights: dict[str, _SingleFlight] = {}
        self._lock = threading.Lock()

    def get(self, spec: CacheSpec[Value], fetch: Callable[[], Value]) -> CachedValue[Value]:
        """The value: fresh where possible, or stale with its error where the source fails.

        Raises the SourceError of `fetch` where no older value exists. Other exceptions pass through.
        """
        fresh = self._fresh(spec, self._memory.get(spec.key))
        if fresh is not None:
            return fresh
        with self._flight(spec.key):
            entry = self._newest(spec)
            fresh = self._fresh(spec, entry)
            if fresh is not None:
                return fresh
            try:
                return self._refresh(spec, fetch)
            except SourceError as error:
                return self._stale(spec, entry, error)

    def keep(self, spec: CacheSpec[Value], value: Value) -> None:
        """Answer the next `get` of this process with a value that was read just now in another way."""
        entry = CacheEntry(value, self._clock())
        self._memory.put(spec.key, entry, size=len(serialize_entry(entry, spec.shape)))

    def fetch_paced(self, spec: CacheSpec[Value], fetch: Callable[[], Value]) -> Value:
        """The source's value of this moment, at the pace of all processes. It is not cached. One Redis command.

        Raises SourceRateLimited where other processes took every turn, else the SourceError of `fetch`.
        """
        pace_seconds = spec.pace_seconds
        for _ in range(_TURNS):
            if pace_seconds is None or self._take_turn(spec.key, pace_seconds):
                return self._breaker.call(spec.source, fetch)
            self._sleep(pace_seconds)
        raise _out_of_turn(spec)

    def _refresh(self, spec: CacheSpec[Value], fetch: Callable[[], Value]) -> CachedValue[Value]:
        if spec.pace_seconds is not None:
            other = self._await_turn(spec, spec.pace_seconds)
            if other is not None:
                return other
        value = self._breaker.call(spec.source, fetch)
        entry = CacheEntry(value, self._clock())
        text = serialize_entry(entry, spec.shape)
        self._memory.put(spec.key, entry, size=len(text))
        if len(text) <= _SHARED_CHARACTERS:
            lifetime_ms = round(spec.tier.ceiling_seconds * 1000)
            self._redis_command("SET", self._prefix + spec.key, text, "PX", lifetime_ms)
        return CachedValue(value, spec.source, entry.as_of, 0.0)

    def _await_turn(self, spec: CacheSpec[Value], pace_seconds: float) -> CachedValue[Value] | None:
        """None once it is this process's turn to refresh, or the value that another process wrote meanwhile.

        Raises SourceRateLimited where neither happens: a call out of turn would break the pace of all processes.
        """
        for _ in range(_TURNS):
            if self._take_turn(spec.key, pace_seconds):
                return None
            other = self._await_other(spec, pace_seconds)
            if other is not None:
                return other
        raise _out_of_turn(spec)

    def _take_turn(self, key: str, pace_seconds: float) -> bool:
        """True for the one process that may call the source now. The key expires by itself, which spaces the calls.

        True also where Redis does not answer: then only the source's own limit remains.
        """
        turn = ("SET", f"{self._prefix}{key}:turn", "1", "NX", "PX", round(pace_seconds * 1000))
        reply = self._redis_command(*turn, default="OK")
        return reply == "OK"

    def _await_other(self, spec: CacheSpec[Value], pace_seconds: float) -> CachedValue[Value] | None:
        """The value that the process with the turn writes; None where it wrote none in time."""
        for _ in range(_READS_PER_TURN):
            self._sleep(pace_seconds / _READS_PER_TURN)
            fresh = self._fresh(spec, self._newest(spec))
            if fresh is not None:
                return fresh
        return None

    def _fresh(self, spec: CacheSpec[Value], entry: CacheEntry[Value] | None) -> CachedValue[Value] | None:
        if entry is None:
            return None
        age = self._age(entry)
        if spec.tier.freshness_at(age) is not Freshness.FRESH:
            return None
        return CachedValue(entry.value, spec.source, entry.as_of, age)

    def _stale(self, spec: CacheSpec[Value], entry: CacheEntry[Value] | None, error: SourceError) -> CachedValue[Value]:
        if entry is None or spec.tier.freshness_at(self._age(entry)) is Freshness.GONE:
            raise error
        return CachedValue(entry.value, CACHE, entry.as_of, self._age(entry), stale=True, error=error)

    def _age(self, entry: CacheEntry[Any]) -> float:
        return max(0.0, self._clock() - entry.as_of)

    def _newest(self, spec: CacheSpec[Value]) -> CacheEntry[Value] | None:
        """The entry of this process or of Redis, whichever is newer."""
        local: CacheEntry[Value] | None = self._memory.get(spec.key)
        text = self._redis_command("GET", self._prefix + spec.key)
        shared = parse_entry(text, spec.shape)
        if shared is None or (local is not None and local.as_of >= shared.as_of):
            return local
        self._memory.put(spec.key, shared, size=len(str(text)))
        return shared

    def _redis_command(self, *parts: str | int, default: object = None) -> object:
        """The reply, or `default` where Redis does not answer: the cache must never be the part that fails."""
        redis = self._redis
        if redis is None:
            return default
        with suppress(SourceError):
            return self._breaker.call(_REDIS, lambda: redis.command(*parts))
        return default

    def _flight(self, key: str) -> _SingleFlight:
        """The one refresh of `key` in this process. Other threads wait for it and then find a fresh value."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = _SingleFlight(lambda: self._remove_flight(key))
            flight.waiting += 1
            return flight

    def _remove_flight(self, key: str) -> None:
        with self._lock:
            self._flights[key].waiting -= 1
            if not self._flights[key].waiting:
                del self._flights[key]


def _out_of_turn(spec: CacheSpec[Any]) -> SourceRateLimited:
    seconds = _TURNS * (spec.pace_seconds or 0)
    problem = f"{spec.key}: other processes used every turn of the last {seconds:g} s and wrote no value"
    return SourceRateLimited(spec.source, problem, code="own_pace")


class _SingleFlight:
    """A lock per key that is removed when no thread waits for it, so that the number of locks stays small."""

    def __init__(self, on_exit: Callable[[], None]) -> None:
        self.waiting = 0
        self._on_exit = on_exit
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        self._on_exit()
