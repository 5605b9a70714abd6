from __future__ import annotations

import pytest

from coliseum.kalshi.pacing import RateLimit, RateLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_full_bucket_lets_a_burst_through_and_then_keeps_the_rate() -> None:
    limiter = RateLimiter(Clock())
    burst = [limiter.reserve(RateLimit.READ) for _ in range(20)]
    assert burst == [0.0] * 20
    assert [limiter.reserve(RateLimit.READ) for _ in range(3)] == pytest.approx([0.05, 0.10, 0.15])


def test_the_balance_is_asked_once_a_second_without_a_burst() -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    assert limiter.reserve(RateLimit.BALANCE) == 0
    assert limiter.reserve(RateLimit.BALANCE) == pytest.approx(1.0)
    clock.now += 10
    assert limiter.reserve(RateLimit.BALANCE) == 0
    clock.now += 0.4
    assert limiter.reserve(RateLimit.BALANCE) == pytest.approx(0.6)


def test_buckets_do_not_share_their_tokens() -> None:
    limiter = RateLimiter(Clock())
    for _ in range(50):
        limiter.reserve(RateLimit.READ)
    assert limiter.reserve(RateLimit.PUBLIC) == 0
    assert limiter.reserve(RateLimit.BALANCE) == 0


def test_returned_tokens_are_free_for_the_next_caller() -> None:
    limiter = RateLimiter(Clock())
    limiter.reserve(RateLimit.BALANCE)
    limiter.reserve(RateLimit.BALANCE)
    limiter.give_back(RateLimit.BALANCE)
    assert limiter.reserve(RateLimit.BALANCE) == pytest.approx(1.0)


def test_after_a_refusal_the_bucket_counts_as_empty_but_a_queue_stays() -> None:
    limiter = RateLimiter(Clock())
    limiter.drain(RateLimit.READ)
    assert limiter.reserve(RateLimit.READ) == pytest.approx(0.05)
    limiter.drain(RateLimit.READ)
    assert limiter.reserve(RateLimit.READ) == pytest.approx(0.10)


def test_a_block_holds_for_every_bucket_until_it_ends() -> None:
    now = [0.0]
    limiter = RateLimiter(lambda: now[0])
    limiter.block(30.0, "later")
    limiter.block(5.0, "sooner")
    assert [limiter.reserve(limit) for limit in RateLimit] == [30.0] * len(RateLimit)
    now[0] = 12.0
    assert limiter.blocked() == (18.0, "later")
    now[0] = 30.0
    assert (limiter.blocked()[0], limiter.reserve(RateLimit.READ)) == (0.0, 0.0)
