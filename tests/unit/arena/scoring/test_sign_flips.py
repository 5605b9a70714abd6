from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest

from coliseum.arena.scoring import sign_flips
from coliseum.arena.scoring.arithmetic import Floats
from coliseum.arena.scoring.comparisons import SkillPanel, compare_pairs
from coliseum.arena.scoring.sign_flips import SignDraws, first_places, flip_signs, seed_of


def panel_of(skills: Floats, cluster: list[int] | None = None) -> SkillPanel:
    """A panel with these skills. The forecasts are extreme, so that no error is raised."""
    agents, events = skills.shape
    return SkillPanel(
        skills=skills,
        cluster=np.arange(events) if cluster is None else np.array(cluster),
        yes=np.full((agents, events), 0.5),
        unlikely=np.full((agents, events), 0.5),
        slopes=np.zeros((agents, events)),
        forecasts=np.full((agents, events), 0.5),
        event=np.arange(events),
    )


def random_panel(agents: int, events: int, *, seed: int = 1, cluster: list[int] | None = None) -> SkillPanel:
    return panel_of(np.random.default_rng(seed).normal(0, 0.1, (agents, events)), cluster)


def drawn(panel: SkillPanel, *, draws: int = 400) -> SignDraws:
    pairs = list(combinations(range(len(panel.skills)), 2))
    return flip_signs(panel, pairs, compare_pairs(panel), draws=draws)


def slow_t(panel: SkillPanel, signs: list[int], first: int, second: int) -> float:
    """|t| of the signed differences about their mean, by cluster, in plain Python."""
    gap = [a - b for a, b in zip(panel.skills[first], panel.skills[second], strict=True)]
    mean = sum(gap) / len(gap)
    size, total = [0] * len(signs), [0.0] * len(signs)
    for cluster, value in zip(panel.cluster, gap, strict=True):
        size[cluster] += 1
        total[cluster] += signs[cluster] * (value - mean)
    signed_mean = sum(total) / len(gap)
    squares = sum((value - signed_mean * count) ** 2 for value, count in zip(total, size, strict=True))
    clusters = len(signs)
    return abs(signed_mean) / (math.sqrt(clusters / (clusters - 1) * squares) / len(gap))


@pytest.mark.parametrize("cluster", [[0, 1, 2, 3, 4, 5], [0, 0, 1, 2, 2, 2, 3, 4, 5]])
def test_the_largest_t_is_that_of_a_slow_implementation(cluster: list[int]) -> None:
    panel = random_panel(3, len(cluster), cluster=cluster)
    wanted = {
        round(max(slow_t(panel, list(signs), *pair) for pair in combinations(range(3), 2)), 9)
        for signs in product((1, -1), repeat=6)
    }
    found = {round(float(value), 9) for value in drawn(panel, draws=2000).largest}

    assert found == wanted


def test_superiority_is_the_share_of_draws_ahead() -> None:
    skills = np.random.default_rng(2).normal(0, 0.1, (2, 200))
    skills[0] += 0.01
    panel = panel_of(skills)
    gap = skills[0] - skills[1]
    z = gap.mean() / (gap.std(ddof=1) / math.sqrt(200))

    assert drawn(panel, draws=20_000).ahead[0] == pytest.approx((1 + math.erf(z / math.sqrt(2))) / 2, abs=0.02)


def test_identical_agents_tie_in_every_draw() -> None:
    skills = np.random.default_rng(3).normal(0, 0.1, (1, 40)).repeat(2, axis=0)
    found = drawn(panel_of(skills))

    assert found.ahead.tolist() == [0.5]
    assert (found.largest == 0).all()


def test_whole_ties_count_half_whatever_rounding_says() -> None:
    """All differences are 0.1 or -0.1, so many draws have a mean of exactly 0."""
    skills = np.stack([np.tile([0.3, 0.2], 8), np.full(16, 0.25)])

    assert drawn(panel_of(skills), draws=20_000).ahead[0] == pytest.approx(0.5, abs=0.02)
    shares = first_places(panel_of(skills), np.arange(2), compare_pairs(panel_of(skills)), draws=20_000)
    assert shares == pytest.approx([0.5, 0.5], abs=0.02)


def test_the_critical_value_counts_the_season_as_one_more_draw() -> None:
    draws = SignDraws(np.arange(1.0, 20.0), np.zeros(0))

    assert draws.critical(0.05) == 19.0  # of 20 equally likely values, one is larger
    assert draws.critical(0.10) == 18.0
    assert draws.critical(0.04) == math.inf


def test_neither_the_order_nor_the_names_of_agents_change_a_draw() -> None:
    panel, order = random_panel(5, 40), np.array([3, 0, 4, 1, 2])
    turned = replace(panel, skills=panel.skills[order])

    assert seed_of(turned) == seed_of(panel)
    assert drawn(turned).largest == pytest.approx(drawn(panel).largest, abs=1e-12)


def test_other_skills_have_other_signs() -> None:
    panel = random_panel(3, 40)

    assert seed_of(panel) != seed_of(random_panel(3, 40, seed=2))
    assert seed_of(panel) != seed_of(replace(panel, cluster=np.arange(40) // 2))


@pytest.mark.parametrize("holes", [False, True])
def test_draws_do_not_depend_on_the_size_of_the_parts(monkeypatch: pytest.MonkeyPatch, holes: bool) -> None:
    panel = random_panel(6, 80, cluster=[event // 2 for event in range(80)])
    if holes:
        panel.skills[np.random.default_rng(4).random(panel.skills.shape) < 0.1] = np.nan
    whole = drawn(panel)
    monkeypatch.setattr(sign_flips, "CHUNK_NUMBERS", 300)
    monkeypatch.setattr(sign_flips, "PAIR_NUMBERS", 30)
    parts = drawn(panel)

    assert parts.largest == pytest.approx(whole.largest, abs=1e-9)
    assert parts.ahead.tolist() == whole.ahead.tolist()


def test_many_clusters_share_signs_and_give_about_the_same_critical_value(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = random_panel(4, 3000)
    alone = drawn(panel, draws=4000).critical(0.05)
    monkeypatch.setattr(sign_flips, "MOST_SIGNS", 500)
    shared = drawn(panel, draws=4000).critical(0.05)

    assert shared == pytest.approx(alone, rel=0.06)


def test_many_pairs_have_fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_flips, "PAIR_DRAWS", 4500)

    assert len(drawn(random_panel(3, 40), draws=3000).largest) == 1500
    assert len(drawn(random_panel(10, 40), draws=3000).largest) == 1000
    assert len(drawn(random_panel(10, 40), draws=400).largest) == 400


def test_first_places_add_up_to_one_and_twins_share_them() -> None:
    skills = np.random.default_rng(5).normal(0, 0.1, (3, 60))
    skills = np.concatenate([skills, skills[[0]]])
    panel = panel_of(skills)
    shares = first_places(panel, np.arange(4), compare_pairs(panel), draws=2000)

    assert shares.sum() == pytest.approx(1)
    assert shares[0] == shares[3]


def test_first_places_count_the_common_events_only() -> None:
    """The second agent's good event is one that the first does not have."""
    skills = np.tile([[0.05], [0.0]], 50) + np.random.default_rng(6).normal(0, 0.01, (2, 50))
    skills[1, 0], skills[0, 0] = 1.0, np.nan
    panel = panel_of(np.concatenate([np.full((1, 50), 9.0), skills]))
    agents = np.array([1, 2])

    shares = first_places(panel, agents, compare_pairs(panel.of(agents, shared=True)), draws=500)
    assert shares.tolist() == [1.0, 0.0]
