"""Copies the log into Postgres. A run that is killed at any point goes on there in the next run."""

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

ENTRIES_PER_BATCH = 200
"""Entries per transaction."""
BATCHES_MAX = 50
"""Batches in one run. The rest waits for the next run."""
SECONDS_PER_BATCH = 3.0
"""With less time left, no batch is begun."""
DOUBTFUL_RUNS_MAX = 3
"""A log that looks older than the cursor in so many runs in a row has lost its newest entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionResult:
    """What one run did."""

    entries: int = 0
    lost: int = 0
    """Entries that the log had dropped before they were copied. Postgres has them as a gap."""
    problem: str | None = None


class Projector:
    """The projection of one process.

    It remembers the newest entry that it has copied, so that quiet minutes cost no command. The cursor in Postgres
    decides what is copied: it moves in the transaction that stores the entries.
    """

    def __init__(self, *, feed: Feed, store: Store | None) -> None:
        """`store` is None where no database is configured. Every run then reports that as its problem."""
        self._feed, self._store = feed, store
        self._copied_head: tuple[str, EntryId] | None = None
        self._doubtful_runs = 0

    def run(self, head: tuple[str, EntryId] | None, *, time_left: Callable[[], float]) -> ProjectionResult:
        """Copy what lies behind the cursor. `head` is the log's epoch and newest entry, as far as the caller knows.

        `time_left` gives seconds. Never raises for a source that fails: the next run goes on from the cursor in
        Postgres, and the result names the problem.
        """
        store = self._store
        if store is None:
            return ProjectionResult(problem="SUPABASE_URL or SUPABASE_SERVICE_ROLE_KEY is not set")
        if head is None or head == self._copied_head:
            return ProjectionResult()
        entries = lost = 0
        try:
            cursor = read_cursor(store)
            for _ in range(BATCHES_MAX):
                if cursor.reaches(*head):
                    self._copied_head, self._doubtful_runs = head, 0
                    break
                if time_left() < SECONDS_PER_BATCH:
                    break
                step = self._step(cursor)
                if isinstance(step, CaughtUp):
                    self._doubtful_runs = self._doubtful_runs + 1 if step.doubtful else 0
                    self._copied_head = None if step.doubtful else head
                    break
                if isinstance(step, ProjectionCursor):
                    logger().warning("log has another history", before=cursor.epoch, now=step.epoch)
                    cursor = step
                    continue
                cursor = project_batch(store, step)
                entries += len(step.entries)
                lost += step.lost
        except (SourceError, LogError) as error:
            logger().warning("projection failed; the next run continues", problem=str(error))
            return ProjectionResult(entries=entries, lost=lost, problem=str(error))
        if lost:
            logger().error("log dropped entries before they were projected", lost=lost)
        return ProjectionResult(entries=entries, lost=lost)

    def _step(self, cursor: ProjectionCursor) -> ProjectionBatch | CaughtUp | ProjectionCursor:
        reading = self._feed.read(cursor.id, count=ENTRIES_PER_BATCH).reading
        return advance(cursor, reading, patient=self._doubtful_runs < DOUBTFUL_RUNS_MAX)
