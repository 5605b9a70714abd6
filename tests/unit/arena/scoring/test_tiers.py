from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from coliseum.arena.scoring.arithmetic import Floats, Mask
from coliseum.arena.scoring.comparisons import SkillPanel, compare_pairs
from coliseum.arena.scoring.tiers import Family, family_of, tier_numbers


def panel_of(
    skills: Floats, *, price: float = 0.5, cluster: list[int] | None = None, order: list[int] | None = None
) -> SkillPanel:
    """A panel with these skills. Each agent changes its skill by an amount of its own if a market is YES.

    `order` says which agents the rows are.
    """
    agents, events = skills.shape
    slopes = 0.02 * np.array(range(agents) if order is None else order)[:, None]
    present = ~np.isnan(skills)
    return SkillPanel(
        skills=skills,
        cluster=np.arange(events) if cluster is None else np.array(cluster),
        yes=np.where(present, price, 0.0),
        unlikely=np.where(present, min(price, 1 - price), 0.0),
        slopes=np.where(present, slopes, 0.0),
        forecasts=np.full((agents, events), 0.5),
        event=np.arange(events),
    )


def skills_of(levels: list[float], *, events: int = 60, noise: float = 0.1, seed: int = 1) -> Floats:
    return np.asarray(np.array(levels)[:, None] + np.random.default_rng(seed).normal(0, noise, (len(levels), events)))


def family(panel: SkillPanel, *, barred: dict[int, str] | None = None, draws: int = 400) -> Family:
    agents = range(len(panel.skills))
    names = [f"a{agent}" for agent in agents]
    return family_of(panel, compare_pairs(panel), agents, names=names, barred=barred or {}, draws=draws)


def only(skills: Floats, present: dict[int, slice]) -> Floats:
    """The skills, with the agents in `present` lacking all other events."""
    skills = skills.copy()
    for agent, events in present.items():
        kept = np.zeros(skills.shape[1], dtype=np.bool_)
        kept[events] = True
        skills[agent, ~kept] = np.nan
    return skills


@pytest.mark.parametrize(
    ("above", "tiers"),
    [
        ([], []),
        ([(0, 1), (0, 2), (1, 2)], [1, 2, 3]),
        ([(0, 2)], [1, 1, 2]),
        ([(0, 1)], [1, 2, 1]),  # the last is known less precisely: it may be the best
        ([(0, 1), (1, 2)], [1, 2, 3]),
        ([(0, 1), (1, 2), (2, 0)], [1, 1, 1]),  # over different events, each is better than the next
    ],
)
def test_a_tier_has_the_agents_to_whom_none_of_the_remaining_is_better(
    above: list[tuple[int, int]], tiers: list[int]
) -> None:
    marks = np.zeros((3, 3), dtype=np.bool_)
    for pair in above:
        marks[pair] = True

    assert tier_numbers(marks).tolist() == (tiers or [1, 1, 1])


@given(arrays.arrays(np.bool_, (6, 6)))
def test_a_better_agent_is_always_in_a_lower_tier(marks: Mask) -> None:
    above = np.triu(marks, 1)  # the lower number is the better one: no circle
    tiers = tier_numbers(above)

    assert all(tiers[first] < tiers[second] for first, second in np.argwhere(above))
    assert set(tiers.tolist()) == set(range(1, tiers.max() + 1))
    assert all(tiers[agent] == 1 or (above[:, agent] & (tiers == tiers[agent] - 1)).any() for agent in range(6))


def test_clear_differences_give_tiers_and_counts() -> None:
    found = family(panel_of(skills_of([0.5, 0.5, 0.0])))

    assert found.tiers == {0: 1, 1: 1, 2: 2}
    assert (found.better, found.worse) == ({0: 0, 1: 0, 2: 2}, {0: 1, 1: 1, 2: 0})
    assert set(found.best) == {0, 1}
    assert sum(found.best.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("clusters", "reason"),
    [(30, None), (29, "29 clusters, and a tier needs 30"), (1, "1 cluster, and a tier needs 30")],
)
def test_a_tier_needs_thirty_clusters(clusters: int, reason: str | None) -> None:
    found = family(panel_of(only(skills_of([0.5, 0.4, 0.0]), {2: slice(clusters)})))

    assert found.reasons.get(2) == reason
    assert found.tiers[0] == 1


