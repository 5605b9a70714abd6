"""The log into Postgres: read behind the cursor, hand over, move on. Killed anywhere, it starts again there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from coliseum.errors import LogError, SourceError
from coliseum.feed.entries import EntryId
from coliseum.feed.feed import Feed
from coliseum.observability import logger
from coliseum.projection.progress import CaughtUp, ProjectionBatch, ProjectionCursor, advance
from coliseum.projection.records import project_batch, read_cursor
from coliseum.store.client import Store

BATCH = 200
"""Entries per transaction."""
BATCHES_MAX = 50
"""Per run; the rest waits for the next one."""
SECONDS_PER_BATCH = 3.0
"""With less time left no batch is begun."""
PATIENCE_RUNS = 3
"""A log that looks older than the cursor in so many runs in a row has lost its tail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionResult:
    """What one run did."""

    entries: int = 0
    lost: int = 0
    """Entries the log had dropped before they were taken over; Postgres has them as a gap."""
    problem: str | None = None


class Projector:
    """The projection of one process. It remembers how far it came, so that quiet minutes cost nothing."""

    def __init__(self, *, feed: Feed, store: Store | None) -> None:
        """`store` is None where no database is configured: every run then says so."""
        self._feed, self._store = feed, store
        self._done: tuple[str, EntryId] | None = None
        self._doubts = 0

    def run(self, head: tuple[str, EntryId] | None, *, time_left: Callable[[], float]) -> ProjectionResult:
        """Take over what lies behind the cursor, where `head`, the log's newest known entry, is not there yet.

        `time_left` in seconds. Never raises for a source that fails: the next run goes on from Postgres' cursor.
        """
        store = self._store
        if store is None:
            return ProjectionResult(problem="SUPABASE_URL or SUPABASE_SERVICE_ROLE_KEY is not set")
        if head is None or head == self._done:
            return ProjectionResult()
        entries = lost = 0
        try:
            cursor = read_cursor(store)
            for _ in range(BATCHES_MAX):
                if cursor.reaches(*head):
                    self._done, self._doubts = head, 0
                    break
                if time_left() < SECONDS_PER_BATCH:
                    break
                step = self._step(cursor)
                if isinstance(step, CaughtUp):
                    self._doubts = self._doubts + 1 if step.doubtful else 0
                    self._done = None if step.doubtful else head
                    break
                if isinstance(step, ProjectionCursor):
                    logger().warning("the log has another history", before=cursor.epoch, now=step.epoch)
                    cursor = step
                    continue
                cursor = project_batch(store, step)
                entries += len(step.entries)
                lost += step.lost
        except (SourceError, LogError) as error:
            logger().warning("the projection waits", problem=str(error))
            return ProjectionResult(entries=entries, lost=lost, problem=str(error))
        if lost:
            logger().error("the log dropped entries before they were projected", lost=lost)
        return ProjectionResult(entries=entries, lost=lost)

    def _step(self, cursor: ProjectionCursor) -> ProjectionBatch | CaughtUp | ProjectionCursor:
        reading = self._feed.read(cursor.id, count=BATCH).reading
        return advance(cursor, reading, patient=self._doubts < PATIENCE_RUNS)
