"""What all record classes share: one store, and reads of many rows by a long list of ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from coliseum.store.client import Condition, Store

BATCH_SIZE = 50
"""Ids of one request, unless the caller says otherwise: they travel in its URL."""


class StoreRecords:
    """Reads and writes of some tables through one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def store(self) -> Store:
        return self._store

    def _select_by_ids(
        self,
        table: str,
        columns: str,
        *,
        column: str,
        ids: Iterable[str],
        where: Sequence[Condition] = (),
        order: Sequence[str],
        batch_size: int = BATCH_SIZE,
    ) -> list[dict[str, Any]]:
        """Rows whose `column` is one of `ids`, in as few requests as fit into URLs. `order` holds within a request."""
        wanted = sorted(set(ids))
        batches = [wanted[start : start + batch_size] for start in range(0, len(wanted), batch_size)]
        return [
            row
            for batch in batches
            for row in self._store.select(table, columns, where=[*where, (column, "in", batch)], order=order)
        ]
