from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.feed.contiguity import Ahead, Continue, Gap, Reading, Reset, follow
from coliseum.feed.entries import START, Entry, EntryId, EntryKind

BASE_MS = 1000


def _entry(ms: int, seq: int) -> Entry:
    return Entry(EntryId(ms, seq), EntryKind.TRADE, {})


def _log(*ids: tuple[int, int]) -> tuple[Entry, ...]:
    return tuple(_entry(*numbers) for numbers in ids)


def _reading(
    entries: tuple[Entry, ...],
    cursor: EntryId,
    *,
    head: EntryId | None = None,
    epoch: str | None = "e1",
    count: int = 1000,
) -> Reading:
    """The log as Redis answers a reader at `cursor`."""
    newest = entries[-1].id if entries else START
    following = tuple(entry for entry in entries if cursor == START or entry.id >= cursor)
    return Reading(epoch=epoch, base_ms=BASE_MS, head=head or newest, entries=following[: count + 1])


LOG = _log((1000, 1), (1000, 2), (1005, 3), (1009, 4))


@pytest.mark.parametrize(
    ("cursor", "sequence"),
    [(START, [1, 2, 3, 4]), (EntryId(1000, 1), [2, 3, 4]), (EntryId(1005, 3), [4]), (EntryId(1009, 4), [])],
)
def test_a_reader_continues_after_its_cursor(cursor: EntryId, sequence: list[int]) -> None:
    answer = follow(cursor, "e1", _reading(LOG, cursor))
    assert isinstance(answer, Continue)
    assert [entry.id.seq for entry in answer.entries] == sequence


def test_a_reader_whose_own_entry_was_just_trimmed_continues() -> None:
    cursor = EntryId(1000, 2)
    assert follow(cursor, "e1", _reading(LOG[2:], cursor)) == Continue(LOG[2:])


def test_trimmed_entries_are_a_gap_of_their_exact_number() -> None:
    cursor = EntryId(1000, 1)
    gap = follow(cursor, "e1", _reading(LOG[3:], cursor))
    assert gap == Gap(2, cursor, EntryId(1009, 3))
    assert isinstance(gap, Gap)
    assert follow(gap.to, "e1", _reading(LOG[3:], gap.to)) == Continue(LOG[3:])


def test_entries_trimmed_before_a_new_reader_came_count_as_lost() -> None:
    assert follow(START, None, _reading(LOG[2:], START)) == Gap(2, START, EntryId(1005, 2))


def test_a_deleted_stream_with_its_counter_is_a_gap_to_the_head() -> None:
    cursor, head = EntryId(1000, 1), EntryId(1009, 4)
    assert follow(cursor, "e1", _reading((), cursor, head=head)) == Gap(3, cursor, head)
    assert follow(head, "e1", _reading((), head, head=head)) == Continue(())


def test_a_gap_inside_the_log_is_found_by_the_next_read() -> None:
    holed = (*LOG[:2], LOG[3])
    assert follow(START, "e1", _reading(holed, START)) == Continue(LOG[:2])
    cursor = LOG[1].id
    assert follow(cursor, "e1", _reading(holed, cursor)) == Gap(1, cursor, EntryId(1009, 3))


def test_another_epoch_is_a_reset() -> None:
    assert follow(EntryId(1000, 1), "e0", _reading(LOG, EntryId(1000, 1))) == Reset("epoch")


def test_an_id_older_than_the_epoch_is_a_reset_even_without_knowing_the_epoch() -> None:
    cursor = EntryId(BASE_MS - 1, 1)
    assert follow(cursor, None, _reading(LOG, cursor)) == Reset("epoch")


@pytest.mark.parametrize("cursor", [EntryId(1009, 5), EntryId(1009, 900), EntryId(1010, 4)])
def test_a_cursor_beyond_the_head_is_ahead(cursor: EntryId) -> None:
    assert follow(cursor, "e1", _reading(LOG, cursor)) == Ahead()


