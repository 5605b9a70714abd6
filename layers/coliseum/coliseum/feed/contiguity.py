"""Is this the next entry, a gap from a to b, or another history? Decided by arithmetic on every read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coliseum.feed.entries import START, Entry, EntryId


@dataclass(frozen=True, slots=True)
class Continue:
    """The entries that follow the cursor without a hole; possibly none."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries between the cursor and `to` are gone for good; `lost` is their exact number."""

    lost: int
    after: EntryId
    """The last entry before the hole."""
    to: EntryId
    """Reading goes on after this id; its successor is the first entry still there."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The cursor belongs to another history: nothing can be said about what lies between."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ahead:
    """The cursor is ahead of the log: a stale replica, or a log that lost its tail. Retry before `Reset`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One atomic look at the log from a cursor on.

    `entries` starts with the cursor's own entry where that is still there, which proves the history is ours.
    """

    epoch: str | None
    """None where nothing was ever published."""
    base_ms: int
    """When the epoch began; every id of the epoch is at or after it."""
    head: EntryId
    entries: tuple[Entry, ...]


def follow(cursor: EntryId, epoch: str | None, reading: Reading) -> Continue | Gap | Reset | Ahead:
    """What a reader at `cursor` may conclude from `reading`.

    `epoch` is the one the reader has seen, or None where it only has an id. `START` means from the very first
    entry of the epoch, so entries trimmed since then count as lost.
    """
    if reading.epoch is None:
        return Continue(()) if cursor == START and epoch is None else Ahead()
    if epoch is not None and epoch != reading.epoch:
        return Reset("epoch")
    if cursor != START and cursor.ms < reading.base_ms:
        return Reset("epoch")
    if cursor.seq > reading.head.seq or cursor > reading.head:
        return Ahead()
    following = reading.entries
    anchored = bool(following) and following[0].id == cursor
    if anchored:
        following = following[1:]
    if not following:
        if anchored or cursor == reading.head or reading.head.seq == 0:
            return Continue(())
        if cursor.seq == reading.head.seq:
            return Reset("history")
        return Gap(reading.head.seq - cursor.seq, cursor, reading.head)
    first = following[0].id
    if first.seq <= cursor.seq:
        return Reset("history")
    if first.seq > cursor.seq + 1:
        return Gap(first.seq - 1 - cursor.seq, cursor, EntryId(first.ms, first.seq - 1))
    return Continue(_until_hole(following))


def _until_hole(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The leading run of consecutive sequence numbers; a hole behind it shows on the next read."""
    for index in range(1, len(entries)):
        if entries[index].id.seq != entries[index - 1].id.seq + 1:
            return tuple(entries[:index])
    return tuple(entries)
