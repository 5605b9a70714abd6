"""The newest entries of the log in memory, encoded once, shared by all sessions of a process. Pure.

A session holds a position and asks for what follows it: it costs no memory here, however slow it is. Sessions with
the same filter at the same position get the same bytes object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from coliseum.feed.entries import START, Entry, EntryId, EntryKind
from coliseum.streaming.encode import framed, json_bytes, trades_json
from coliseum.streaming.subscription import EVENT_NAMES, Selection

CHUNK = 200
"""Entries looked at for one write: this bounds what is under way to a slow client."""
EVENT_BYTES = 60_000
"""A `new_trades` event stays below 64 KB; more trades begin another one."""
_BLOCKS_IN_MEMORY = 64


@dataclass(frozen=True, slots=True)
class EncodedEntry:
    """An entry with the JSON of its data."""

    entry: Entry
    json: bytes

    @classmethod
    def of(cls, entry: Entry) -> EncodedEntry:
        return cls(entry, json_bytes(entry.data))


@dataclass(frozen=True, slots=True)
class EncodedBlock:
    """A stretch of the log as events, for one filter."""

    data: bytes
    """Whole events; empty where the filter refuses every entry."""
    end: EntryId
    """The last entry looked at: the session's position afterwards."""
    entries: int
    """Log entries in `data`."""
    events: int
    latest_ms: int
    """When the last entry in `data` was published, unix ms; 0 where it is empty."""
    last_id: EntryId | None
    """The last id in `data`."""


def compose(stretch: Sequence[EncodedEntry], selection: Selection) -> EncodedBlock:
    """Encode the entries that `selection` takes; neighbouring trades become one event with the last one's id.

    `stretch` must not be empty.
    """
    events: list[bytes] = []
    trades: list[EncodedEntry] = []
    size = entries = 0
    last_id: EntryId | None = None
    for encoded in stretch:
        entry = encoded.entry
        if not selection.takes(entry):
            continue
        entries += 1
        last_id = entry.id
        if entry.kind is not EntryKind.TRADE:
            _flush(events, trades)  # another kind between two trades parts them, so that the log's order holds
            events.append(framed(EVENT_NAMES[entry.kind], encoded.json, event_id=entry.id))
            continue
        if trades and (_source(trades[0]) != _source(encoded) or size + len(encoded.json) > EVENT_BYTES):
            _flush(events, trades)
        if not trades:
            size = 0
        size += len(encoded.json) + 1
        trades.append(encoded)
    _flush(events, trades)
    latest_ms = last_id.ms if last_id else 0
    # `end` is the last entry of the stretch, not the last one taken: refused entries move the position too.
    return EncodedBlock(b"".join(events), stretch[-1].entry.id, entries, len(events), latest_ms, last_id)


def _flush(events: list[bytes], trades: list[EncodedEntry]) -> None:
    if trades:
        data = trades_json((encoded.json for encoded in trades), _source(trades[0]))
        events.append(framed("new_trades", data, event_id=trades[-1].entry.id))
        trades.clear()


def _source(encoded: EncodedEntry) -> str:
    return str(encoded.entry.data.get("source", "bot_live"))


@dataclass(slots=True, weakref_slot=True)
class FilteredRing:
    """The ring as one filter sees it. Each block is encoded once, for all sessions with this filter."""

    ring: Ring
    selection: Selection
    _blocks: dict[EntryId, EncodedBlock] = field(default_factory=dict)
    """By the position before them; valid for `_version` of the ring."""
    _version: int = -1

    def after(self, position: EntryId) -> EncodedBlock:
        """The block behind `position`, which the ring must cover and which must not be its head."""
        if self._version != self.ring.version or len(self._blocks) >= _BLOCKS_IN_MEMORY:
            self._blocks.clear()
            self._version = self.ring.version
        block = self._blocks.get(position)
        if block is None:
            block = self._blocks[position] = compose(self.ring.stretch(position), self.selection)
        return block


class Ring:
    """Consecutive entries `floor` < … <= `head` of one epoch."""

    def __init__(self, capacity: int = 4096) -> None:
        self.epoch: str | None = None
        self.floor = START
        """The id before the first entry in memory."""
        self.head = START
        self.version = 0
        """Another number after every change of the content."""
        self.history = 0
        """Another number where the content is no longer the continuation of what it was."""
        self._capacity = capacity
        self._entries: list[EncodedEntry] = []
        self._filtered: WeakValueDictionary[Selection, FilteredRing] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._entries)

    def filtered(self, selection: Selection) -> FilteredRing:
        """The ring as this filter sees it, one object for all that hold it."""
        filtered = self._filtered.get(selection)
        if filtered is None:
            filtered = self._filtered[selection] = FilteredRing(self, selection)
        return filtered

    def restart(
        self, epoch: str | None, floor: EntryId, entries: Iterable[Entry] = (), *, same_history: bool = False
    ) -> None:
        """Hold `entries`, which follow `floor`, and nothing else."""
        self.epoch, self.floor, self.head = epoch, floor, floor
        self._entries = []
        self.version += 1
        if not same_history:
            self.history += 1
        self.extend(entries)

    def extend(self, entries: Iterable[Entry]) -> None:
        """Append the entries that follow the head. Raises ValueError where one is missing: the caller must check."""
        for entry in entries:
            if entry.id.seq != self.head.seq + 1 or entry.id.ms < self.head.ms:
                raise ValueError(f"entry {entry.id} does not follow {self.head}")
            self._entries.append(EncodedEntry.of(entry))
            self.head = entry.id
        self.version += 1
        # Removing a fifth at a time costs less than moving the whole list for every entry.
        if len(self._entries) > self._capacity * 5 // 4:
            surplus = len(self._entries) - self._capacity
            self.floor = self._entries[surplus - 1].entry.id
            del self._entries[:surplus]

    def covers(self, position: EntryId) -> bool:
        """Whether everything behind `position` is here, and `position` belongs to this history."""
        index = position.seq - self.floor.seq
        if index == 0:
            return position == self.floor
        # The number alone proves nothing: another history has the same numbers with other times.
        return 0 < index <= len(self._entries) and self._entries[index - 1].entry.id == position

    def stretch(self, position: EntryId) -> list[EncodedEntry]:
        """Up to CHUNK entries behind a covered `position`."""
        index = position.seq - self.floor.seq
        return self._entries[index : index + CHUNK]

    def before(self, ms: int) -> EntryId | None:
        """The position whose next entry is the first one at or after `ms` (unix); None if it may be older than all."""
        if self.floor != START and ms <= self.floor.ms:
            return None
        low, high = 0, len(self._entries)
        while low < high:
            middle = (low + high) // 2
            if self._entries[middle].entry.id.ms < ms:
                low = middle + 1
            else:
                high = middle
        return self._entries[low - 1].entry.id if low else self.floor

    def newest_trades(self, selection: Selection, count: int) -> list[EncodedEntry]:
        """The newest `count` trades in memory that `selection` takes, oldest first."""
        trades: list[EncodedEntry] = []
        for encoded in reversed(self._entries):
            if len(trades) == count:
                break
            if encoded.entry.kind is EntryKind.TRADE and selection.takes(encoded.entry):
                trades.append(encoded)
        return trades[::-1]
