"""The tail of the log in memory, encoded once, shared by all sessions of a process. Pure.

A session holds a position and pulls: it costs no memory here, however slow it is. Sessions with the same
selection at the same position get the same bytes object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from coliseum.feed.entries import START, Entry, EntryId, EntryKind
from coliseum.streaming.encode import framed, json_bytes, trades_json
from coliseum.streaming.subscription import EVENT_NAMES, Selection

CHUNK = 200
"""Entries looked at for one write: bounds what a slow client can hold in flight."""
EVENT_BYTES = 60_000
"""One `new_trades` event stays below 64 KB; more trades begin another one."""
_MEMO = 64


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry with its JSON."""

    entry: Entry
    json: bytes

    @classmethod
    def of(cls, entry: Entry) -> Kept:
        return cls(entry, json_bytes(entry.data))


@dataclass(frozen=True, slots=True)
class Block:
    """What a stretch of the log is for one selection."""

    data: bytes
    """Whole events, possibly none."""
    end: EntryId
    """The last entry looked at: the reader's position afterwards."""
    entries: int
    """Log entries delivered in `data`."""
    events: int
    latest_ms: int
    """Publisher's time of the last entry in `data`; 0 where it is empty."""
    last_id: EntryId | None
    """The last id written in `data`."""


def compose(stretch: Sequence[Kept], selection: Selection) -> Block:
    """Encode the entries that `selection` takes; neighbouring trades become one event with the last one's id.

    `stretch` must not be empty.
    """
    out: list[bytes] = []
    trades: list[Kept] = []
    size = taken = 0
    last: EntryId | None = None
    for kept in stretch:
        entry = kept.entry
        if not selection.takes(entry):
            continue
        taken += 1
        last = entry.id
        if entry.kind is not EntryKind.TRADE:
            _flush(out, trades)
            out.append(framed(EVENT_NAMES[entry.kind], kept.json, event_id=entry.id))
            continue
        if trades and (_source(trades[0]) != _source(kept) or size + len(kept.json) > EVENT_BYTES):
            _flush(out, trades)
        if not trades:
            size = 0
        size += len(kept.json) + 1
        trades.append(kept)
    _flush(out, trades)
    return Block(b"".join(out), stretch[-1].entry.id, taken, len(out), last.ms if last else 0, last)


def _flush(out: list[bytes], trades: list[Kept]) -> None:
    if trades:
        data = trades_json((kept.json for kept in trades), _source(trades[0]))
        out.append(framed("new_trades", data, event_id=trades[-1].entry.id))
        trades.clear()


def _source(kept: Kept) -> str:
    return str(kept.entry.data.get("source", "bot_live"))


@dataclass(slots=True, weakref_slot=True)
class Lane:
    """The ring as one selection sees it: each block is encoded once, whoever asks."""

    ring: Ring
    selection: Selection
    _memo: dict[EntryId, Block] = field(default_factory=dict)
    _version: int = -1

    def after(self, position: EntryId) -> Block:
        """The next block behind `position`, which the ring must cover and which must not be its head."""
        if self._version != self.ring.version or len(self._memo) >= _MEMO:
            self._memo.clear()
            self._version = self.ring.version
        block = self._memo.get(position)
        if block is None:
            block = self._memo[position] = compose(self.ring.stretch(position), self.selection)
        return block


class Ring:
    """Consecutive entries `floor` < … <= `head` of one epoch."""

    def __init__(self, capacity: int = 4096) -> None:
        self.epoch: str | None = None
        self.floor = START
        """The id before the first entry held."""
        self.head = START
        self.version = 0
        """Changes with every change of the content."""
        self.history = 0
        """Changes where the content stopped being a continuation of what it was."""
        self._capacity = capacity
        self._kept: list[Kept] = []
        self._lanes: WeakValueDictionary[Selection, Lane] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._kept)

    def lane(self, selection: Selection) -> Lane:
        """The lane of this selection, shared as long as somebody holds it."""
        lane = self._lanes.get(selection)
        if lane is None:
            lane = self._lanes[selection] = Lane(self, selection)
        return lane

    def restart(
        self, epoch: str | None, floor: EntryId, entries: Iterable[Entry] = (), *, same_history: bool = False
    ) -> None:
        """Hold `entries` behind `floor` and nothing else."""
        self.epoch, self.floor, self.head = epoch, floor, floor
        self._kept = []
        self.version += 1
        if not same_history:
            self.history += 1
        self.extend(entries)

    def extend(self, entries: Iterable[Entry]) -> None:
        """Append the entries that follow the head. Raises ValueError for a hole: the caller has checked."""
        for entry in entries:
            if entry.id.seq != self.head.seq + 1 or entry.id.ms < self.head.ms:
                raise ValueError(f"entry {entry.id} does not follow {self.head}")
            self._kept.append(Kept.of(entry))
            self.head = entry.id
        self.version += 1
        if len(self._kept) > self._capacity * 5 // 4:
            surplus = len(self._kept) - self._capacity
            self.floor = self._kept[surplus - 1].entry.id
            del self._kept[:surplus]

    def covers(self, position: EntryId) -> bool:
        """Whether everything after `position` is here, and `position` is of this history."""
        index = position.seq - self.floor.seq
        if index == 0:
            return position == self.floor
        return 0 < index <= len(self._kept) and self._kept[index - 1].entry.id == position

    def stretch(self, position: EntryId) -> list[Kept]:
        """Up to CHUNK entries after a covered `position`."""
        index = position.seq - self.floor.seq
        return self._kept[index : index + CHUNK]

    def before(self, ms: int) -> EntryId | None:
        """The position from which reading begins with the first entry at or after `ms`; None if it may lie below."""
        if self.floor != START and ms <= self.floor.ms:
            return None
        low, high = 0, len(self._kept)
        while low < high:
            middle = (low + high) // 2
            if self._kept[middle].entry.id.ms < ms:
                low = middle + 1
            else:
                high = middle
        return self._kept[low - 1].entry.id if low else self.floor

    def newest(self, selection: Selection, count: int) -> list[Kept]:
        """The newest trades held that `selection` takes, oldest first."""
        found: list[Kept] = []
        for kept in reversed(self._kept):
            if len(found) == count:
                break
            if kept.entry.kind is EntryKind.TRADE and selection.takes(kept.entry):
                found.append(kept)
        return found[::-1]
