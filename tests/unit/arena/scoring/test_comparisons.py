from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.scoring import comparisons
from coliseum.arena.scoring.cell import Cell
from coliseum.arena.scoring.cells import table_from_cells
from coliseum.arena.scoring.comparisons import PairStatistics, SkillPanel, compare_pairs, empty_panel, skill_panel


def world(
    agents: str = "abc", *, events: int = 40, cluster: int = 1, windows: int = 1, markets: int = 1, seed: int = 1
) -> list[Cell]:
    """Cells of agents that know nothing, with right prices. Each outcome belongs to a market."""
    cells: list[Cell] = []
    for event in range(events):
        for market in range(markets):
            chance = random.Random(f"{seed}/{event}/{market}")
            q, y = round(chance.uniform(0.1, 0.9), 2), 0
            y = int(chance.random() < q)
            for window in range(windows):
                for agent in agents:
                    p = min(
                        0.99, max(0.01, q + random.Random(f"{seed}/{event}/{market}/{window}/{agent}").gauss(0, 0.1))
                    )
                    cells.append(Cell(agent=agent, event=f"e{event:03}", market=f"m{market}", window=str(window), p=p,
                                      q=q, y=y, cluster=f"c{event // cluster:03}"))  # fmt: skip
    return cells


def compared(cells: list[Cell]) -> tuple[SkillPanel, PairStatistics]:
    panel = skill_panel(table_from_cells(cells))
    return panel, compare_pairs(panel)


def slow_error(first: dict[str, list[float]], second: dict[str, list[float]]) -> tuple[float, float]:
    """(Mean difference, its error by cluster) from the skills by cluster, in plain Python."""
    gaps = {name: [a - b for a, b in zip(first[name], second[name], strict=True)] for name in first}
    events = sum(map(len, gaps.values()))
    mean = sum(map(sum, gaps.values())) / events
    squares = sum((sum(values) - mean * len(values)) ** 2 for values in gaps.values())
    return mean, math.sqrt(len(gaps) / (len(gaps) - 1) * squares) / events


@pytest.mark.parametrize("cluster", [1, 3])
def test_difference_and_error_are_those_of_a_slow_implementation(cluster: int) -> None:
    panel, found = compared(world(events=41, cluster=cluster))
    by_cluster = [
        {str(code): panel.skills[agent][panel.cluster == code].tolist() for code in range(panel.clusters)}
        for agent in (0, 1)
    ]
    mean, error = slow_error(*by_cluster)

    assert found.difference[0, 1] == pytest.approx(mean, abs=1e-15)
    assert found.difference[1, 0] == -found.difference[0, 1]
    assert found.error[0, 1] == pytest.approx(error * found.raised[0, 1], rel=1e-12)
    assert found.error[1, 0] == found.error[0, 1]
    assert found.clusters[0, 1] == math.ceil(41 / cluster)


def test_the_panel_has_the_event_weighted_skills() -> None:
    cells = world("a", events=1, markets=2, windows=3)
    panel = skill_panel(table_from_cells(cells))
    wanted = [(cell.q - cell.y) ** 2 - (cell.p - cell.y) ** 2 for cell in cells if cell.q is not None]  # type: ignore[operator]

    assert panel.skills.tolist() == [[pytest.approx(sum(wanted) / 6)]]
    assert panel.yes.tolist() == [[pytest.approx(sum(cell.q or 0 for cell in cells) / 6)]]


def test_a_slope_is_what_another_outcome_of_the_market_changes() -> None:
    cells = world("ab", events=1, markets=2, windows=3)
    cells = [cell for cell in cells if (cell.agent, cell.market, cell.window) != ("a", "m1", "2")]
    first, second = (
        skill_panel(table_from_cells([replace(cell, y=y) if cell.market == "m1" else cell for cell in cells]))
        for y in (0, 1)
    )

    assert (second.skills - first.skills)[:, 0] == pytest.approx(first.slopes[:, 1], abs=1e-15)


def test_events_of_joined_clusters_are_one_cluster() -> None:
    cells = world("ab", events=4, markets=2)
    cells = [replace(cell, cluster="x") if (cell.event, cell.market) == ("e001", "m1") else cell for cell in cells]
    cells = [replace(cell, cluster="x") if (cell.event, cell.market) == ("e002", "m0") else cell for cell in cells]

    assert skill_panel(table_from_cells(cells)).cluster.tolist() == [0, 1, 1, 2]


def test_long_shots_that_all_failed_show_little() -> None:
    """Every difference is 0.0016. A plain error would be 0, and t infinite."""
    cells = [
        Cell(agent=agent, event=f"e{event:02}", market="m", window="1", p=p, q=0.05, y=0)
        for event in range(30)
        for agent, p in (("bold", 0.03), ("market", 0.05))
    ]
    _, found = compared(cells)
    expected = 2 * 0.02 * math.sqrt(0.04 * 0.96) * math.sqrt(30 / 29) / math.sqrt(30)

    assert found.error[0, 1] == pytest.approx(expected)
    assert math.isinf(found.raised[0, 1])
    assert found.t[0, 1] == pytest.approx(0.0016 / expected)
    assert found.expected[0, 1] == pytest.approx(1.5)


def test_without_any_spread_events_of_a_cluster_count_as_one_event() -> None:
    cells = [
        Cell(agent=agent, event=f"e{event:02}", market="m", window="1", p=p, q=0.05, y=0, cluster=f"c{event // 3}")
        for event in range(30)
        for agent, p in (("bold", 0.03), ("market", 0.05))
    ]
    _, found = compared(cells)

    assert found.error[0, 1] == pytest.approx(2 * 0.02 * math.sqrt(0.04 * 0.96) * math.sqrt(10 / 9) / math.sqrt(10))


def test_identical_agents_differ_by_nothing() -> None:
    cells = world("a")
    _, found = compared([*cells, *(replace(cell, agent="b") for cell in cells)])

    assert found.identical.all()
    assert found.t[0, 1] == 0
    assert found.raised[0, 1] == 1


def test_agents_without_a_common_event_have_no_difference() -> None:
    _, found = compared([*world("a"), *(replace(cell, event=f"x{cell.event}") for cell in world("b"))])

    assert math.isnan(found.difference[0, 1])
    assert (found.events[0, 1], found.clusters[0, 1]) == (0, 0)
    assert not found.identical[0, 1]


@pytest.mark.parametrize("chunk", [1, 90, 200])
def test_the_size_of_the_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    panel, whole = compared(world("abcdef"))
    monkeypatch.setattr(comparisons, "CHUNK_NUMBERS", chunk)
    parts = compare_pairs(panel)

    assert np.array_equal(parts.error, whole.error, equal_nan=True)
    assert np.array_equal(parts.difference, whole.difference, equal_nan=True)


def test_an_empty_panel_has_no_pairs() -> None:
    assert compare_pairs(empty_panel()).difference.shape == (0, 0)
    assert skill_panel(table_from_cells([])).skills.shape == (0, 0)


@given(st.integers(0, 1000), st.permutations("abcd"))
def test_names_change_nothing(seed: int, names: list[str]) -> None:
    cells = [
        cell for cell in world("abcd", events=12, cluster=2, seed=seed) if random.Random(repr(cell)).random() < 0.8
    ]
    renamed = [replace(cell, agent=names["abcd".index(cell.agent)]) for cell in cells]
    _, found = compared(cells)
    _, other = compared(renamed)
    order = ["abcd".index(name) for name in names]

    assert other.of(np.array(order)).t == pytest.approx(found.t, nan_ok=True, abs=1e-9)
    assert (other.of(np.array(order)).clusters == found.clusters).all()
