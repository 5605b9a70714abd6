"""The log's entries as the projection's SQL functions take them, and their answers."""

from __future__ import annotations

from typing import Any

from coliseum.errors import SourceMalformed
from coliseum.feed.entries import START, EntryId
from coliseum.projection.progress import ProjectionBatch, ProjectionCursor
from coliseum.store.client import Store

NAME = "history"
"""The projection's name in `projection_cursor`."""


def read_cursor(store: Store) -> ProjectionCursor:
    """Where the projection stands."""
    answer = store.rpc("projection_position", {"p_name": NAME})
    return _cursor(answer) if answer else ProjectionCursor(None, START)


def project_batch(store: Store, batch: ProjectionBatch) -> ProjectionCursor:
    """Take the batch over and move the cursor, in one transaction. Repeatable."""
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
        },
    )
    return _cursor(answer)


def _cursor(answer: Any) -> ProjectionCursor:
    try:
        return ProjectionCursor(str(answer["epoch"]), EntryId(int(answer["ms"]), int(answer["seq"])))
    except (KeyError, TypeError, ValueError) as error:
        raise SourceMalformed("postgres", f"the projection answered {str(answer)[:200]!r}", field="cursor") from error