def test_a_fork_is_a_reset() -> None:
    """The reader saw 1002-2; the log, restored, wrote another second entry."""
    cursor = EntryId(1002, 2)
    assert follow(cursor, "e1", _reading(_log((1000, 1), (1004, 2), (1005, 3)), cursor)) == Reset("history")


def test_a_fork_at_the_head_is_a_reset() -> None:
    cursor = EntryId(1002, 2)
    assert follow(cursor, "e1", _reading(_log((1000, 1)), cursor, head=EntryId(1004, 2))) == Reset("history")


def test_before_the_first_publish_there_is_nothing_to_follow() -> None:
    empty = Reading(epoch=None, base_ms=0, head=START, entries=())
    assert follow(START, None, empty) == Continue(())
    assert follow(START, "e1", empty) == Ahead()
    assert follow(EntryId(1000, 1), None, empty) == Ahead()


def test_an_epoch_without_entries_continues() -> None:
    assert follow(START, "e1", _reading((), START, head=START)) == Continue(())


@st.composite
def _logs(draw: st.DrawFn) -> tuple[Entry, ...]:
    steps = draw(st.lists(st.integers(0, 3), min_size=1, max_size=30))
    ms, entries = BASE_MS, []
    for seq, step in enumerate(steps, 1):
        ms += step
        entries.append(_entry(ms, seq))
    return tuple(entries)


@given(log=_logs(), data=st.data())
def test_delivered_and_lost_entries_add_up_for_any_trimming_and_paging(
    log: tuple[Entry, ...], data: st.DataObject
) -> None:
    """For every set of entries gone before the newest one, nothing is delivered twice, skipped or reordered."""
    kept = (*(entry for entry in log[:-1] if data.draw(st.booleans())), log[-1])
    start = data.draw(st.sampled_from([START, *(entry.id for entry in log)]))
    delivered: list[Entry] = []
    cursor, lost = start, 0
    while cursor != log[-1].id:
        count = data.draw(st.integers(1, 5))
        match follow(cursor, "e1", _reading(kept, cursor, count=count)):
            case Continue(entries):
                assert entries, "a reader that is behind must advance"
                delivered += entries
                cursor = entries[-1].id
            case Gap(missing, after, to):
                assert after == cursor
                assert missing > 0
                lost += missing
                cursor = to
            case other:
                raise AssertionError(other)
    assert len(delivered) + lost == log[-1].id.seq - start.seq
    assert delivered == [entry for entry in kept if entry.id > start]


@given(log=_logs(), trimmed=st.integers(0, 30), data=st.data())
def test_trimming_between_two_reads_is_a_gap_of_exactly_the_trimmed_entries(
    log: tuple[Entry, ...], trimmed: int, data: st.DataObject
) -> None:
    seen = data.draw(st.integers(0, len(log)))
    cursor = START if seen == 0 else log[seen - 1].id
    kept = log[trimmed:]
    answer = follow(cursor, "e1", _reading(kept, cursor, head=log[-1].id))
    lost = max(0, min(trimmed, len(log)) - seen)
    if lost:
        assert isinstance(answer, Gap)
        assert answer.lost == lost
    else:
        assert answer == Continue(tuple(entry for entry in kept if entry.id > cursor))


@given(
    cursor=st.builds(EntryId, st.integers(0, 1100), st.integers(0, 40)),
    log=_logs(),
    epoch=st.sampled_from([None, "e1", "e0"]),
)
def test_any_cursor_gets_an_answer_and_never_an_older_entry(
    cursor: EntryId, log: tuple[Entry, ...], epoch: str | None
) -> None:
    answer = follow(cursor, epoch, _reading(log, cursor))
    if isinstance(answer, Continue):
        assert all(entry.id > cursor for entry in answer.entries)
        assert [entry.id.seq for entry in answer.entries] == list(
            range(cursor.seq + 1, cursor.seq + 1 + len(answer.entries))
        )
