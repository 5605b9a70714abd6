"""The poller's side of the log: load its checkpoint, publish what waits, and rest while Redis fails."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from uuid import uuid4

from coliseum.errors import LogError, LogMoved, SourceError
from coliseum.feed.entries import Candidate, EntryId
from coliseum.feed.feed import Feed
from coliseum.observability import logger
from coliseum.polling.backoff import Backoff
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT, Checkpoint, decode, encode
from coliseum.polling.fences import FenceHistory
from coliseum.polling.metrics import TickResult
from coliseum.polling.publications import Publication
from coliseum.polling.unpublished import UnpublishedQueue


class Loaded(Enum):
    """What reading the log's checkpoint has changed."""

    NOTHING = "nothing"
    """Redis fails or rests."""
    UNCHANGED = "unchanged"
    """No other publisher has published, so what waits is still right."""
    EMPTIED = "emptied"
    """Redis lost the log. Memory and queue are kept, and the bot's list has to be published as a whole."""
    PUSHED = "pushed"
    """Only trades that the bot pushed were added. The queue is empty; what was read of the bot still counts."""
    REPLACED = "replaced"
    """Another poller has published. The queue is empty, and what was read of the bot may be older than the log."""


class LogWriter:
    """Keeps a queue and the log in step.

    Invariants: the checkpoint in the log moves only in the call that publishes its entries. After any sign that another
    poller may have published, the checkpoint is loaded before the bot is polled again.
    """

    def __init__(self, feed: Feed, queue: UnpublishedQueue) -> None:
        self._feed, self._queue = feed, queue
        self._fences, self._backoff = FenceHistory(), Backoff()
        self._must_load = True
        self._head: tuple[str, EntryId] | None = None
        self._stored = EMPTY_CHECKPOINT
        """The log's checkpoint as this process knows it: loaded, or published by itself."""

    @property
    def head(self) -> tuple[str, EntryId] | None:
        """Epoch and newest entry of the log, as far as this process knows."""
        return self._head

    @property
    def must_load(self) -> bool:
        """Whether the log's checkpoint has to be read before the next poll."""
        return self._must_load

    def load_soon(self) -> None:
        """Another poller may have published: read the log's checkpoint in the next tick."""
        self._must_load = True

    def load(self, *, tick: int) -> Loaded:
        """Read the log's checkpoint into the queue. One command."""
        if self._backoff.is_resting(tick):
            return Loaded.NOTHING
        try:
            position = self._feed.position()
        except (SourceError, LogError) as error:
            self._redis_failed(error, tick)
            return Loaded.NOTHING
        self._backoff.succeeded()
        self._must_load = False
        self._head = None if position.epoch is None else (position.epoch, position.head)
        if self._queue.memory is not EMPTY_CHECKPOINT and position.fence in self._fences:
            return Loaded.UNCHANGED
        self._fences.start_from(position.fence)
        if position.checkpoint is None and self._queue.memory is not EMPTY_CHECKPOINT:
            self._queue.log_was_emptied()
            return Loaded.EMPTIED
        before, self._stored = self._stored, _decoded(position.checkpoint)
        self._queue.restart_from(self._stored)
        only_pushed = before.poll_id != "" and before.poll_id == self._stored.poll_id
        return Loaded.PUSHED if only_pushed else Loaded.REPLACED

    def publish(self, *, now_ms: int, tick: int) -> TickResult:
        """Publish what waits, in batches. Whatever fails stays in the queue for a later tick."""
        if not self._queue or self._backoff.is_resting(tick):
            return TickResult(at_ms=now_ms)
        published: list[tuple[EntryId, Candidate]] = []
        try:
            for batch in self._queue.prepare_batches():
                published += self._publish_batch(batch, now_ms)
                self._queue.confirm_first()
            self._queue.confirm_all()
        except LogMoved:
            logger().info("another poller has published; loading its checkpoint")
            self._must_load = True
        except (SourceError, LogError) as error:
            self._redis_failed(error, tick)
            return TickResult(published=tuple(published), redis_failed=True, at_ms=now_ms)
        self._backoff.succeeded()
        return TickResult(published=tuple(published), at_ms=now_ms)

    def _publish_batch(self, batch: Publication, now_ms: int) -> tuple[tuple[EntryId, Candidate], ...]:
        fence = self._fences.next_fence(uuid4().hex)
        checkpoint = replace(batch.checkpoint, poll_id=fence.token)
        done = self._feed.publish(
            batch.entries, now_ms=now_ms, checkpoint=encode(checkpoint), bot=checkpoint.status, fence=fence
        )
        self._fences.confirm(fence)
        self._stored = checkpoint
        self._head = (done.epoch, done.head)
        return done.entries

    def _redis_failed(self, error: Exception, tick: int) -> None:
        self._backoff.failed(tick)
        logger().warning("redis failed", problem=str(error), waiting_entries=self._queue.entry_count)


def _decoded(text: str | None) -> Checkpoint:
    if text is None:
        return EMPTY_CHECKPOINT
    try:
        return decode(text)
    except LogError as error:
        logger().error("checkpoint cannot be read; starting without one", problem=str(error))
        return EMPTY_CHECKPOINT
