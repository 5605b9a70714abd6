"""When a session reads from Redis again."""

from __future__ import annotations

from coliseum.streaming.read_pauses import ReadPauses


def test_waits_double_from_a_quarter_second_to_five() -> None:
    pauses, waits = ReadPauses(), []
    for _ in range(7):
        pauses.failed(100.0)
        waits.append(pauses.until - 100.0)
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_cursor_ahead_of_the_log_is_decided_after_the_patience() -> None:
    pauses = ReadPauses()
    assert not pauses.is_ahead(100.0, 3.0)
    assert pauses.until == 100.4
    assert not pauses.is_ahead(102.9, 3.0)
    assert pauses.is_ahead(103.0, 3.0)
    assert pauses.ahead_since is None
