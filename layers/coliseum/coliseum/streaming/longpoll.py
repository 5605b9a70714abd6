"""The same log as JSON: one answer of the long poll, from what a ring or Redis holds. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from coliseum.feed.contiguity import Ahead, Continue, Gap, Reset, follow
from coliseum.feed.entries import START, Entry, EntryId, EntryKind
from coliseum.feed.protocol import FeedState
from coliseum.streaming.ring import CHUNK, Kept
from coliseum.streaming.subscription import EVENT_NAMES, Begin, Earliest, Now, Resume, Since, Subscription
from coliseum.streaming.view import View, clock_text


@dataclass(slots=True)
class Poll:
    """One request: where it stands and what it has found."""

    subscription: Subscription
    position: EntryId | None = None
    """None until the beginning is resolved."""
    items: list[dict[str, Any]] = field(default_factory=list)
    gap: dict[str, Any] | None = None
    reset: dict[str, Any] | None = None
    epoch: str | None = None

    @property
    def complete(self) -> bool:
        """Whether there is something worth answering with."""
        return bool(self.items) or self.gap is not None or self.reset is not None

    def question(self, view: View) -> EntryId | None:
        """Take what the view holds; the position to read from in Redis where that is needed, else None."""
        ring = view.ring
        if self.position is None:
            self.position = _from_ring(self.subscription.begin, view)
            self.epoch = ring.epoch
        if self.position is None:
            begin = self.subscription.begin
            return begin.after if isinstance(begin, Resume) else _floor(begin)
        while not self.items and self.position.seq < ring.head.seq:
            if ring.epoch != self.epoch or not ring.covers(self.position):
                return self.position
            self._take(ring.stretch(self.position))
        return None

    def answer(self, state: FeedState, view: View) -> bool:
        """What Redis said to the question; False where it is behind us and may know better soon."""
        reading = state.reading
        begin = self.subscription.begin
        if self.position is None and not isinstance(begin, Resume):
            first = reading.entries[0].id if reading.entries else None
            self.position = reading.head if first is None else EntryId(first.ms, first.seq - 1)
            self.position = START if self.position.seq == 0 else self.position
            self.epoch = reading.epoch
        after = begin.after if self.position is None and isinstance(begin, Resume) else self.position
        assert after is not None
        outcome = follow(after, self.epoch if self.position is not None else None, reading)
        if isinstance(outcome, Ahead):
            return False
        self.epoch = reading.epoch
        if isinstance(outcome, Reset):
            self.begin_anew(outcome.reason, view, START)
            return True
        self.position = after
        if isinstance(outcome, Gap):
            self.gap = {"lost": outcome.lost, "from": str(outcome.after), "to": str(outcome.to), "reason": "trimmed"}
            self.position = outcome.to
            outcome = follow(outcome.to, self.epoch, reading)
        if isinstance(outcome, Continue) and outcome.entries:
            self._take([Kept.of(entry) for entry in outcome.entries[:CHUNK]])
        return True

    def begin_anew(self, reason: str, view: View, position: EntryId) -> None:
        """The cursor is of another history."""
        self.position = position
        self.reset = {"reason": reason, "epoch": view.ring.epoch, "head": str(view.ring.head)}

    def data(self, view: View, now_ms: int) -> dict[str, Any]:
        """The list envelope, with what was lost."""
        return {
            "items": self.items,
            "count": len(self.items),
            "next_cursor": str(self.position),
            "gap": self.gap,
            "reset": self.reset,
            "epoch": self.epoch,
            "head": str(view.ring.head),
            "source": "log",
            "as_of": clock_text(now_ms),
            "stale": bool(view.stale),
            "stale_sources": sorted(view.stale),
        }

    def _take(self, stretch: Sequence[Kept]) -> None:
        takes = self.subscription.selection.takes
        self.items += [_item(kept.entry) for kept in stretch if takes(kept.entry)]
        self.position = stretch[-1].entry.id


def _item(entry: Entry) -> dict[str, Any]:
    data = entry.data
    if entry.kind is EntryKind.TRADE:
        data = {"trades": [entry.data], "count": 1, "source": entry.data.get("source", "bot_live")}
    return {"id": str(entry.id), "event": EVENT_NAMES[entry.kind], "data": json.loads(json.dumps(data))}


def _from_ring(begin: Begin, view: View) -> EntryId | None:
    ring = view.ring
    if isinstance(begin, Now):
        return ring.head
    if isinstance(begin, Earliest):
        return START if ring.floor == START else None
    if isinstance(begin, Since):
        return ring.before(begin.ms)
    return begin.after if ring.covers(begin.after) else None


def _floor(begin: Begin) -> EntryId:
    return EntryId(begin.ms, 0) if isinstance(begin, Since) else START
