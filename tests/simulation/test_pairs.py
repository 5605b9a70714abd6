"""The interval of a pair holds the true difference, also where outcomes are rare or depend on each other."""

from __future__ import annotations

import pytest
from tests.simulation.pairs import held, season_of, student_of

SEASONS = 300


@pytest.mark.parametrize(
    ("agents", "shape", "structure", "clusters"),
    [
        ("both add noise", "mid", "1", 100),
        ("both add noise", "lo", "10, half", 100),
        ("price and shrinker", "U", "10, full", 30),
        ("price and shrinker", "lo", "1", 350),
        ("both add noise, first is right", "mid", "1", 30),
    ],
)
def test_the_interval_of_a_pair_holds_the_true_difference(
    agents: str, shape: str, structure: str, clusters: int
) -> None:
    season = season_of(shape, agents, structure, clusters=clusters, count=SEASONS)
    right, shown = held(student_of(season), season.expected)
    assert shown > SEASONS / 3
    assert right / shown >= 0.93


def test_where_the_prices_expect_too_little_no_interval_is_shown() -> None:
    season = season_of("lo", "price and shrinker", "1", clusters=30, count=20)
    assert held(student_of(season), season.expected) == (0, 0)
