"""When the queue and the log are in step, and what happens when they are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from coliseum.errors import ColiseumError, LogMoved, SourceUnavailable
from coliseum.feed.entries import START, Candidate, EntryId, EntryKind, event_candidate
from coliseum.feed.feed import Feed, LogPosition, Published
from coliseum.feed.protocol import Fence
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT, Checkpoint, decode, encode
from coliseum.polling.log_writer import Loaded, LogWriter
from coliseum.polling.publications import Publication
from coliseum.polling.unpublished import UnpublishedQueue

KNOWN = replace(EMPTY_CHECKPOINT, run="r", answered_ms=1)
DOWN = SourceUnavailable("redis", "down")


class RecordingFeed:
    """A log in memory. `error` is raised by each call; `lose_reply` raises after the call was executed."""

    def __init__(self) -> None:
        self.epoch: str | None = None
        self.checkpoint: str | None = None
        self.fence = ""
        self.entries: list[Candidate] = []
        self.error: ColiseumError | None = None
        self.lose_reply = False

    def position(self) -> LogPosition:
        if self.error is not None:
            raise self.error
        return LogPosition(self.epoch, self._head(), self.checkpoint, self.fence)

    def publish(
        self,
        candidates: Sequence[Candidate],
        *,
        now_ms: int,
        checkpoint: str,
        bot: dict[str, object] | None,
        fence: Fence,
    ) -> Published:
        if self.error is not None:
            raise self.error
        if self.fence not in fence.accepted:
            raise LogMoved("another publisher has replaced the checkpoint")
        self.epoch, self.checkpoint, self.fence = "e", checkpoint, fence.token
        self.entries += candidates
        if self.lose_reply:
            raise DOWN
        return Published("e", self._head(), tuple((EntryId(now_ms, 1), one) for one in candidates))

    def stored(self) -> Checkpoint:
        assert self.checkpoint is not None
        return decode(self.checkpoint)

    def _head(self) -> EntryId:
        return EntryId(1, len(self.entries)) if self.entries else START


@pytest.fixture
def feed() -> RecordingFeed:
    return RecordingFeed()


@pytest.fixture
def queue() -> UnpublishedQueue:
    return UnpublishedQueue()


@pytest.fixture
def writer(feed: RecordingFeed, queue: UnpublishedQueue) -> LogWriter:
    """Has loaded the empty log."""
    made = LogWriter(cast(Feed, feed), queue)
    assert made.must_load
    assert made.load(tick=1)
    return made


def publication(name: str) -> Publication:
    return Publication((event_candidate(EntryKind.BOT_STATUS, name, {}),), replace(KNOWN, run=name))


def test_what_waits_is_published_with_its_checkpoint(
    feed: RecordingFeed, queue: UnpublishedQueue, writer: LogWriter
) -> None:
    queue.add(publication("a"))
    done = writer.publish(now_ms=5, tick=1)

    assert [one.key for _, one in done.published] == ["bot_status:a"]
    assert feed.stored().run == "a"
    assert (writer.head, writer.must_load, bool(queue)) == (("e", EntryId(1, 1)), False, False)


def test_without_news_nothing_is_sent(feed: RecordingFeed, writer: LogWriter) -> None:
    feed.error = DOWN

    assert not writer.publish(now_ms=5, tick=1).redis_failed


def test_a_failed_publish_waits_and_rests(feed: RecordingFeed, queue: UnpublishedQueue, writer: LogWriter) -> None:
    queue.add(publication("a"))
    feed.error = DOWN
    failed = [writer.publish(now_ms=5, tick=tick).redis_failed for tick in range(1, 8)]
    feed.error = None

    assert failed == [True, True, False, True, False, False, False]
    assert queue.entry_count == 1
    assert len(writer.publish(now_ms=5, tick=8).published) == 1


def test_a_call_whose_reply_was_lost_does_not_stop_the_next_one(
    feed: RecordingFeed, queue: UnpublishedQueue, writer: LogWriter
) -> None:
    queue.add(publication("a"))
    feed.lose_reply = True
    assert writer.publish(now_ms=5, tick=1).redis_failed
    feed.lose_reply = False
    queue.add(publication("b"))

    assert not writer.publish(now_ms=5, tick=2).redis_failed
    assert (feed.stored().run, writer.must_load) == ("b", False)


def test_another_pollers_publish_is_noticed_and_its_checkpoint_loaded(
    feed: RecordingFeed, queue: UnpublishedQueue, writer: LogWriter
) -> None:
    queue.add(publication("a"))
    feed.epoch, feed.fence, feed.checkpoint = "e", "theirs", encode(replace(KNOWN, run="theirs"))
    done = writer.publish(now_ms=5, tick=1)

    assert (done.published, done.redis_failed, writer.must_load) == ((), False, True)
    assert writer.load(tick=2)
    assert (queue.memory.run, queue.entry_count) == ("theirs", 0)


def test_the_memory_stays_where_nobody_else_has_published(
    feed: RecordingFeed, queue: UnpublishedQueue, writer: LogWriter
) -> None:
    queue.add(publication("a"))
    writer.publish(now_ms=5, tick=1)
    queue.add(publication("b"))
    writer.load_soon()

    assert writer.load(tick=2)
    assert (queue.memory.run, queue.entry_count, writer.must_load) == ("b", 1, False)


def test_a_log_that_was_emptied_leaves_the_memory(
    feed: RecordingFeed, queue: UnpublishedQueue, writer: LogWriter
) -> None:
    queue.add(publication("a"))
    writer.publish(now_ms=5, tick=1)
    feed.epoch, feed.fence, feed.checkpoint = None, "", None
    writer.load_soon()

    assert writer.load(tick=2)
    assert (queue.memory.run, writer.head) == ("a", None)


def test_a_checkpoint_that_cannot_be_read_means_a_first_contact(feed: RecordingFeed, queue: UnpublishedQueue) -> None:
    feed.epoch, feed.fence, feed.checkpoint = "e", "theirs", '{"version":99}'
    writer = LogWriter(cast(Feed, feed), queue)

    assert writer.load(tick=1)
    assert queue.memory is EMPTY_CHECKPOINT


def test_a_log_that_cannot_be_loaded_is_asked_less_and_less_often(feed: RecordingFeed, queue: UnpublishedQueue) -> None:
    writer = LogWriter(cast(Feed, feed), queue)
    feed.error = DOWN
    assert writer.load(tick=1) is Loaded.NOTHING
    assert writer.load(tick=2) is Loaded.NOTHING
    feed.error = None

    assert writer.load(tick=3) is Loaded.NOTHING
    assert writer.load(tick=4) is Loaded.REPLACED
