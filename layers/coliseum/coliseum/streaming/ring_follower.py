"""Keeps the ring a copy of the log's end, entry after entry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from coliseum.feed.contiguity import Ahead, Continue, Gap, Reading, Reset, follow
from coliseum.feed.entries import START, Entry, EntryId, EntryKind
from coliseum.feed.protocol import FeedState, Notification
from coliseum.streaming.timings import AHEAD_RETRY_SECONDS
from coliseum.streaming.view import LogView

SEED = 200
"""Entries loaded at the start, so that most resumes need no read of their own."""


class Reads(Protocol):
    """Reads of the log; both raise ColiseumError where Redis does not answer."""

    async def read(self, after: EntryId) -> FeedState: ...

    async def latest(self, count: int) -> FeedState: ...


class RingFollower:
    """The only writer of a view's ring, and of what the log says about bot and poller.

    Invariants: the ring's entries are consecutive entries of one epoch, and a ring that is not the continuation of
    what it was has another `history`. Changes happen one after the other.
    """

    def __init__(self, view: LogView, log: Reads, *, ahead_seconds: float, announce: Callable[[], None]) -> None:
        """`announce` is called after each step of a long catch-up."""
        self._view = view
        self._log = log
        self._ahead_seconds = ahead_seconds
        self._announce = announce
        self._lock = asyncio.Lock()
        self._loop = asyncio.get_running_loop()

    async def catch_up(self) -> None:
        """Read until the ring's head is the log's head. Raises ColiseumError where Redis does not answer."""
        async with self._lock:
            await self._catch_up()

    async def take(self, notification: Notification | None) -> bool:
        """Apply a notification of the doorbell; None is one that could not be read, or a new subscription.

        Returns whether the notification alone was enough, without a read. Raises ColiseumError where a read fails.
        """
        async with self._lock:
            if notification is not None and self._apply(notification):
                return True
            await self._catch_up()
            return False

    def _apply(self, notification: Notification) -> bool:
        ring = self._view.ring
        if notification.heartbeat is not None:
            self._view.heartbeat = notification.heartbeat
            return not self._missed(notification)
        if notification.epoch != ring.epoch or notification.last is None:
            return False
        if notification.last <= ring.head and ring.covers(notification.last):
            return True
        # The doorbell is a hint: entries are taken from it only where they follow what the ring holds.
        if notification.previous != ring.head or notification.entries is None:
            return False
        self._extend(notification.entries)
        return True

    def _missed(self, notification: Notification) -> bool:
        """Whether the poller names an entry that no notification has brought."""
        ring = self._view.ring
        return notification.last is not None and (notification.epoch != ring.epoch or notification.last > ring.head)

    async def _catch_up(self) -> None:
        ring = self._view.ring
        ahead_until: float | None = None
        while True:
            if not self._view.loaded and ring.epoch is None:
                await self._load("epoch")
                return
            state = await self._log.read(ring.head)
            outcome = follow(ring.head, ring.epoch, state.reading)
            if isinstance(outcome, Ahead):
                ahead_until = ahead_until or self._loop.time() + self._ahead_seconds
                if self._loop.time() >= ahead_until:
                    await self._load("ahead")
                    return
                # A replica that lags looks like a log that lost its end: only time tells them apart.
                await asyncio.sleep(min(AHEAD_RETRY_SECONDS, self._ahead_seconds / 3))
                continue
            if isinstance(outcome, Reset):
                await self._load(outcome.reason)
                return
            if self._continue(outcome, state):
                return
            self._announce()

    def _continue(self, outcome: Continue | Gap, state: FeedState) -> bool:
        """Take the entries of a reading. Returns whether they reach the log's head."""
        ring, reading = self._view.ring, state.reading
        following: object = outcome
        if isinstance(outcome, Gap):
            # Trimmed entries are lost to the ring only. Each session finds its own gap by its own position.
            ring.restart(reading.epoch, outcome.to, same_history=True)
            following = follow(outcome.to, reading.epoch, reading)
        if not isinstance(following, Continue):
            return False
        if ring.epoch is None and reading.epoch is not None:
            ring.restart(reading.epoch, START, same_history=True)
        self._extend(following.entries)
        if following.entries and ring.head != reading.head:
            return False
        self._update_sources(state)
        return True

    async def _load(self, reason: str) -> None:
        """Begin with the newest entries. `reason` is what sessions of the earlier history are reset with."""
        state = await self._log.latest(SEED)
        floor, entries = _newest_run(state.reading)
        ring = self._view.ring
        first_load = not self._view.loaded and ring.epoch is None
        self._view.reset_reason = reason
        ring.restart(state.reading.epoch, floor, entries, same_history=first_load)
        self._update_sources(state)

    def _extend(self, entries: tuple[Entry, ...]) -> None:
        self._view.ring.extend(entries)
        for entry in entries:
            if entry.kind is EntryKind.BOT_STATUS:
                self._view.bot = entry.data

    def _update_sources(self, state: FeedState) -> None:
        self._view.loaded = True
        self._view.bot = state.bot or self._view.bot
        self._view.heartbeat = state.heartbeat or self._view.heartbeat


def _newest_run(reading: Reading) -> tuple[EntryId, tuple[Entry, ...]]:
    """The newest entries without a gap between them, and the id before the first of them."""
    entries = reading.entries
    if not entries or entries[-1].id != reading.head:
        return reading.head, ()
    first = len(entries) - 1
    while first > 0 and entries[first - 1].id.seq == entries[first].id.seq - 1:
        first -= 1
    if first > 0:
        return entries[first - 1].id, entries[first:]
    seq = entries[0].id.seq
    # Its predecessor's time is unknown; a client that names the predecessor is answered from Redis instead.
    return (START if seq == 1 else entries[0].id), (entries if seq == 1 else entries[1:])
