"""Events that wait for the next write."""

from __future__ import annotations

from coliseum.streaming.outbox import Outbox


def test_everything_that_waits_is_one_piece_in_order() -> None:
    outbox = Outbox(written_at=5.0)
    outbox.put(b"a")
    outbox.put(b"b")
    assert len(outbox) == 2
    assert outbox.take(9.0) == (b"ab", 2)


def test_what_was_taken_is_written_and_waits_no_more() -> None:
    outbox = Outbox(written_at=5.0)
    outbox.put(b"a")
    outbox.take(9.0)
    assert not outbox
    assert outbox.written_at == 9.0
