from __future__ import annotations

import math

import pytest

from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.outcome_vectors import vector_scores
from coliseum.arena.scoring.report import score


def event(p: list[float | None], y: list[float | None], *, agent: str = "a", name: str = "e") -> list[Cell]:
    """An event with a market for each pair."""
    return [
        Cell(agent=agent, event=name, market=str(i), window="1", p=one, y=outcome)
        for i, (one, outcome) in enumerate(zip(p, y, strict=True))
    ]


def scores(cells: list[Cell], agent: str = "a") -> tuple[float | None, float | None, int]:
    numbers = score(table_from_cells(cells), seed=1, draws=0).scores()[agent]
    return numbers["brier_sum"], numbers["spherical"], numbers["complete_events"]


def test_three_outcomes_by_hand() -> None:
    """0.3^2 + 0.2^2 + 0.1^2, and 0.7 over the length of the vector."""
    brier_sum, spherical, events = scores(event([0.7, 0.2, 0.1], [1, 0, 0]))

    assert brier_sum == pytest.approx(0.14)
    assert spherical == pytest.approx(0.7 / math.sqrt(0.49 + 0.04 + 0.01))
    assert events == 1


def test_a_single_market_has_two_outcomes() -> None:
    brier_sum, spherical, _ = scores(event([0.7], [1]))

    assert brier_sum == pytest.approx(2 * 0.3**2)
    assert spherical == pytest.approx(0.7 / math.sqrt(0.7**2 + 0.3**2))


def test_a_fraction_counts_for_both_outcomes() -> None:
    brier_sum, spherical, _ = scores(event([0.7], [0.25]))

    assert brier_sum == pytest.approx(2 * 0.45**2)
    assert spherical == pytest.approx((0.7 * 0.25 + 0.3 * 0.75) / math.sqrt(0.7**2 + 0.3**2))


def test_forecasts_of_0_on_everything_have_no_spherical_score() -> None:
    assert scores(event([0.0, 0.0], [1, 0])) == (1.0, None, 1)


@pytest.mark.parametrize("hole", [event([0.7, None], [1, 0]), event([0.7, 0.3], [1, None])])
def test_an_event_with_a_missing_answer_or_outcome_is_left_out(hole: list[Cell]) -> None:
    assert scores(hole) == (None, None, 0)
    assert scores([*hole, *event([0.7, 0.2], [1, 0], name="f")])[0] == pytest.approx(0.13)


def test_the_markets_of_an_event_are_those_that_anyone_was_asked_about() -> None:
    """The agent was asked about one of two markets, so it has no vector, and not one of two outcomes."""
    others = event([0.6, 0.4], [1, 0], agent="b")

    assert scores([*event([0.7], [1]), *others]) == (None, None, 0)
    assert scores([*event([0.7], [1]), *others], "b")[0] == pytest.approx(2 * 0.4**2)


def test_no_cells_have_no_vectors() -> None:
    assert len(vector_scores(table_from_cells([])).complete) == 0
