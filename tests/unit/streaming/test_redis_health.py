"""Whether Redis answers, from the reads of one process."""

from __future__ import annotations

from coliseum.streaming.redis_health import RedisHealth

NOW = 1000.0
WALL_MS = 1_700_000_000_000


def test_a_process_is_starting_until_redis_answers() -> None:
    health = RedisHealth()
    health.begin_waiting(NOW, 15.0)
    assert health.is_starting(NOW + 14.9)
    health.answered(WALL_MS)
    assert not health.is_starting(NOW + 1)
    assert health.first_answer_due == 0


def test_a_process_stops_starting_when_the_first_answer_is_overdue() -> None:
    health = RedisHealth()
    health.begin_waiting(NOW, 15.0)
    assert not health.is_starting(NOW + 15)


def test_a_process_that_was_answered_once_never_starts_again() -> None:
    health = RedisHealth()
    health.answered(WALL_MS)
    health.pause()
    health.begin_waiting(NOW, 15.0)
    assert not health.is_starting(NOW)


def test_an_outage_begins_with_the_first_read_that_failed_since_the_last_answer() -> None:
    health = RedisHealth()
    first = health.begin_read(NOW)
    second = health.begin_read(NOW + 1)
    health.end_read(second, failed=True)
    health.end_read(first, failed=True)
    assert health.failed(NOW + 5) is True
    assert health.down_since == NOW + 1


def test_only_the_first_failure_begins_an_outage() -> None:
    health = RedisHealth()
    assert health.failed(NOW) is True
    assert health.failed(NOW + 3) is False
    assert health.down_since == NOW


def test_an_answer_ends_an_outage_and_says_so() -> None:
    health = RedisHealth()
    health.failed(NOW)
    assert health.answered(WALL_MS) is True
    assert health.answered(WALL_MS + 1) is False
    assert (health.down_since, health.answered_ms) == (None, WALL_MS + 1)


def test_silence_counts_from_the_oldest_read_that_is_still_open() -> None:
    health = RedisHealth()
    assert health.silent_seconds(NOW) is None
    key = health.begin_read(NOW)
    health.begin_read(NOW + 2)
    assert health.silent_seconds(NOW + 3) == 3
    health.end_read(key)
    assert health.silent_seconds(NOW + 3) == 1


def test_silence_goes_on_while_failed_reads_are_repeated() -> None:
    health = RedisHealth()
    for second in range(4):
        key = health.begin_read(NOW + second)
        health.end_read(key, failed=True)
        health.failed(NOW + second)
    assert health.silent_seconds(NOW + 4) == 4


def test_a_pause_is_no_outage() -> None:
    health = RedisHealth()
    health.begin_read(NOW)
    health.failed(NOW)
    health.pause()
    assert (health.down_since, health.silent_seconds(NOW + 60)) == (None, None)


def test_a_read_that_ends_after_a_pause_changes_nothing() -> None:
    health = RedisHealth()
    key = health.begin_read(NOW)
    health.pause()
    health.end_read(key, failed=True)
    health.failed(NOW + 60)
    assert health.down_since == NOW + 60
