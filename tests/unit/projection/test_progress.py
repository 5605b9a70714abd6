"""What the projection copies next, from one read of the log."""

from __future__ import annotations

from coliseum.feed.contiguity import Reading
from coliseum.feed.entries import START, Entry, EntryId, EntryKind
from coliseum.projection.progress import CaughtUp, ProjectionBatch, ProjectionCursor, advance

MS = 1_700_000_000_000


def entry(seq: int) -> Entry:
    return Entry(EntryId(MS + seq, seq), EntryKind.TRADE, {"n": seq})


def log(first: int, last: int, *, head: int | None = None, epoch: str | None = "e") -> Reading:
    """Entries `first` to `last`, as read from a cursor before them."""
    newest = last if head is None else head
    entries = tuple(entry(seq) for seq in range(first, last + 1))
    return Reading(epoch=epoch, base_ms=MS, head=EntryId(MS + newest, newest), entries=entries)


def at(seq: int, epoch: str = "e") -> ProjectionCursor:
    return ProjectionCursor(epoch, entry(seq).id)


def seqs(batch: object) -> list[int]:
    assert isinstance(batch, ProjectionBatch)
    return [entry.id.seq for entry in batch.entries]


def test_a_first_projection_begins_with_the_first_entry() -> None:
    step = advance(ProjectionCursor(None, START), log(1, 3))

    assert step == ProjectionBatch("e", 0, 0, (entry(1), entry(2), entry(3)))


def test_a_first_projection_records_entries_that_were_trimmed_before_as_lost() -> None:
    step = advance(ProjectionCursor(None, START), log(5, 6))

    assert isinstance(step, ProjectionBatch)
    assert (step.after, step.lost, seqs(step)) == (0, 4, [5, 6])


def test_the_next_batch_follows_the_cursor() -> None:
    assert seqs(advance(at(3), log(3, 6))) == [4, 5, 6]


def test_trimmed_entries_are_recorded_as_lost() -> None:
    step = advance(at(3), log(8, 9))

    assert isinstance(step, ProjectionBatch)
    assert (step.after, step.lost, seqs(step)) == (3, 4, [8, 9])


def test_a_gap_inside_the_log_is_left_to_the_next_read() -> None:
    reading = Reading(epoch="e", base_ms=MS, head=entry(9).id, entries=(entry(8), entry(9), entry(12)))

    assert seqs(advance(at(3), reading)) == [8, 9]


def test_a_log_trimmed_to_nothing_waits_for_the_entry_behind_the_gap() -> None:
    assert advance(at(3), log(8, 7, head=9)) == CaughtUp()


def test_a_cursor_at_the_head_has_caught_up() -> None:
    assert advance(at(3), log(3, 3)) == CaughtUp()
    assert at(3).reaches("e", entry(3).id)
    assert not at(3).reaches("e", entry(4).id)
    assert not at(3).reaches("f", entry(3).id)
    assert not ProjectionCursor(None, START).reaches("e", START)


def test_an_empty_redis_is_doubtful_where_there_was_a_history() -> None:
    nothing = Reading(epoch=None, base_ms=0, head=START, entries=())

    assert advance(ProjectionCursor(None, START), nothing) == CaughtUp()
    assert advance(at(3), nothing) == CaughtUp(doubtful=True)


def test_a_new_epoch_is_read_from_its_beginning() -> None:
    assert advance(at(3), log(1, 2, epoch="f")) == ProjectionCursor("f", START)
    assert seqs(advance(ProjectionCursor("f", START), log(1, 2, epoch="f"))) == [1, 2]


def test_a_log_behind_the_cursor_is_first_waited_for_and_then_read_again() -> None:
    """A lagging replica catches up; a log that lost its tail does not."""
    behind = log(1, 2)

    assert advance(at(5), behind) == CaughtUp(doubtful=True)
    assert advance(at(5), behind, patient=False) == ProjectionCursor(f"e@{entry(2).id}", START)


def test_numbers_that_were_used_again_begin_an_epoch_of_their_own() -> None:
    """The log fell back to entry 2 and counted on to 6: its entry 5 is another one."""
    rewritten = Reading(
        epoch="e",
        base_ms=MS,
        head=EntryId(MS + 106, 6),
        entries=tuple(Entry(EntryId(MS + 100 + seq, seq), EntryKind.TRADE, {}) for seq in range(3, 7)),
    )
    step = advance(at(5), rewritten)

    assert step == ProjectionCursor(f"e@{MS + 106}-6", START)
    assert isinstance(step, ProjectionCursor)
    assert step.reaches("e", EntryId(MS, 0))
    assert advance(step, log(1, 6)) == ProjectionBatch(str(step.epoch), 0, 0, log(1, 6).entries)
