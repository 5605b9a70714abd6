"""What follows a reader's cursor: the next entries, a gap of known size, or another history. Pure.

Every read decides this again from the ids alone, because sequence numbers grow by exactly one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coliseum.feed.entries import START, Entry, EntryId


@dataclass(frozen=True, slots=True)
class Continue:
    """The entries that follow the cursor with none missing; possibly no entry."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries between the cursor and `to` are gone; `lost` is their exact number."""

    lost: int
    after: EntryId
    """The last entry before the gap: the cursor."""
    to: EntryId
    """The last missing entry. A reader goes on after this id."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The cursor belongs to another history of the log, so the number of missed entries is unknown."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ahead:
    """The cursor is ahead of the log.

    A lagging replica answered, or the log lost its newest entries. A reader asks again before it takes it for a Reset.
    """


@dataclass(frozen=True, slots=True)
class Reading:
    """One atomic read of the log from a cursor on.

    `entries` starts with the cursor's own entry where that still exists, which proves that the history is the same.
    """

    epoch: str | None
    """None before the first publish."""
    base_ms: int
    """When the epoch began, in unix ms. No id of the epoch is earlier."""
    head: EntryId
    entries: tuple[Entry, ...]


def follow(cursor: EntryId, epoch: str | None, reading: Reading) -> Continue | Gap | Reset | Ahead:
    """What follows `cursor` according to `reading`, which was read from `cursor` on.

    `epoch` is the one that the reader has seen, or None where it only has an id. A reader at `START` wants the whole
    epoch, so entries that were trimmed since then count as lost.
    """
    if reading.epoch is None:
        return Continue(()) if cursor == START and epoch is None else Ahead()
    if epoch is not None and epoch != reading.epoch:
        return Reset("epoch")
    # A reader without the epoch's name: an id older than the epoch belongs to an earlier one.
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
        if cursor.seq == reading.head.seq:  # the same number, but another time: a restored log was written on
            return Reset("history")
        return Gap(reading.head.seq - cursor.seq, cursor, reading.head)
    first = following[0].id
    if first.seq <= cursor.seq:  # this number stands at another time now, so the history forked
        return Reset("history")
    if first.seq > cursor.seq + 1:
        return Gap(first.seq - 1 - cursor.seq, cursor, EntryId(first.ms, first.seq - 1))
    return Continue(_until_gap(following))


def _until_gap(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The leading entries with consecutive numbers. A gap behind them is found by the next read."""
    for index in range(1, len(entries)):
        if entries[index].id.seq != entries[index - 1].id.seq + 1:
            return tuple(entries[:index])
    return tuple(entries)
