"""From a start point or a cursor to the entries that follow."""

from __future__ import annotations

import pytest

from coliseum.feed.contiguity import Ahead, Reading, Reset
from coliseum.feed.entries import START, Entry, EntryId, EntryKind
from coliseum.streaming.resume import Continuation, Cursor, cursor_in_ring, first_read, gap_data, read_on
from coliseum.streaming.ring import CHUNK, Ring
from coliseum.streaming.subscription import Earliest, Now, Resume, Since, StartPoint


def entry(seq: int) -> Entry:
    return Entry(EntryId(1000 + seq, seq), EntryKind.TRADE, {"trade_id": str(seq), "ticker": "A-1"})


def ring_of(first: int, last: int) -> Ring:
    ring = Ring()
    floor = START if first == 1 else entry(first - 1).id
    ring.restart("e", floor, [entry(seq) for seq in range(first, last + 1)])
    return ring


def reading_of(first: int, last: int, *, head: int | None = None) -> Reading:
    entries = tuple(entry(seq) for seq in range(first, last + 1))
    return Reading("e", 1000, entry(head or last).id, entries)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (Now(), entry(5).id),
        (Earliest(), START),
        (Since(1003), entry(2).id),
        (Resume(entry(3).id), entry(3).id),
    ],
)
def test_a_start_point_that_the_ring_covers_needs_no_read(start: StartPoint, expected: EntryId) -> None:
    assert cursor_in_ring(start, ring_of(1, 5)) == Cursor(expected, "e")


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (Earliest(), START),
        (Since(1001), EntryId(1001, 0)),
        (Resume(entry(1).id), entry(1).id),
        (Resume(EntryId(7777, 4)), EntryId(7777, 4)),
    ],
)
def test_a_start_point_outside_the_ring_is_read_from_redis(start: StartPoint, expected: EntryId) -> None:
    assert cursor_in_ring(start, ring_of(3, 5)) is None
    assert first_read(start) == expected


def test_the_entries_behind_a_cursor_follow_without_itself() -> None:
    outcome = read_on(Now(), Cursor(entry(2).id, "e"), reading_of(2, 5))
    assert outcome == Continuation(Cursor(entry(2).id, "e"), None, tuple(entry(seq) for seq in (3, 4, 5)))


def test_trimmed_entries_are_a_gap_and_reading_goes_on_behind_it() -> None:
    outcome = read_on(Resume(entry(2).id), None, reading_of(6, 8))
    assert isinstance(outcome, Continuation)
    assert outcome.gap is not None
    assert gap_data(outcome.gap) == {"lost": 3, "from": "1002-2", "to": "1006-5", "reason": "trimmed"}
    assert [each.id.seq for each in outcome.entries] == [6, 7, 8]


@pytest.mark.parametrize("start", [Earliest(), Since(1006)])
def test_a_time_or_earliest_claims_no_continuity_and_finds_no_gap(start: StartPoint) -> None:
    outcome = read_on(start, None, reading_of(6, 8))
    assert isinstance(outcome, Continuation)
    assert outcome.gap is None
    assert outcome.cursor == Cursor(EntryId(1006, 5), "e")


def test_a_time_after_the_newest_entry_begins_at_the_head() -> None:
    reading = Reading("e", 1000, entry(8).id, ())
    assert read_on(Since(9999), None, reading) == Continuation(Cursor(entry(8).id, "e"), None, ())


def test_the_first_entry_of_a_log_follows_the_start() -> None:
    outcome = read_on(Earliest(), None, reading_of(1, 2))
    assert isinstance(outcome, Continuation)
    assert outcome.cursor == Cursor(START, "e")


def test_an_id_ahead_of_the_log_may_be_right() -> None:
    assert isinstance(read_on(Resume(entry(9).id), None, reading_of(3, 5)), Ahead)


def test_a_cursor_of_another_epoch_is_reset() -> None:
    assert read_on(Now(), Cursor(entry(2).id, "before"), reading_of(2, 5)) == Reset("epoch")


def test_one_reading_yields_a_chunk_at_most() -> None:
    outcome = read_on(Now(), Cursor(START, "e"), reading_of(1, CHUNK + 50))
    assert isinstance(outcome, Continuation)
    assert len(outcome.entries) == CHUNK
