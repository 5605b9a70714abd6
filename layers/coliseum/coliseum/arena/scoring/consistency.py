"""One question, one price: what rows that share a question, a market or an event must agree on. Pure.

Agents are compared on what they share. If each row could bring its own price or outcome, an agent would choose what it
is compared with. So a column of `LEVELS` has one value for everything that it belongs to. An absent value is a value
too: a question with a price in one row and none in another is a contradiction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes

QUESTION = ("event", "window", "market")
MARKET = ("event", "market")
ROUND = ("event", "window")
AGENT = ("agent",)

LEVELS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("q", "yes_ask", "no_ask", "q_1h", "q_24h", "q_close"), QUESTION),
    **dict.fromkeys(("category", "group", "horizon", "volume", "due_at", "cluster"), QUESTION),
    **dict.fromkeys(("y", "settled_at", "strike"), MARKET),
    **dict.fromkeys(("structure", "outcomes"), ROUND),
    "role": AGENT,
}
"""What each column belongs to. A new column that does not describe the answer gets a line here."""


def level_name(column: str) -> str:
    """What the column has one value for, such as `event, window and market` or `agent`."""
    *others, last = LEVELS[column]
    return f"{', '.join(others)} and {last}" if others else last


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A column in which rows of the same question (or market, or event) differ."""

    column: str
    rows: Codes
    """The rows whose value is not that of the first row with the same key, in ascending order."""
    first: Codes
    """For each of `rows`: the first row with the same key."""


def disagreements(keys: Mapping[str, Codes], columns: Mapping[str, Any]) -> Iterator[Disagreement]:
    """Every column of `LEVELS` in which rows disagree, in the order of `LEVELS`.

    `keys` are the codes of agent, event, window and market, `columns` numbers (NaN: absent) or codes. All have equal
    lengths.
    """
    for level in dict.fromkeys(LEVELS.values()):
        names = [name for name in columns if LEVELS.get(name) == level and not _is_constant(columns[name])]
        if not names:
            continue
        first = _first_rows([keys[key] for key in level])
        for name in names:
            column = columns[name]
            with np.errstate(invalid="ignore"):
                rows = np.flatnonzero(column != column[first])
            rows = rows[~(_absent(column[rows]) & _absent(column[first[rows]]))]
            if len(rows):
                yield Disagreement(name, rows, first[rows])


def _first_rows(codes: list[Codes]) -> Codes:
    """For each row: the first row that has the same codes."""
    key = codes[0]
    for minor in codes[1:]:
        size = int(minor.max(initial=-1)) + 1
        if (int(key.max(initial=-1)) + 1) * size > np.iinfo(np.int64).max:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
        key = key * size + minor
    size = int(key.max(initial=-1)) + 1
    if size > 8 * len(key):  # else every possible key can have a place of its own, without sorting
        key = np.unique(key, return_inverse=True)[1].astype(np.int64)
        size = int(key.max(initial=-1)) + 1
    first = np.zeros(size, dtype=np.int64)
    # Of several assignments to one place the last counts, so the rows are written from the last to the first.
    first[key[::-1]] = np.arange(len(key) - 1, -1, -1)
    return np.asarray(first[key])


def _absent(values: Any) -> Any:
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=np.bool_)


def _is_constant(column: Any) -> bool:
    """Whether the column is one value that is repeated without taking memory (see `cells`)."""
    return bool(column.strides == (0,))
