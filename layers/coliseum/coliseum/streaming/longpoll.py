"""The log as JSON: one response of the long poll, from what the ring or Redis holds. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from coliseum.feed.contiguity import Ahead, Reset
from coliseum.feed.entries import START, Entry, EntryId, EntryKind
from coliseum.feed.protocol import FeedState
from coliseum.feed.timestamps import rfc3339
from coliseum.streaming.resume import Cursor, cursor_in_ring, first_read, gap_data, read_on
from coliseum.streaming.subscription import EVENT_NAMES, Subscription
from coliseum.streaming.view import LogView


@dataclass(slots=True)
class LongPoll:
    """One request: where it stands and what it has collected."""

    subscription: Subscription
    cursor: Cursor | None = None
    """None until the start point is resolved."""
    items: list[dict[str, Any]] = field(default_factory=list)
    gap: dict[str, Any] | None = None
    reset: dict[str, Any] | None = None

    @property
    def complete(self) -> bool:
        """Whether there is something to respond with."""
        return bool(self.items) or self.gap is not None or self.reset is not None

    def collect(self, view: LogView) -> EntryId | None:
        """Take what the ring holds. Returns the position to read from in Redis where the ring does not reach back."""
        ring = view.ring
        if self.cursor is None:
            self.cursor = cursor_in_ring(self.subscription.start, ring)
        if self.cursor is None:
            return first_read(self.subscription.start)
        while not self.items and self.cursor.position.seq < ring.head.seq:
            if ring.epoch != self.cursor.epoch or not ring.covers(self.cursor.position):
                return self.cursor.position
            stretch = [encoded.entry for encoded in ring.stretch(self.cursor.position)]
            self._take(self.cursor.epoch, stretch)
        return None

    def receive(self, state: FeedState, view: LogView) -> bool:
        """The answer of Redis. Returns False where the log is behind the cursor and may only be a replica that lags."""
        outcome = read_on(self.subscription.start, self.cursor, state.reading)
        if isinstance(outcome, Ahead):
            return False
        if isinstance(outcome, Reset):
            self.restart(outcome.reason, Cursor(START, state.reading.epoch), view)
            return True
        self.cursor = outcome.cursor
        if outcome.gap is not None:
            self.gap = gap_data(outcome.gap)
        self._take(outcome.cursor.epoch, outcome.entries)
        return True

    def restart(self, reason: str, cursor: Cursor, view: LogView) -> None:
        """The cursor belongs to another history: go on at `cursor`, and say so."""
        self.cursor = cursor
        self.reset = {"reason": reason, "epoch": view.ring.epoch, "head": str(view.ring.head)}

    def data(self, view: LogView, now_ms: int) -> dict[str, Any]:
        """The list envelope, with what was lost. The start point must be resolved."""
        cursor = self.cursor
        return {
            "items": self.items,
            "count": len(self.items),
            "next_cursor": str(None if cursor is None else cursor.position),
            "gap": self.gap,
            "reset": self.reset,
            "epoch": None if cursor is None else cursor.epoch,
            "head": str(view.ring.head),
            "source": "log",
            "as_of": rfc3339(now_ms),
            "stale": bool(view.stale),
            "stale_sources": sorted(view.stale),
        }

    def _take(self, epoch: str | None, entries: Iterable[Entry]) -> None:
        takes = self.subscription.selection.takes
        for entry in entries:
            if takes(entry):
                self.items.append(_item(entry))
            # What the filter refuses moves the position all the same, or its loss would look like a gap later.
            self.cursor = Cursor(entry.id, epoch)


def _item(entry: Entry) -> dict[str, Any]:
    data = entry.data
    if entry.kind is EntryKind.TRADE:
        data = {"trades": [entry.data], "count": 1, "source": entry.data.get("source", "bot_live")}
    return {"id": str(entry.id), "event": EVENT_NAMES[entry.kind], "data": json.loads(json.dumps(data))}
