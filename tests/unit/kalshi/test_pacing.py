from __future__ import annotations

import pytest

from coliseum.kalshi.pacing import Lane, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_full_bucket_lets_a_burst_through_and_then_keeps_the_rate() -> None:
    pace = Pace(Clock())
    burst = [pace.reserve(Lane.READ) for _ in range(20)]
    assert burst == [0.0] * 20
    assert [pace.reserve(Lane.READ) for _ in range(3)] == pytest.approx([0.05, 0.10, 0.15])


def test_the_balance_is_asked_once_a_second_without_a_burst() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.reserve(Lane.BALANCE) == 0
    assert pace.reserve(Lane.BALANCE) == pytest.approx(1.0)
    clock.now += 10
    assert pace.reserve(Lane.BALANCE) == 0
    clock.now += 0.4
    assert pace.reserve(Lane.BALANCE) == pytest.approx(0.6)


def test_lanes_do_not_share_their_tokens() -> None:
    pace = Pace(Clock())
    for _ in range(50):
        pace.reserve(Lane.READ)
    assert pace.reserve(Lane.PUBLIC) == 0
    assert pace.reserve(Lane.BALANCE) == 0


def test_a_turn_that_was_not_taken_is_free_for_the_next_caller() -> None:
    pace = Pace(Clock())
    pace.reserve(Lane.BALANCE)
    pace.reserve(Lane.BALANCE)
    pace.give_back(Lane.BALANCE)
    assert pace.reserve(Lane.BALANCE) == pytest.approx(1.0)


def test_after_a_refusal_the_bucket_counts_as_empty_but_a_queue_stays() -> None:
    pace = Pace(Clock())
    pace.drain(Lane.READ)
    assert pace.reserve(Lane.READ) == pytest.approx(0.05)
    pace.drain(Lane.READ)
    assert pace.reserve(Lane.READ) == pytest.approx(0.10)
