from __future__ import annotations

import math
import random
from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest
from tests.unit.arena.scoring import reference
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.scoring.brier import brier_index
from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.groups import MEANS
from coliseum.arena.scoring.report import ScoreRules, score
from coliseum.arena.scoring.slices import MOST_GROUPS
from coliseum.errors import InvalidInput

GROUPS = ("dataset", "market", None)


def grouped_cells(seed: int) -> list[Cell]:
    """A random board with a group for each market; a third of the markets have none."""
    return [
        replace(cell, group=random.Random(f"{cell.event} {cell.market}").choice(GROUPS))
        for cell in random_cells(seed, fractions=True)
    ]


def slices_of(cells: list[Cell]) -> dict[str, Any]:
    rules = ScoreRules(left_out=frozenset())
    slices: dict[str, Any] = score(table_from_cells(cells), seed=1, draws=0, rules=rules).body["slices"]
    return slices


def cell(agent: str, market: str, group: str | None, p: float, y: float | None, **more: Any) -> Cell:
    return Cell(agent=agent, event=market, market=market, window="1", p=p, y=y, group=group, **more)


@pytest.mark.parametrize("seed", range(3))
def test_the_means_of_the_groups_are_those_of_a_table_of_the_group_alone(seed: int) -> None:
    cells = grouped_cells(seed)
    found = slices_of(cells)
    for group in ("dataset", "market"):
        alone = slices_of([cell for cell in cells if cell.group == group])["all"]
        for agent, numbers in alone.items():
            for name in set(MEANS) - {"brier_sum", "spherical", "peer"}:
                mine = found["all"][agent]["groups"][group][name]
                assert (mine is None) == (numbers[name] is None), name
                assert mine is None or math.isclose(mine, numbers[name], rel_tol=1e-12, abs_tol=1e-12), name


@pytest.mark.parametrize("seed", range(3))
def test_macro_averages_agree_with_the_reference_in_every_category(seed: int) -> None:
    cells = grouped_cells(seed)
    found = slices_of(cells)
    for category in ("Politics", "Sports", "Weather"):
        for agent, numbers in found[f"category:{category}"].items():
            own = [cell for cell in cells if cell.agent == agent and cell.category == category]
            means = [
                reference.mean(
                    reference.event_values(
                        [cell for cell in own if cell.group == group], reference.graded, reference.brier
                    ).values()
                )
                for group in ("dataset", "market")
            ]
            assert numbers["brier_macro"] == pytest.approx(fmean(mean for mean in means if mean is not None))
            assert numbers["brier_index_macro"] == pytest.approx(brier_index(numbers["brier_macro"]))


def test_a_group_counts_once_however_many_questions_it_has() -> None:
    """By hand: (0.01 + 0.04) / 2 in one group, 0.25 in the other; the mean over the cells is 0.1."""
    cells = [cell("a", "m1", "big", 0.9, 1), cell("a", "m2", "big", 0.2, 0), cell("a", "m3", "small", 0.5, 1)]
    numbers = slices_of(cells)["all"]["a"]

    assert numbers["brier_market_weighted"] == pytest.approx(0.1)
    assert numbers["brier_macro"] == pytest.approx((0.025 + 0.25) / 2)
    assert numbers["groups"]["small"]["graded"] == 1


def test_an_agent_without_a_group_has_no_macro_average_and_a_reason() -> None:
    cells = [cell("a", "m1", "x", 0.9, 1), cell("a", "m2", "y", 0.9, 1), cell("b", "m1", "x", 0.9, 1)]
    numbers = slices_of(cells)["all"]

    assert numbers["b"]["brier_macro"] is None
    assert numbers["b"]["macro_reason"] == "no graded forecast in y"
    assert numbers["a"]["macro_reason"] is None


def test_only_groups_with_an_outcome_count() -> None:
    cells = [cell("a", "m1", "x", 0.9, 1), cell("a", "m2", "y", 0.9, None)]

    assert slices_of(cells)["all"]["a"]["brier_macro"] == pytest.approx(0.01)
    assert slices_of([cells[1]])["all"]["a"]["macro_reason"] == "nothing is graded"


def test_questions_without_a_group_count_in_no_macro_average() -> None:
    cells = [cell("a", "m1", "x", 0.9, 1), cell("a", "m2", None, 0.5, 1)]

    assert slices_of(cells)["all"]["a"]["brier_macro"] == pytest.approx(0.01)


def test_a_table_without_groups_has_no_macro_averages() -> None:
    numbers = slices_of(random_cells(1, events=5))["all"]["ana"]

    assert not {"brier_macro", "groups", "macro_reason"} & numbers.keys()


def test_a_number_that_one_group_lacks_has_no_macro_average() -> None:
    cells = [cell("a", "m1", "x", 0.9, 1, q=0.5), cell("a", "m2", "y", 0.9, 1)]
    numbers = slices_of(cells)["all"]["a"]

    assert numbers["skill_macro"] is None
    assert numbers["brier_macro"] == pytest.approx(0.01)


def test_there_are_at_most_fifty_groups() -> None:
    with pytest.raises(InvalidInput, match="at most 50"):
        table_from_cells([cell("a", str(i), str(i), 0.5, 1) for i in range(MOST_GROUPS + 1)])
