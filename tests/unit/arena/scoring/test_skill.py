from __future__ import annotations

import math

import numpy as np
import pytest

from coliseum.arena.scoring import skill
from coliseum.arena.scoring.cells import Cell, CellTable, table_from_cells


def table_of(*rows: tuple[float | None, float | None, float | None]) -> CellTable:
    return table_from_cells(
        Cell(agent="a", event=f"e{i}", market="m", window="1", p=p, q=q, y=y) for i, (p, q, y) in enumerate(rows)
    )


@pytest.mark.parametrize(
    ("p", "q", "y", "takes", "right"),
    [
        (0.7, 0.5, 1, True, True),
        (0.7, 0.5, 0, True, False),
        (0.3, 0.5, 0, True, True),
        (0.52, 0.50, 1, False, False),  # on the band's edge
        (0.521, 0.50, 1, True, True),
        (0.7, None, 1, False, False),
        (0.7, 0.5, None, False, False),
        (None, 0.5, 1, False, False),
        (0.7, 0.5, 0.6, True, True),  # a fraction above the price
        (0.3, 0.5, 0.6, True, False),
        (0.7, 0.5, 0.5, False, False),  # the price itself came out: no side was right
        (0.7, 1.0, 1, True, False),
    ],
)
def test_a_forecast_takes_a_side_if_it_is_more_than_two_cents_from_the_market(
    p: float | None, q: float | None, y: float | None, takes: bool, right: bool
) -> None:
    table = table_of((p, q, y))

    assert (skill.takes_side(table).tolist(), skill.right_side(table).tolist()) == ([takes], [right])


def test_the_line_value_is_how_far_the_market_moved_towards_the_forecast() -> None:
    table = table_of((0.7, 0.5, None), (0.3, 0.5, None), (0.5, 0.5, None))
    later = np.array([0.6, 0.6, 0.9])

    assert skill.line_value(table, later) == pytest.approx([0.1, -0.1, 0])


def test_the_number_of_needed_events_follows_from_the_power() -> None:
    """A mean of one tenth of the spread needs (1.96 + 0.84)^2 / 0.01 = 785 events."""
    assert skill.events_needed(0.01, 0.1 / math.sqrt(50), 50) == 785
    assert skill.events_needed(10.0, 0.001, 50) == 2


@pytest.mark.parametrize(
    ("mean", "error", "events"), [(0.0, 0.1, 10), (0.1, math.nan, 10), (0.1, 0.1, 1), (1e-9, 0.1, 10)]
)
def test_without_a_difference_the_number_of_needed_events_is_unknown(mean: float, error: float, events: int) -> None:
    assert skill.events_needed(mean, error, events) is None


def test_an_event_that_an_active_agent_lacks_is_not_common() -> None:
    values = np.array([[1.0, 2.0, np.nan], [1.0, np.nan, 3.0], [np.nan] * 3])

    common = skill.common_events(values, np.array([True, True, True]))
    assert np.isnan(common).tolist() == [[False, True, True], [False, True, True], [True] * 3]


def test_a_provisional_agent_removes_no_event_from_the_common_ones() -> None:
    values = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, np.nan], [np.nan, 2.0, np.nan]])

    assert np.isnan(skill.common_events(values, np.array([True, True, False]))).tolist() == [
        [False, False, True], [False, False, True], [True, False, True],
    ]  # fmt: skip
    none = skill.common_events(values, np.array([False] * 3))
    assert np.array_equal(none, skill.common_events(values, np.array([True] * 3)), equal_nan=True)


def test_a_missing_answer_counts_as_one_half_for_fractions_too() -> None:
    """The market said 0.4 and the outcome is 0.2: it loses 0.04, and one half would lose 0.09."""
    assert skill.strict_difference(table_of((None, 0.4, 0.2))) == pytest.approx([0.04 - 0.09])
