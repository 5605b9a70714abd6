from __future__ import annotations

import itertools

from coliseum.polling.backoff import REST_TICKS_MAX, Backoff


def ticks_used(backoff: Backoff, ticks: range) -> list[int]:
    """The ticks in which Redis is used while it fails every time."""
    used = []
    for tick in ticks:
        if not backoff.is_resting(tick):
            used.append(tick)
            backoff.failed(tick)
    return used


def test_redis_may_be_used_at_once() -> None:
    assert not Backoff().is_resting(1)


def test_the_rest_doubles_with_each_failure_up_to_its_limit() -> None:
    used = ticks_used(Backoff(), range(1, 50))

    assert [later - earlier for earlier, later in itertools.pairwise(used)] == [1, 2, 4, 8, 10, 10, 10]
    assert REST_TICKS_MAX == 10


def test_a_success_makes_the_next_rest_short_again() -> None:
    backoff = Backoff()
    ticks_used(backoff, range(1, 20))
    backoff.succeeded()
    backoff.failed(30)

    assert not backoff.is_resting(31)
