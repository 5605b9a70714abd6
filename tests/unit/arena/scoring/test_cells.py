from __future__ import annotations

from typing import Any

import pytest

from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.slices import MOST_LABELS
from coliseum.errors import InvalidInput


def cell(**more: Any) -> Cell:
    return Cell(**{"agent": "a", "event": "e", "market": "m", "window": "1", "p": 0.5, **more})


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ([cell(p=1.01)], "p"),
        ([cell(p=-0.01)], "p"),
        ([cell(q=2)], "q"),
        ([cell(q_24h=-1)], "q_24h"),
        ([cell(yes_ask=1.5)], "yes_ask"),
        ([cell(y=2)], "y"),
        ([cell(y=-0.1)], "y"),
        ([cell(y=0.35), cell(agent="b", y=0.36)], "y"),
        ([cell(), cell()], "cell"),
        ([cell(y=1), cell(agent="b", y=0)], "y"),
        ([cell(y=1), cell(window="2", y=0)], "y"),
        ([cell(structure="sideways")], "structure"),
        ([cell(market=str(i), category=str(i)) for i in range(MOST_LABELS + 1)], "category"),
    ],
)
def test_contradictory_cells_are_refused(cells: list[Cell], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        table_from_cells(cells)

    assert caught.value.field == field


def test_two_events_may_use_the_same_name_for_a_market() -> None:
    assert len(table_from_cells([cell(event="e1", y=1), cell(event="e2", y=0)])) == 2


def test_rows_are_in_canonical_order() -> None:
    table = table_from_cells([cell(agent="b"), cell(window="2"), cell(event="d", window="3"), cell(window="1")])

    assert [table.agents[code] for code in table.agent] == ["a", "a", "a", "b"]
    assert [table.events[code] for code in table.event] == ["d", "e", "e", "e"]
    assert [table.windows[code] for code in table.window] == ["3", "1", "2", "1"]


def test_question_codes_are_the_same_for_every_agent() -> None:
    table = table_from_cells([cell(agent=agent, market=market) for agent in "ab" for market in "xyz"])

    assert table.question.tolist() == [0, 1, 2, 0, 1, 2]


def test_a_dimension_without_labels_gives_no_slices() -> None:
    assert table_from_cells([cell()]).dimensions == ()
    assert [one.name for one in table_from_cells([cell(category="x", q=0.5)]).dimensions] == ["category", "price"]


def test_keys_beyond_64_bits_still_sort() -> None:
    cells = [cell(agent=f"a{i}", event=f"e{i}", market=f"m{i}", window=f"w{i}") for i in range(100)]
    table = table_from_cells(cells * 1)

    assert len(set(table.question.tolist())) == 100
