"""Which rows belong to one bot, exchange and account. Pure.

The rows of the first identity that wrote have empty labels, as all rows had before there were labels; the table
`history_owner` names it. Rows of every other identity name its account and bot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from coliseum.errors import SourceMalformed
from coliseum.store.replies import SOURCE
from coliseum.store.rows import Row

LABELLED: Mapping[str, tuple[str, ...]] = {
    "trades": ("account", "bot"),
    "feed_events": ("account", "bot"),
    "settlements": ("account",),
    "balance_snapshots": ("account",),
}
"""The label columns of each table whose rows belong to somebody. All other tables are shared."""


@dataclass(frozen=True, slots=True)
class RowLabels:
    """The labels of one identity's rows."""

    account: str
    bot: str
    claimed: bool
    """False until an identity has written: then rows with empty labels belong to the first one that writes."""

    def conditions(self, table: str) -> list[tuple[str, Literal["eq"], str]]:
        """The conditions that rows of `table` fulfil when they are this identity's."""
        return [(column, "eq", getattr(self, column)) for column in LABELLED.get(table, ())]

    def mark(self, table: str, rows: Sequence[Row]) -> list[Row]:
        """The rows with their labels."""
        labels = {column: getattr(self, column) for column in LABELLED.get(table, ())}
        return [{**row, **labels} for row in rows]


def row_labels_from(reply: Any) -> RowLabels:
    """The labels in the answer of `history_labels`. Raises SourceMalformed for another form."""
    try:
        account, bot, claimed = reply["account"], reply["bot"], reply["claimed"]
    except (KeyError, TypeError):
        account = bot = claimed = None
    if not isinstance(account, str) or not isinstance(bot, str) or not isinstance(claimed, bool):
        problem = f"history_labels: expected account, bot and claimed, got {str(reply)[:200]!r}"
        raise SourceMalformed(SOURCE, problem, field="history_labels")
    return RowLabels(account, bot, claimed)
