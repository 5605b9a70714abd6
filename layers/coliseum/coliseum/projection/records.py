"""Calls of the projection's SQL functions, with the log's entries as JSON."""

from __future__ import annotations

from typing import Any

from coliseum.errors import SourceMalformed
from coliseum.feed.entries import START, EntryId
from coliseum.projection.progress import ProjectionBatch, ProjectionCursor
from coliseum.store.client import Store

NAME = "history"
"""The projection's name in `projection_cursor`."""


def read_cursor(store: Store) -> ProjectionCursor:
    """The cursor in Postgres. Raises SourceError where Postgres fails."""
    labels = store.labels(claim=True)
    answer = store.rpc("projection_position", {"p_name": NAME, "p_account": labels.account, "p_bot": labels.bot})
    return _cursor(answer) if answer else ProjectionCursor(None, START)


def project_batch(store: Store, batch: ProjectionBatch) -> ProjectionCursor:
    """Store the batch and move the cursor, in one transaction. A repeated call stores nothing twice.

    Raises SourceRefused where the batch does not follow the cursor.
    """
    labels = store.labels(claim=True)
    answer = store.rpc(
        "project_entries",
        {
            "p_name": NAME,
            "p_epoch": batch.epoch,
            "p_after_seq": batch.after,
            "p_entries": [
                {"ms": entry.id.ms, "seq": entry.id.seq, "kind": entry.kind.value, "data": entry.data}
                for entry in batch.entries
            ],
            "p_lost": batch.lost,
            "p_account": labels.account,
            "p_bot": labels.bot,
        },
    )
    return _cursor(answer)


def _cursor(answer: Any) -> ProjectionCursor:
    try:
        return ProjectionCursor(str(answer["epoch"]), EntryId(int(answer["ms"]), int(answer["seq"])))
    except (KeyError, TypeError, ValueError) as error:
        raise SourceMalformed(
            "postgres", f"projection cursor: expected epoch, ms and seq, got {str(answer)[:200]!r}", field="cursor"
        ) from error