def test_a_cluster_counts_once_however_many_events_it_has() -> None:
    found = family(panel_of(skills_of([0.5, 0.0]), cluster=[event // 3 for event in range(60)]))

    assert found.reasons == dict.fromkeys((0, 1), "20 clusters, and a tier needs 30")


@pytest.mark.parametrize(
    ("price", "cluster", "words"),
    [
        (0.08, None, "60 common clusters, but their prices expect 4.8 outcomes of the rarer kind, and 5 are needed"),
        (0.95, None, "expect 3.0 outcomes of the rarer kind"),
        (0.5, [0] * 20 + list(range(1, 41)), "one cluster has 33% of the common events, and at most 25% are allowed"),
    ],
)
def test_pairs_that_cannot_be_compared_have_no_tier(price: float, cluster: list[int] | None, words: str) -> None:
    found = family(panel_of(skills_of([0.5, 0.0]), price=price, cluster=cluster))

    assert found.tiers == {}
    assert found.reasons[0].startswith("not compared with a1: ")
    assert words in found.reasons[0]
    assert set(found.reasons) == {0, 1}


def test_agents_with_few_clusters_remove_no_other_one_however_many_they_are() -> None:
    """Nine newcomers share 31 events with each other and none with the two that have 100."""
    skills = skills_of([0.5, 0.0, *[0.2] * 9], events=131)
    found = family(
        panel_of(only(skills, {0: slice(100), 1: slice(100), **dict.fromkeys(range(2, 11), slice(100, 131))}))
    )

    assert found.tiers == {0: 1, 1: 2}
    assert all("no common event" in found.reasons[agent] for agent in range(2, 11))


def test_an_agent_with_other_events_does_not_remove_those_that_share_theirs() -> None:
    """The odd one has more events than the others. Its partner has them too, but fewer."""
    skills = skills_of([0.5, 0.2, 0.0, 0.9, 0.9], events=161)
    present = {0: slice(79), 1: slice(79), 2: slice(78), 3: slice(81, 161), 4: slice(81, 121)}

    assert family(panel_of(only(skills, present))).tiers == {0: 1, 1: 2, 2: 3}


def test_two_agents_alike_that_share_no_event_both_leave() -> None:
    skills = only(skills_of([0.5, 0.0, 0.1], events=160), {0: slice(80), 1: slice(80, 160)})
    found = family(panel_of(skills))

    assert found.members == ()
    assert "no common event" in found.reasons[0]
    assert "no common event" in found.reasons[1]
    assert found.reasons[2] == "there is no other agent to compare it with"


def test_barred_agents_keep_their_own_reason_and_change_nothing() -> None:
    skills = skills_of([0.5, 0.45, 0.0])
    alone = family(panel_of(skills[:2]))
    found = family(panel_of(skills), barred={2: "no interval"})

    assert found.reasons == {2: "no interval"}
    assert (found.tiers, found.best, found.critical) == (alone.tiers, alone.best, alone.critical)


def test_with_too_few_draws_there_is_no_tier() -> None:
    found = family(panel_of(skills_of([0.5, 0.0])), draws=98)

    assert found.reasons == dict.fromkeys((0, 1), "98 draws, and a tier needs 99")


def test_first_places_need_events_that_all_of_tier_one_share() -> None:
    """Each two of the three share 40 of 60 events, and all three share 20."""
    skills = skills_of([0.1, 0.1, 0.1])
    skills[0, :20] = skills[1, 20:40] = skills[2, 40:] = np.nan
    skills = np.concatenate([skills, skills_of([0.1] * 3, events=20, seed=2)], axis=1)
    found = family(panel_of(skills))

    assert set(found.tiers.values()) == {1}
    assert found.best == {}
    assert found.best_reason is not None
    assert "the agents of tier 1 have 20 clusters in common" in found.best_reason


def test_first_places_need_a_spread() -> None:
    skills = np.tile([[0.001], [0.0]], 60)
    found = family(panel_of(skills))

    assert found.tiers == {0: 1, 1: 1}
    assert (found.best, found.best_reason is None) == ({}, False)


def test_twins_share_first_places_and_tier() -> None:
    skills = skills_of([0.1, 0.0])
    found = family(panel_of(np.concatenate([skills, skills[[0]]])))

    assert found.tiers[0] == found.tiers[2] == 1
    assert found.best[0] == found.best[2]


@given(st.integers(0, 10_000), st.permutations(range(5)), st.integers(0, 29))
def test_neither_order_nor_an_agent_with_few_events_changes_a_tier(seed: int, order: list[int], few: int) -> None:
    skills = skills_of([0.06, 0.05, 0.02, 0.0, 0.0], seed=seed)
    newcomer = only(skills_of([0.9], seed=seed + 1), {0: slice(few)})
    plain, beside = (
        family(panel_of(skills)),
        family(panel_of(np.concatenate([skills, newcomer])[[*order, 5]], order=[*order, 5])),
    )

    assert [beside.tiers[order.index(agent)] for agent in range(5)] == [plain.tiers[agent] for agent in range(5)]
    assert {order[agent] for agent in beside.best} == set(plain.best)
    assert beside.best == pytest.approx({order.index(agent): share for agent, share in plain.best.items()})
    assert sum(beside.best.values()) == pytest.approx(1)
    assert 5 in beside.reasons
