from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.consistency import LEVELS
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
        ([cell(q=0.5), cell(agent="b", q=0.7)], "q"),
        ([cell(q=0.5), cell(agent="b")], "q"),
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


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("q", 0.5, 0.7), ("yes_ask", 0.5, 0.7), ("no_ask", 0.5, None), ("q_1h", 0.5, 0.7), ("q_24h", 0.5, 0.7),
        ("q_close", None, 0.7), ("category", "x", "y"), ("horizon", "1-2d", None), ("volume", 1.0, 2.0),
        ("due_at", 1.0, 2.0), ("y", 1, 0), ("y", 1, None), ("settled_at", 1.0, 2.0), ("strike", 1.0, 2.0),
        ("structure", "exclusive", "above"), ("outcomes", 1, 2), ("cluster", "x", "y"),
    ],
)  # fmt: skip
def test_rows_of_one_question_agree_on_everything_but_the_answer(column: str, one: Any, other: Any) -> None:
    rows = [cell(**{column: one}), cell(agent="b", **{column: other})]
    for cells in (rows, rows[::-1]):
        with pytest.raises(InvalidInput, match=rf"^{column}: .*[ab]/e/m/1.*[ab]/e/m/1"):
            table_from_cells(cells)


def test_what_belongs_to_a_question_may_change_from_window_to_window() -> None:
    first = cell(q=0.5, volume=1.0, due_at=1.0, outcomes=1, category="x", structure="above", strike=1.0)
    later = cell(window="2", q=0.7, volume=2.0, due_at=2.0, outcomes=2, category="y", structure="below", strike=1.0)

    assert len(table_from_cells([first, later])) == 2


@pytest.mark.parametrize("change", [{"y": 0}, {"settled_at": 2.0}, {"strike": 2.0}])
def test_what_belongs_to_a_market_is_the_same_in_every_window(change: dict[str, Any]) -> None:
    whole = cell(y=1, settled_at=1.0, strike=1.0)

    with pytest.raises(InvalidInput, match="one value for each event"):
        table_from_cells([whole, replace(whole, window="2", **change)])


@pytest.mark.parametrize("change", [{"structure": "above"}, {"outcomes": 3}])
def test_what_belongs_to_an_event_is_the_same_for_all_its_markets(change: dict[str, Any]) -> None:
    whole = cell(structure="exclusive", outcomes=2)

    with pytest.raises(InvalidInput, match="one value for each event"):
        table_from_cells([whole, replace(whole, market="n", **change)])


def test_the_message_about_a_second_price_shows_both_rows_and_both_values() -> None:
    with pytest.raises(InvalidInput) as caught:
        table_from_cells([cell(q=0.5), cell(agent="b", q=0.7)])

    assert str(caught.value) == (
        "q: got '0.7 in b/e/m/1', expected one value for each event, window and market: it is 0.5 in a/e/m/1"
    )


def test_every_column_belongs_to_the_answer_or_to_what_is_asked() -> None:
    """A new column must be put into one of the two sets."""
    answer = {"agent", "event", "market", "window", "p", "noise", "track"}

    assert LEVELS.keys() | answer == {one.name for one in fields(Cell)}


def test_an_agent_has_one_role() -> None:
    table = table_from_cells([cell(agent="b", role="human"), cell(agent="a")])

    assert table.role_by_agent == {"b": "human"}
    assert table_from_cells([cell()]).roles == ()


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ([cell(role="robot")], "role: got 'robot', expected one of human, reference"),
        (
            [cell(role="human"), cell(market="n")],
            "role: got 'nothing in a/e/n/1', expected one value for each agent: it is human in a/e/m/1",
        ),
        ([cell(group="x"), cell(agent="b", group="y")], "group"),
    ],
)
def test_contradictory_roles_and_groups_are_refused(cells: list[Cell], wanted: str) -> None:
    with pytest.raises(InvalidInput, match=wanted):
        table_from_cells(cells)
