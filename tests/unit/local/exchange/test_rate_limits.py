"""Token buckets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coliseum_local.exchange.rate_limits import CallerLimits, TokenBucket


def test_the_balance_may_be_asked_once_a_second_without_saving_up() -> None:
    allowance = CallerLimits()
    asked = [allowance.admits("GET", "/portfolio/balance", now) for now in (0.0, 0.5, 1.2, 1.3, 60.0, 60.1)]
    assert asked == [True, False, True, False, True, False]


def test_asking_too_often_for_the_balance_costs_nothing_else() -> None:
    allowance = CallerLimits()
    assert not all(allowance.admits("GET", "/portfolio/balance", 0.0) for _ in range(5))
    assert allowance.admits("GET", "/portfolio/fills", 0.0)


def test_reads_burst_for_three_seconds_and_then_run_at_twenty_a_second() -> None:
    allowance = CallerLimits()
    assert sum(allowance.admits("GET", "/markets", 0.0) for _ in range(100)) == 60
    assert sum(allowance.admits("GET", "/markets", 1.0) for _ in range(100)) == 20


def test_cheap_calls_cost_less() -> None:
    allowance = CallerLimits()
    assert sum(allowance.admits("DELETE", "/portfolio/events/orders/{order_id}", 0.0) for _ in range(100)) == 50


@given(st.lists(st.floats(0, 5), max_size=60))
def test_a_bucket_never_gives_more_than_it_held_and_was_refilled(pauses: list[float]) -> None:
    bucket, now, given_out = TokenBucket(refill=3, capacity=5), 0.0, 0
    for pause in pauses:
        now += pause
        given_out += bucket.take(1, now)
    assert given_out <= 5 + 3 * now + 1e-6
