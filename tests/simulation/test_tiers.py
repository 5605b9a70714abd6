from __future__ import annotations

import math

import pytest
from tests.simulation import tiers as simulated

from coliseum.arena.scoring.tiers import LEVEL

Z = 4.5
"""Standard errors: no seed of any release of numpy fails by chance."""
SEASONS = 60
BAR = SEASONS * 0.05 + Z * math.sqrt(SEASONS * 0.05 * 0.95)
"""Of 60 seasons; with percentile intervals of the differences, 42 have more than one tier."""


@pytest.mark.parametrize(("shape", "agents", "clusters", "size"), [("mid", 10, 30, 1), ("U", 5, 100, 3)])
def test_equal_agents_seldom_fall_into_more_than_one_tier(shape: str, agents: int, clusters: int, size: int) -> None:
    found = simulated.tally(
        simulated.equal_agents(shape, agents), clusters, size, seasons=SEASONS, seed=1, draws=199, whole=2
    )

    assert found.shown == SEASONS
    assert found.split <= BAR
    assert found.disagreements == 0


def test_the_level_of_the_engine_keeps_the_promise() -> None:
    made = simulated.equal_agents("mid", 5)
    found = simulated.tally(made, 100, 1, seasons=SEASONS, seed=4, draws=199, level=LEVEL)
    assert found.split <= BAR


def test_long_shots_do_not_put_the_best_agent_below_another() -> None:
    found = simulated.tally(simulated.shrinkers("lo", 4), 100, 1, seasons=SEASONS, seed=2, draws=199)

    assert found.shown > SEASONS / 2
    assert found.wrong <= BAR
    assert found.uncovered <= BAR


def test_a_better_agent_is_found_and_rank_intervals_hold_the_true_ranks() -> None:
    found = simulated.tally(simulated.unequal_agents("mid", 5, best=1), 600, 1, seasons=30, seed=3, draws=199)

    assert found.found > 30 * 0.3
    assert found.uncovered <= 30 * 0.05 + Z * math.sqrt(30 * 0.05 * 0.95)
