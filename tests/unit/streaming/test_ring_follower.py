"""The ring follows the log: entry after entry, from notifications and from reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tests.fixtures.waiting import PATIENCE_SECONDS

from coliseum.feed.contiguity import Reading
from coliseum.feed.entries import START, Entry, EntryId, EntryKind
from coliseum.feed.protocol import FeedState, Notification, PollerHeartbeat
from coliseum.streaming.ring_follower import RingFollower
from coliseum.streaming.view import LogView


def entries(first: int, last: int, kind: EntryKind = EntryKind.TRADE) -> tuple[Entry, ...]:
    return tuple(Entry(EntryId(1000 + seq, seq), kind, {"n": seq}) for seq in range(first, last + 1))


@dataclass
class Log:
    """A log in memory, as `LogSource` reads it."""

    entries: list[Entry] = field(default_factory=list)
    epoch: str | None = "e"
    reads: int = 0

    @property
    def head(self) -> EntryId:
        return self.entries[-1].id if self.entries else START

    async def read(self, after: EntryId) -> FeedState:
        self.reads += 1
        return self._state([entry for entry in self.entries if entry.id >= after][:201])

    async def latest(self, count: int) -> FeedState:
        self.reads += 1
        return self._state(self.entries[-count:])

    def _state(self, some: list[Entry]) -> FeedState:
        return FeedState(Reading(self.epoch, 1000, self.head, tuple(some)), None, None)


class World:
    """A log, a view and its follower."""

    def __init__(self, *some: Entry, ahead_seconds: float = 0.0) -> None:
        self.log, self.view, self.steps = Log(list(some)), LogView(), 0
        self.follower = RingFollower(self.view, self.log, ahead_seconds=ahead_seconds, announce=self._step)

    def _step(self) -> None:
        self.steps += 1

    @property
    def head(self) -> int:
        return self.view.ring.head.seq


def news(*some: Entry, previous: EntryId, epoch: str = "e", with_entries: bool = True) -> Notification:
    return Notification(epoch, previous, some[-1].id, some if with_entries else None, None)


def beat(last: EntryId | None, epoch: str = "e") -> Notification:
    heartbeat = PollerHeartbeat(owner="p", at=1, fresh_for=2, bot_ok_at=None, bot=None)
    return Notification(epoch, None, last, None, heartbeat)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), PATIENCE_SECONDS))


def test_the_first_read_loads_the_newest_entries() -> None:
    async def story() -> None:
        world = World(*entries(1, 500))
        await world.follower.catch_up()
        assert (world.head, world.view.loaded, world.log.reads) == (500, True, 1)
        assert 190 <= len(world.view.ring) <= 200

    run(story)


def test_a_notification_that_follows_the_head_needs_no_read() -> None:
    async def story() -> None:
        world = World(*entries(1, 3))
        await world.follower.catch_up()
        assert await world.follower.take(news(*entries(4, 5), previous=world.view.ring.head)) is True
        assert (world.head, world.log.reads) == (5, 1)

    run(story)


def test_a_notification_that_was_seen_already_changes_nothing() -> None:
    async def story() -> None:
        world = World(*entries(1, 3))
        await world.follower.catch_up()
        version = world.view.ring.version
        assert await world.follower.take(news(*entries(3, 3), previous=EntryId(1002, 2))) is True
        assert world.view.ring.version == version

    run(story)


def test_a_notification_behind_a_hole_makes_it_read() -> None:
    async def story() -> None:
        world = World(*entries(1, 3))
        await world.follower.catch_up()
        world.log.entries += entries(4, 6)
        assert await world.follower.take(news(*entries(6, 6), previous=EntryId(1005, 5))) is False
        assert world.head == 6

    run(story)


def test_a_notification_without_entries_or_of_another_epoch_makes_it_read() -> None:
    async def story() -> None:
        world = World(*entries(1, 3))
        await world.follower.catch_up()
        world.log.entries += entries(4, 4)
        head = world.view.ring.head
        assert await world.follower.take(news(*entries(4, 4), previous=head, with_entries=False)) is False
        assert world.head == 4
        other = news(*entries(5, 5), previous=world.view.ring.head, epoch="other")
        assert await world.follower.take(other) is False
        assert world.head == 4

    run(story)


def test_a_heartbeat_that_names_the_head_needs_no_read_and_another_one_does() -> None:
    async def story() -> None:
        world = World(*entries(1, 3))
        await world.follower.catch_up()
        assert await world.follower.take(beat(world.view.ring.head)) is True
        assert world.view.heartbeat is not None
        world.log.entries += entries(4, 4)
        assert await world.follower.take(beat(world.log.head)) is False
        assert world.head == 4

    run(story)


def test_a_long_catch_up_is_announced_step_by_step() -> None:
    async def story() -> None:
        world = World(*entries(1, 3))
        await world.follower.catch_up()
        world.log.entries += entries(4, 450)
        await world.follower.catch_up()
        assert (world.head, world.steps) == (450, 2)

    run(story)


def test_trimmed_entries_are_a_new_floor_of_the_same_history() -> None:
    async def story() -> None:
        world = World(*entries(1, 3))
        await world.follower.catch_up()
        history = world.view.ring.history
        world.log.entries = list(entries(10, 12))
        await world.follower.catch_up()
        assert (world.head, world.view.ring.floor.seq, world.view.ring.history) == (12, 9, history)

    run(story)


def test_another_epoch_is_another_history() -> None:
    async def story() -> None:
        world = World(*entries(1, 3))
        await world.follower.catch_up()
        history = world.view.ring.history
        world.log.epoch, world.log.entries = "other", list(entries(1, 2))
        await world.follower.catch_up()
        assert (world.head, world.view.ring.epoch, world.view.reset_reason) == (2, "other", "epoch")
        assert world.view.ring.history == history + 1

    run(story)


def test_a_log_that_lost_its_end_is_another_history_after_the_patience() -> None:
    async def story() -> None:
        world = World(*entries(1, 5), ahead_seconds=0.0)
        await world.follower.catch_up()
        history = world.view.ring.history
        world.log.entries = list(entries(1, 3))
        await world.follower.catch_up()
        assert (world.head, world.view.reset_reason) == (3, "ahead")
        assert world.view.ring.history == history + 1

    run(story)


def test_a_replica_that_catches_up_within_the_patience_changes_no_history() -> None:
    async def story() -> None:
        world = World(*entries(1, 5), ahead_seconds=3600.0)
        await world.follower.catch_up()
        history, whole = world.view.ring.history, list(world.log.entries)
        world.log.entries = list(entries(1, 3))
        behind = asyncio.ensure_future(world.follower.catch_up())
        await asyncio.sleep(0)
        world.log.entries = [*whole, *entries(6, 6)]
        await behind
        assert (world.head, world.view.ring.history) == (6, history)

    run(story)


def test_the_bots_status_is_that_of_the_newest_entry() -> None:
    async def story() -> None:
        world = World(*entries(1, 1))
        await world.follower.catch_up()
        status = entries(2, 2, EntryKind.BOT_STATUS)
        await world.follower.take(news(*status, previous=world.view.ring.head))
        assert world.view.bot == {"n": 2}

    run(story)
