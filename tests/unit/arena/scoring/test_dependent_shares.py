from __future__ import annotations

import math

import numpy as np
import pytest

from coliseum.arena.scoring.dependent_shares import effective_trials
from coliseum.arena.scoring.proportions import wilson


def interval(hits: np.ndarray, cluster: np.ndarray) -> tuple[float, float]:
    found = effective_trials(hits, np.zeros(len(hits), dtype=np.int64), cluster, 1).interval(0, float(hits.mean()))
    assert found is not None
    return found


def test_independent_cells_have_wilsons_interval() -> None:
    hits = np.repeat([0.0, 1.0], [13, 7])

    assert interval(hits, np.arange(20)) == pytest.approx(wilson(7, 20))


def test_copies_of_a_cell_add_nothing() -> None:
    hits = np.repeat([0.0, 1.0], [13, 7])
    once = effective_trials(hits, np.zeros(20, dtype=np.int64), np.arange(20), 1)
    often = effective_trials(np.repeat(hits, 6), np.zeros(120, dtype=np.int64), np.repeat(np.arange(20), 6), 1)

    assert often.trials == pytest.approx(once.trials, rel=0.06)
    assert often.quantile[0] == pytest.approx(2.093, abs=1e-3)  # Student with 19 degrees of freedom


def test_one_cluster_says_almost_nothing() -> None:
    low, high = interval(np.ones(50), np.zeros(50, dtype=np.int64))

    assert (low < 0.05, high) == (True, 1.0)


def test_a_group_without_cells_has_no_interval() -> None:
    found = effective_trials(np.ones(3), np.zeros(3, dtype=np.int64), np.arange(3), 2)

    assert found.interval(1, None) is None
    assert found.trials.tolist() == [3, 0]


def test_groups_do_not_change_each_other() -> None:
    rng = np.random.default_rng(1)
    hits, cluster = rng.integers(0, 2, 60).astype(np.float64), rng.integers(0, 12, 60)
    group = np.repeat([0, 1], 30)
    both = effective_trials(hits, group, cluster, 2)
    second = effective_trials(hits[30:], group[30:] - 1, cluster[30:], 1)

    assert both.trials[1] == pytest.approx(second.trials[0])


@pytest.mark.parametrize("chance", [0.1, 0.5])
@pytest.mark.parametrize("dependence", [0.0, 0.5, 1.0])
def test_intervals_of_dependent_cells_cover(chance: float, dependence: float) -> None:
    """1,500 groups of 30 clusters with 1 to 8 cells. Wilson's interval of the cells holds 55 to 80 % if they depend."""
    rng, groups = np.random.default_rng(int(10 * dependence)), 1_500
    sizes = rng.integers(1, 9, (groups, 30)).ravel()
    cluster, group = np.repeat(np.tile(np.arange(30), groups), sizes), np.repeat(np.arange(groups), 30).repeat(sizes)
    shared, own = np.repeat(rng.random(groups * 30), sizes), rng.random(len(cluster))
    hits = (np.where(rng.random(len(cluster)) < dependence, shared, own) < chance).astype(np.float64)
    found = effective_trials(hits, group, cluster, groups)
    share = np.bincount(group, weights=hits) / np.bincount(group)
    ends = [found.interval(index, float(one)) or (math.nan, math.nan) for index, one in enumerate(share)]
    held = sum(low <= chance <= high for low, high in ends) / groups

    assert 0.95 - 4.5 * math.sqrt(0.05 * 0.95 / groups) < held
