"""Keeps our calls within the exchange's rate limits, with token buckets like the exchange's own. The clock is given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class TokenRate:
    """A bucket's size and refill, and the tokens that one call costs."""

    tokens_per_second: float
    capacity: float
    cost: float


class RateLimit(Enum):
    """The buckets of the lowest account tier, which every account has.

    The limit of calls without a key is not documented; it is counted per address. At 4 to 5 calls a second about 1 in
    20 was refused, so PUBLIC allows 3.
    """

    READ = TokenRate(tokens_per_second=200, capacity=200, cost=10)
    BALANCE = TokenRate(tokens_per_second=1, capacity=1, cost=1)
    PUBLIC = TokenRate(tokens_per_second=30, capacity=100, cost=10)


class RateLimiter:
    """All buckets of one client, shared by its threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = {limit: (limit.value.capacity, clock()) for limit in RateLimit}
        self._blocked_until = float("-inf")
        self._blocked_text = ""

    def reserve(self, limit: RateLimit) -> float:
        """Take a call's tokens; returns the seconds to wait until they are there.

        The bucket may go below 0: who comes later waits longer, so callers are served in order.
        """
        with self._lock:
            tokens = self._refilled(limit) - limit.value.cost
            self._tokens[limit] = (tokens, self._clock())
            blocked = self._blocked_until - self._clock()
        return max(0.0, blocked, -tokens / limit.value.tokens_per_second)

    def give_back(self, limit: RateLimit) -> None:
        """Return reserved tokens, for a caller who has no time to wait for them."""
        with self._lock:
            self._tokens[limit] = (self._refilled(limit) + limit.value.cost, self._clock())

    def block(self, seconds: float, until: str) -> None:
        """No call of any bucket for so many seconds: the exchange asked for that. `until` is the same for people."""
        with self._lock:
            end = self._clock() + seconds
            if end > self._blocked_until:
                self._blocked_until, self._blocked_text = end, until

    def blocked(self) -> tuple[float, str]:
        """For how many seconds the exchange still wants no call, and until when; 0 where it may be asked."""
        with self._lock:
            return max(0.0, self._blocked_until - self._clock()), self._blocked_text

    def drain(self, limit: RateLimit) -> None:
        """Empty the bucket: the exchange refused a call, so other programs use the same limit."""
        with self._lock:
            self._tokens[limit] = (min(0.0, self._refilled(limit)), self._clock())

    def _refilled(self, limit: RateLimit) -> float:
        tokens, since = self._tokens[limit]
        return min(limit.value.capacity, tokens + (self._clock() - since) * limit.value.tokens_per_second)
