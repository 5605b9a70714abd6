"""From one look at the log: what the projection takes over next, and what it must declare as lost. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from coliseum.feed.contiguity import Ahead, Continue, Gap, Reading, follow
from coliseum.feed.entries import START, Entry, EntryId

REWRITTEN = "@"
"""Between an epoch's name and the entry from which on its history is another one."""


@dataclass(frozen=True, slots=True)
class ProjectionCursor:
    """The last entry taken over, and the history it belongs to."""

    epoch: str | None
    """None before the first projection."""
    id: EntryId

    def reaches(self, epoch: str, head: EntryId) -> bool:
        return self.epoch is not None and self.epoch.partition(REWRITTEN)[0] == epoch and self.id.seq >= head.seq


@dataclass(frozen=True, slots=True)
class ProjectionBatch:
    """Entries to take over, behind sequence number `after` and `lost` ones that are gone."""

    epoch: str
    after: int
    lost: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Nothing follows. `doubtful` where the log looked older than the cursor: a lagging replica, or a lost tail."""

    doubtful: bool = False


def advance(
    cursor: ProjectionCursor, reading: Reading, *, patient: bool = True
) -> ProjectionBatch | CaughtUp | ProjectionCursor:
    """What follows `cursor`. A Cursor in answer means: the history is another one, read it from there.

    A fail-over may cost the log its newest entries; it then counts on from an older one, and numbers stand for
    other entries than before. What follows is taken over as an epoch of its own. Whoever is not `patient` any
    longer concludes this from a log that stays behind the cursor.
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
    """The consecutive entries from `seq + 1` on; a further hole shows on the next read."""
    run: list[Entry] = []
    for entry in entries:
        if entry.id.seq == seq + len(run) + 1:
            run.append(entry)
    return tuple(run)
