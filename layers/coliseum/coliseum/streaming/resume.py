"""From a start point or a cursor to the entries that follow it: one rule for streams and the long poll. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coliseum.feed.contiguity import Ahead, Continue, Gap, Reading, Reset, follow
from coliseum.feed.entries import START, Entry, EntryId
from coliseum.streaming.ring import CHUNK, Ring
from coliseum.streaming.subscription import Earliest, Now, Resume, Since, StartPoint


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the log: the last entry looked at, and its epoch where that is known."""

    position: EntryId
    epoch: str | None


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a reading holds behind a cursor."""

    cursor: Cursor
    """Where `entries` follow: the cursor itself, or the end of the gap."""
    gap: Gap | None
    entries: tuple[Entry, ...]
    """Consecutive entries, `CHUNK` of them at most."""


def cursor_in_ring(start: StartPoint, ring: Ring) -> Cursor | None:
    """Where a client begins whose start point the ring covers; None where Redis must be read."""
    position: EntryId | None = None
    if isinstance(start, Now):
        position = ring.head
    elif isinstance(start, Earliest):
        position = START if ring.floor == START else None
    elif isinstance(start, Since):
        position = ring.before(start.ms)
    elif ring.covers(start.after):
        position = start.after
    return None if position is None else Cursor(position, ring.epoch)


def first_read(start: StartPoint) -> EntryId:
    """The position to read the log from in Redis where `cursor_in_ring` finds none."""
    if isinstance(start, Resume):
        return start.after
    return EntryId(start.ms, 0) if isinstance(start, Since) else START


def read_on(start: StartPoint, cursor: Cursor | None, reading: Reading) -> Continuation | Reset | Ahead:
    """What follows `cursor` in a reading that was asked for behind it; None stands for `start`.

    Only a client that names an entry claims continuity: a time or `earliest` begins with what is there, without a gap.
    """
    if cursor is None:
        cursor = _cursor_in_reading(start, reading)
    outcome = follow(cursor.position, cursor.epoch, reading)
    if isinstance(outcome, Ahead | Reset):
        return outcome
    position, gap = cursor.position, None
    if isinstance(outcome, Gap):
        position, gap = outcome.to, outcome
        after_gap = follow(outcome.to, reading.epoch, reading)
        entries = after_gap.entries if isinstance(after_gap, Continue) else ()
    else:
        entries = outcome.entries
    return Continuation(Cursor(position, reading.epoch), gap, entries[:CHUNK])


def gap_data(gap: Gap) -> dict[str, Any]:
    """The data of a `gap` event, and the field `gap` of a response."""
    return {"lost": gap.lost, "from": str(gap.after), "to": str(gap.to), "reason": "trimmed"}


def _cursor_in_reading(start: StartPoint, reading: Reading) -> Cursor:
    if isinstance(start, Resume):
        return Cursor(start.after, None)  # the client knows an id, not the epoch it belongs to
    if not reading.entries:
        return Cursor(reading.head, reading.epoch)
    first = reading.entries[0].id
    return Cursor(START if first.seq == 1 else EntryId(first.ms, first.seq - 1), reading.epoch)
