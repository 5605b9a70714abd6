"""Ask no faster than the exchange allows: token buckets as the exchange fills them. The clock comes in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket's size and refill, and what one call takes out of it."""

    tokens_per_second: float
    capacity: float
    cost: float


class Lane(Enum):
    """The buckets of the lowest account tier, which every account has.

    Calls without a key are counted per address and undocumented: about 1 in 20 was refused at 4 to 5 calls a second.
    """

    READ = Rate(tokens_per_second=200, capacity=200, cost=10)
    BALANCE = Rate(tokens_per_second=1, capacity=1, cost=1)
    PUBLIC = Rate(tokens_per_second=30, capacity=100, cost=10)


class Pace:
    """All lanes of one client, shared by its threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = {lane: (lane.value.capacity, clock()) for lane in Lane}

    def reserve(self, lane: Lane) -> float:
        """Take a call's tokens; answers the seconds to wait until they are there. Callers queue up fairly."""
        with self._lock:
            tokens = self._refilled(lane) - lane.value.cost
            self._tokens[lane] = (tokens, self._clock())
        return max(0.0, -tokens / lane.value.tokens_per_second)

    def give_back(self, lane: Lane) -> None:
        """Return what was reserved: the caller has no time to wait for it."""
        with self._lock:
            self._tokens[lane] = (self._refilled(lane) + lane.value.cost, self._clock())

    def drain(self, lane: Lane) -> None:
        """The exchange says the bucket is empty, so others share it: believe it."""
        with self._lock:
            self._tokens[lane] = (min(0.0, self._refilled(lane)), self._clock())

    def _refilled(self, lane: Lane) -> float:
        tokens, since = self._tokens[lane]
        return min(lane.value.capacity, tokens + (self._clock() - since) * lane.value.tokens_per_second)
