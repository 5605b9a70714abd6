"""The simulation of intervals with few seasons. Seeds are fixed, and every bar leaves several standard errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.simulation import intervals
from tests.simulation import seasons as simulated
from tests.simulation.intervals import Coverage

Z = 4.5


def enough(found: Coverage) -> bool:
    return found.share > 0.95 - Z * math.sqrt(0.05 * 0.95 / found.shown)


@pytest.mark.parametrize(
    ("shape", "clusters", "structure"),
    [
        ("mid", 30, "1"),
        ("mid", 30, "3, full"),
        ("mid", 100, "10, half"),
        ("U", 100, "1, truth elsewhere"),
        ("lo", 100, "1"),
        ("hi", 100, "3, full"),
        ("lo", 350, "10, independent"),
    ],
)
def test_intervals_hold_the_true_skill(shape: str, clusters: int, structure: str) -> None:
    found = intervals.pooled(shape, clusters, structure, 25)

    assert found.shown > found.seasons / 2
    assert enough(found)


def test_percentiles_of_a_bootstrap_miss_the_skill_of_long_shots() -> None:
    """What the engine did before. The same seasons as above, with thirty clusters of three events that end alike."""
    rng = np.random.default_rng(1)
    made = intervals.season_of(rng, "lo", "shrinker", clusters=30, size=3, dependence=1.0, count=60)
    low, high = intervals.percentile(simulated.cluster_sums(made.skill, made.cluster) / 3, rng)
    true = made.expected_skill.mean(axis=1)

    assert ((low <= true) & (true <= high)).mean() < 0.93


def test_seasons_are_not_chosen_by_their_outcomes() -> None:
    """Whether an interval is shown depends on prices alone, so it is the same for any outcomes."""
    rng = np.random.default_rng(2)
    made = intervals.season_of(rng, "U", "noise", clusters=36, size=1, dependence=0.0, count=60)
    other = simulated.Seasons(q=made.q, p=made.p, truth=made.truth, y=1 - made.y, cluster=made.cluster)
    shown, again = ([one.reason for one in intervals.intervals_of(each, draws=39)] for each in (made, other))

    assert shown == again
    assert 0 < sum(reason is None for reason in shown) < 60


def test_intervals_of_whole_reports_hold_the_true_skill() -> None:
    whole, parts = intervals.report_coverage(60, "noise", 10)

    assert whole.shown == whole.seasons
    assert enough(whole)
    assert enough(parts)


def test_the_prices_of_a_board_are_a_martingale() -> None:
    """The board's true skill holds only if its prices are right in every window."""
    rng = np.random.default_rng(3)
    gaps = []
    for _ in range(25):
        table, _skill = intervals.board(rng, clusters=30, agent="noise")
        gaps.append(float((table.y - table.q).mean()))

    assert abs(np.mean(gaps)) < Z * np.std(gaps) / math.sqrt(len(gaps))
