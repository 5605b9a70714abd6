from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.scoring.consistency import LEVELS, disagreements, level_name

ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.sampled_from([0.0, 0.5, float("nan")])),
    max_size=12,
)


def found(rows: list[tuple[int, int, int, float]], column: str, *, spread: int = 1) -> list[tuple[int, int]]:
    """(row, first row) of every disagreement. `spread` makes the codes sparse."""
    keys = {
        name: np.array([row[place] * spread for row in rows], dtype=np.int64)
        for place, name in enumerate(("event", "window", "market"))
    }
    values = np.array([row[3] for row in rows])
    return [
        pair
        for one in disagreements(keys, {column: values})
        for pair in zip(one.rows.tolist(), one.first.tolist(), strict=True)
    ]


@given(ROWS, st.sampled_from(["q", "y", "outcomes"]), st.sampled_from([1, 10**6]))
def test_the_rows_that_differ_from_the_first_of_their_key_are_found(rows: Any, column: str, spread: int) -> None:
    place = {"event": 0, "window": 1, "market": 2}
    first: dict[tuple[int, ...], int] = {}
    wanted = []
    for index, row in enumerate(rows):
        start = first.setdefault(tuple(row[place[name]] for name in LEVELS[column]), index)
        if repr(rows[start][3]) != repr(row[3]):  # repr, because NaN != NaN
            wanted.append((index, start))

    assert found(rows, column, spread=spread) == wanted


def test_a_level_is_named_in_words() -> None:
    assert [level_name(name) for name in ("q", "y", "outcomes", "role")] == [
        "event, window and market", "event and market", "event and window", "agent",
    ]  # fmt: skip


def test_columns_that_belong_to_the_answer_are_not_compared() -> None:
    assert found([(0, 0, 0, 0.1), (0, 0, 0, 0.9)], "p") == []
