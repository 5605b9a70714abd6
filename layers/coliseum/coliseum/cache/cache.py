"""Values with their age and source: asked for once at a time, kept in the process and in Redis, stale on failure.

A fresh value costs nothing in the process that has it and one GET elsewhere; a refresh costs one SET more. The
whole works without Redis, each process then for itself.
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
"""The source of a value that its own source did not confirm this time."""
_REDIS = "redis"
_SHARED_CHARACTERS = 256 * 1024
"""Longer texts stay in the process: Redis is billed by traffic, and refuses a request above a size."""
_TURNS = 3
"""Times that a turn is waited for."""
_LOOKS = 4
"""Looks at Redis while another process has the turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSpec(Generic[Value]):
    """What one cached value is: its name, who says it, how long it keeps, its form."""

    key: str
    source: str
    tier: Tier
    shape: TypeAdapter[Value]
    pace_seconds: float | None = None
    """Spaces refreshes over all processes, for sources with a limit per account."""


@dataclass(frozen=True, slots=True)
class CachedValue(Generic[Value]):
    """A value with where it is from. `error` says why it is stale."""

    value: Value
    source: str
    as_of: float
    """Unix seconds."""
    age_seconds: float
    stale: bool = False
    error: SourceError | None = None

    def origin(self) -> dict[str, Any]:
        """Source, time, age and staleness by the names that every answer uses."""
        return {
            "source": self.source,
            "as_of": datetime.fromtimestamp(self.as_of, UTC),
            "stale": self.stale,
            "age_seconds": round(self.age_seconds, 3),
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

    def get(self, slot: CacheSpec[Value], fetch: Callable[[], Value]) -> CachedValue[Value]:
        """The slot's value: fresh where possible, stale with its error where the source fails.

        Raises the source's error where nothing was kept, and what is no source's failure as it is.
        """
        ready = self._fresh(slot, self._memory.recall(slot.key))
        if ready is not None:
            return ready
        with self._flight(slot.key):
            stored = self._newest(slot)
            ready = self._fresh(slot, stored)
            if ready is not None:
                return ready
            try:
                return self._refresh(slot, fetch)
            except SourceError as error:
                return self._stale(slot, stored, error)

    def ask(self, slot: CacheSpec[Value], fetch: Callable[[], Value]) -> Value:
        """The source's own word, at the pace of all processes; neither looked up nor kept. One Redis command."""
        pace_seconds = slot.pace_seconds
        for _ in range(_TURNS):
            if pace_seconds is None or self._take_turn(slot.key, pace_seconds):
                return self._breaker.call(slot.source, fetch)
            self._sleep(pace_seconds)
        raise _out_of_turn(slot)

    def _refresh(self, slot: CacheSpec[Value], fetch: Callable[[], Value]) -> CachedValue[Value]:
        if slot.pace_seconds is not None:
            awaited = self._await_turn(slot, slot.pace_seconds)
            if awaited is not None:
                return awaited
        value = self._breaker.call(slot.source, fetch)
        stored = CacheEntry(value, self._clock())
        text = serialize_entry(stored, slot.shape)
        self._memory.keep(slot.key, stored, size=len(text))
        if len(text) <= _SHARED_CHARACTERS:
            lifetime_ms = round(slot.tier.ceiling_seconds * 1000)
            self._ask_redis("SET", self._prefix + slot.key, text, "PX", lifetime_ms)
        return CachedValue(value, slot.source, stored.as_of, 0.0)

    def _await_turn(self, slot: CacheSpec[Value], pace_seconds: float) -> CachedValue[Value] | None:
        """None once it is our turn to ask, or what another process brought meanwhile.

        Raises SourceRateLimited where neither comes: asking all the same would break the pace for everybody.
        """
        for _ in range(_TURNS):
            if self._take_turn(slot.key, pace_seconds):
                return None
            awaited = self._await_other(slot, pace_seconds)
            if awaited is not None:
                return awaited
        raise _out_of_turn(slot)

    def _take_turn(self, key: str, pace_seconds: float) -> bool:
        """True for the one process that may ask now. The turn ends by itself, which is what spaces the calls.

        True as well where Redis cannot say: then the source's own limit has to.
        """
        turn = ("SET", f"{self._prefix}{key}:turn", "1", "NX", "PX", round(pace_seconds * 1000))
        reply = self._ask_redis(*turn, default="OK")
        return reply == "OK"

    def _await_other(self, slot: CacheSpec[Value], pace_seconds: float) -> CachedValue[Value] | None:
        """What the process whose turn it is brings, or None where it brought nothing in time."""
        for _ in range(_LOOKS):
            self._sleep(pace_seconds / _LOOKS)
            ready = self._fresh(slot, self._newest(slot))
            if ready is not None:
                return ready
        return None

    def _fresh(self, slot: CacheSpec[Value], stored: CacheEntry[Value] | None) -> CachedValue[Value] | None:
        if stored is None:
            return None
        age = self._age(stored)
        if slot.tier.judge(age) is not Freshness.FRESH:
            return None
        return CachedValue(stored.value, slot.source, stored.as_of, age)

    def _stale(
        self, slot: CacheSpec[Value], stored: CacheEntry[Value] | None, error: SourceError
    ) -> CachedValue[Value]:
        if stored is None or slot.tier.judge(self._age(stored)) is Freshness.GONE:
            raise error
        return CachedValue(stored.value, CACHE, stored.as_of, self._age(stored), stale=True, error=error)

    def _age(self, stored: CacheEntry[Any]) -> float:
        return max(0.0, self._clock() - stored.as_of)

    def _newest(self, slot: CacheSpec[Value]) -> CacheEntry[Value] | None:
        """What the process kept or what Redis holds, whichever is younger."""
        kept: CacheEntry[Value] | None = self._memory.recall(slot.key)
        text = self._ask_redis("GET", self._prefix + slot.key)
        shared = parse_entry(text, slot.shape)
        if shared is None or (kept is not None and kept.as_of >= shared.as_of):
            return kept
        self._memory.keep(slot.key, shared, size=len(str(text)))
        return shared

    def _ask_redis(self, *parts: str | int, default: object = None) -> object:
        """The reply, or `default` where Redis does not answer: a cache must not be what fails."""
        redis = self._redis
        if redis is None:
            return default
        with suppress(SourceError):
            return self._breaker.call(_REDIS, lambda: redis.command(*parts))
        return default

    def _flight(self, key: str) -> _SingleFlight:
        """The one refresh of `key` in this process; others wait for it."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = _SingleFlight(lambda: self._landed(key))
            flight.waiting += 1
            return flight

    def _landed(self, key: str) -> None:
        with self._lock:
            self._flights[key].waiting -= 1
            if not self._flights[key].waiting:
                del self._flights[key]


def _out_of_turn(slot: CacheSpec[Any]) -> SourceRateLimited:
    told = f"{slot.key}: others asked in the last {_TURNS * (slot.pace_seconds or 0):g} s and left no answer"
    return SourceRateLimited(slot.source, told, code="own_pace")


class _SingleFlight:
    """A lock that is forgotten once nobody wants it, so that keys do not pile up."""

    def __init__(self, landed: Callable[[], None]) -> None:
        self.waiting = 0
        self._landed = landed
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        self._landed()
