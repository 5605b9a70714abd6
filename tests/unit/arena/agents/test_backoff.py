from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.agents.backoff import LONGEST_SECONDS, wait_seconds


def test_the_wait_doubles_with_each_attempt() -> None:
    assert [wait_seconds(attempt=number, retry_after=None, jitter=0) for number in (1, 2, 3)] == [10, 20, 40]


def test_a_longer_retry_after_is_respected() -> None:
    assert wait_seconds(attempt=1, retry_after=77.0, jitter=0) == 77
    assert wait_seconds(attempt=3, retry_after=5.0, jitter=0) == 40


@given(st.integers(0, 500), st.none() | st.floats(0, 1e9), st.floats(0, 1, exclude_max=True))
def test_a_wait_is_between_ten_seconds_and_ten_minutes(attempt: int, retry_after: float | None, jitter: float) -> None:
    assert 10 <= wait_seconds(attempt=attempt, retry_after=retry_after, jitter=jitter) <= LONGEST_SECONDS
