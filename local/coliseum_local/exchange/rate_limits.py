"""Rate limits: token buckets per caller, and a slower one of its own for the balance."""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULT_COST = 10
COSTS = {("GET", "/portfolio/orders/{order_id}"): 2, ("DELETE", "/portfolio/events/orders/{order_id}"): 2}
"""Tokens of the endpoints that do not cost `DEFAULT_COST`."""


@dataclass(slots=True)
class TokenBucket:
    """`refill` tokens are added per second, up to `capacity`."""

    refill: float
    capacity: float
    tokens: float = field(init=False)
    filled_at: float | None = None

    def __post_init__(self) -> None:
        self.tokens = self.capacity

    def take(self, cost: float, now: float) -> bool:
        """Spend tokens if there are enough; a refused request costs nothing. `now` in seconds of a monotonic clock."""
        if self.filled_at is not None:
            self.tokens = min(self.capacity, self.tokens + (now - self.filled_at) * self.refill)
        self.filled_at = now
        if self.tokens < cost:
            return False
        self.tokens -= cost
        return True


@dataclass(slots=True)
class CallerLimits:
    """Buckets of one caller, of the basic tier. Reads may burst for three seconds."""

    read: TokenBucket = field(default_factory=lambda: TokenBucket(refill=200, capacity=600))
    write: TokenBucket = field(default_factory=lambda: TokenBucket(refill=100, capacity=100))
    balance: TokenBucket = field(default_factory=lambda: TokenBucket(refill=1, capacity=1))
    """GET /portfolio/balance: one call a second, no burst, counted apart from the other reads."""

    def admits(self, method: str, route: str, now: float) -> bool:
        """Whether the call may be made now; if so, its tokens are spent."""
        if (method, route) == ("GET", "/portfolio/balance"):
            return self.balance.take(1, now)
        bucket = self.read if method == "GET" else self.write
        return bucket.take(COSTS.get((method, route), DEFAULT_COST), now)
