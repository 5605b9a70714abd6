"""What the projection copies next from the log, and how many entries it must record as lost. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from coliseum.feed.contiguity import Ahead, Continue, Gap, Reading, follow
from coliseum.feed.entries import START, Entry, EntryId

REWRITTEN = "@"
"""Stands between an epoch's name and the id of the entry at which its history was found to be another one."""


@dataclass(frozen=True, slots=True)
class ProjectionCursor:
    """The last entry that was copied, and the history to which it belongs."""

    epoch: str | None
    """None before the first projection."""
    id: EntryId

    def reaches(self, epoch: str, head: EntryId) -> bool:
        """Whether nothing is left to copy of a log with this epoch and newest entry."""
        return self.epoch is not None and self.epoch.partition(REWRITTEN)[0] == epoch and self.id.seq >= head.seq


@dataclass(frozen=True, slots=True)
class ProjectionBatch:
    """Entries to copy. `lost` entries behind sequence number `after` are gone; `entries` follow those."""

    epoch: str
    after: int
    lost: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Nothing follows the cursor.

    `doubtful` where the log looked older than the cursor: a lagging replica answered, or the log lost its newest
    entries.
    """

    doubtful: bool = False


def advance(
    cursor: ProjectionCursor, reading: Reading, *, patient: bool = True
) -> ProjectionBatch | CaughtUp | ProjectionCursor:
    """What follows `cursor`. A ProjectionCursor as the answer means: read again from there, the history is another one.

    After a fail-over Redis may lack its newest entries. The log then counts on from an older entry, so numbers that
    were copied before stand for other entries. What follows is copied as an epoch of its own, named
    `<epoch>@<id>`. A log that stays behind the cursor is taken for such a case once the caller is no longer `patient`.
    """
    if reading.epoch is None:
        return CaughtUp(doubtful=cursor.epoch is not None)
    if cursor.epoch is None:
        cursor = ProjectionCursor(reading.epoch, START)
    epoch = cursor.epoch or reading.epoch
    if epoch.partition(REWRITTEN)[0] != reading.epoch:
        return ProjectionCursor(reading.epoch, START)
    decision = follow(cursor.id, reading.epoch, reading)
    match decision:
        case Continue(entries):
            return ProjectionBatch(epoch, cursor.id.seq, 0, entries) if entries else CaughtUp()
        case Gap(lost, _, to):
            entries = _run_after(reading.entries, to.seq)
            return ProjectionBatch(epoch, cursor.id.seq, lost, entries) if entries else CaughtUp()
        case Ahead() if patient:
            return CaughtUp(doubtful=True)
        case _:
            return ProjectionCursor(f"{reading.epoch}{REWRITTEN}{reading.head}", START)


def _run_after(entries: tuple[Entry, ...], seq: int) -> tuple[Entry, ...]:
    """The consecutive entries from `seq + 1` on. A further gap is found by the next read."""
    run: list[Entry] = []
    for entry in entries:
        if entry.id.seq == seq + len(run) + 1:
            run.append(entry)
    return tuple(run)
