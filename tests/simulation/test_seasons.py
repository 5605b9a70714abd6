from __future__ import annotations

import numpy as np
import pytest
from tests.simulation import seasons as simulated

Z = 4.5
"""Standard errors: no seed of any release of numpy fails by chance."""


@pytest.mark.parametrize("dependence", [0.0, 0.5, 1.0])
def test_outcomes_have_the_true_probabilities_whatever_the_dependence(dependence: float) -> None:
    rng = np.random.default_rng(1)
    cluster = simulated.clusters_of((3,), 2)
    truth = np.tile([0.1, 0.5, 0.9, 0.2, 0.7, 0.4], (20_000, 1))
    turned = np.tile([False, True, False], 2)
    y = simulated.outcomes(rng, truth, cluster, dependence=dependence, turned=turned)

    assert np.abs(y.mean(axis=0) - truth[0]).max() < Z * 0.5 / np.sqrt(20_000)


def test_dependent_events_of_a_cluster_come_out_alike() -> None:
    rng, cluster = np.random.default_rng(2), simulated.clusters_of((1, 3), 10)
    y = simulated.outcomes(rng, np.full((50, len(cluster)), 0.5), cluster, dependence=1.0)

    assert (y == simulated.alike(y, cluster)).all()
    assert 0.3 < (y[:, 0] == y[:, 1]).mean() < 0.7  # they are of two clusters


def test_expected_skill_is_the_mean_of_the_skill() -> None:
    rng = np.random.default_rng(3)
    q = simulated.prices(rng, "mid", (100_000, 1))
    p = simulated.forecasts(rng, "noise", q)
    cluster = simulated.clusters_of((1,), 1)
    truth = simulated.between(q, p, 0.8)
    made = simulated.Seasons(q=q, p=p, truth=truth, y=simulated.outcomes(rng, truth, cluster), cluster=cluster)
    gap = made.skill - made.expected_skill

    assert abs(gap.mean()) < Z * gap.std() / np.sqrt(gap.size)
    assert made.expected_skill.mean() > 0


@pytest.mark.parametrize("shape", simulated.SHAPES)
@pytest.mark.parametrize("agent", simulated.AGENTS)
def test_every_agent_and_shape_gives_probabilities(shape: str, agent: str) -> None:
    rng = np.random.default_rng(4)
    q = simulated.prices(rng, shape, (20, 30))
    p = simulated.forecasts(rng, agent, q)

    assert (q > 0).all()
    assert (q < 1).all()
    assert (p > 0).all()
    assert (p < 1).all()


def test_a_season_is_a_table_of_the_engine() -> None:
    rng = np.random.default_rng(5)
    cluster = simulated.clusters_of((1, 3, 10), 6)
    q = simulated.prices(rng, "mid", (2, len(cluster)))
    y = simulated.outcomes(rng, q, cluster)
    table = simulated.table_of(simulated.Seasons(q=q, p=q, truth=q, y=y, cluster=cluster), 1)

    assert table.q.tolist() == q[1].tolist()
    assert table.y.tolist() == y[1].tolist()
    assert len(table.clusters) == 6
    assert simulated.cluster_sums(np.ones((1, len(cluster))), cluster).tolist() == [[1, 3, 10, 1, 3, 10]]
