from __future__ import annotations

import math
import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.arena.scoring import reference
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.information import information


def pooled(*probabilities: float) -> float:
    odds = [math.log(p / (1 - p)) for p in (min(0.999, max(0.001, one)) for one in probabilities)]
    return 1 / (1 + math.exp(-sum(odds) / len(odds)))


@pytest.mark.parametrize("seed", range(3))
def test_a_contribution_is_what_the_pool_loses_without_the_agent(seed: int) -> None:
    cells = random_cells(seed)
    questions: defaultdict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    for cell in cells:
        if reference.paired(cell):
            questions[cell.event, cell.window, cell.market][cell.agent] = cell.p or 0.0

    def gained(cell: Cell) -> float:
        forecasts, q, y = questions[cell.event, cell.window, cell.market], cell.q or 0.0, cell.y or 0
        others = [p for name, p in forecasts.items() if name != cell.agent]
        return (pooled(q, *others) - y) ** 2 - (pooled(q, *forecasts.values()) - y) ** 2

    result = information(table_from_cells(cells))
    for agent in ("ana", "bo", "cy", "dee"):
        own = [cell for cell in cells if cell.agent == agent]
        values = reference.event_values(own, reference.paired, gained)
        assert result[agent].mean == pytest.approx(reference.mean(values.values()), abs=2e-9)
        assert result[agent].error == pytest.approx(reference.cluster_error(values, own), abs=2e-9)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=20))
def test_a_copy_of_the_market_adds_no_information(rows: list[tuple[float, bool]]) -> None:
    cells = [Cell(agent="copy", event=f"e{i}", market="m", window="1", p=q, q=q, y=int(y))
             for i, (q, y) in enumerate(rows)]  # fmt: skip

    assert information(table_from_cells(cells))["copy"].mean == 0


def test_a_repeated_opinion_adds_less_than_an_independent_one() -> None:
    """Three say the same and score well; a fourth scores worse and knows something else."""
    rng = random.Random(3)
    cells: list[Cell] = []
    for event in range(400):
        seen, hidden = rng.gauss(0, 1), rng.gauss(0, 1)
        y = int(rng.random() < 1 / (1 + math.exp(-seen - hidden)))
        forecasts = {"echo1": seen, "echo2": seen, "echo3": seen, "other": 0.7 * hidden}
        cells += [
            Cell(agent=name, event=f"e{event}", market="m", window="1", p=1 / (1 + math.exp(-odds)), q=0.5, y=y)
            for name, odds in forecasts.items()
        ]
    result = information(table_from_cells(cells))

    assert result["other"].mean > 2 * result["echo1"].mean
    assert result["other"].error is not None
    assert result["other"].mean > 2 * result["other"].error


def test_an_agent_that_pools_the_others_takes_no_information_from_them() -> None:
    rng = random.Random(4)
    cells: list[Cell] = []
    for event in range(300):
        known, blur = rng.gauss(0, 1), rng.gauss(0, 1)
        y = int(rng.random() < 1 / (1 + math.exp(-known)))
        forecasts = {"informed": known, "vague": blur, "pool": (known + blur) / 2}
        cells += [
            Cell(agent=name, event=f"e{event}", market="m", window="1", p=1 / (1 + math.exp(-odds)), q=0.5, y=y)
            for name, odds in forecasts.items()
        ]
    alone = information(table_from_cells([cell for cell in cells if cell.agent != "pool"]))
    result = information(table_from_cells(cells), pools={"pool"})

    assert result == alone
    assert result["informed"].mean > information(table_from_cells(cells))["informed"].mean + 0.005


def test_without_paired_cells_there_is_no_information() -> None:
    assert information(table_from_cells([])) == {}
    assert information(table_from_cells([Cell(agent="a", event="e", market="m", window="1", p=0.5, y=1)])) == {}
    (alone,) = information(
        table_from_cells([Cell(agent="a", event="e", market="m", window="1", p=1, q=0.5, y=1)])
    ).values()
    assert (alone.mean > 0, alone.error) == (True, None)
