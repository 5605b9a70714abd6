"""Tiers, rank intervals and first places that are safe for the best of many agents. Pure.

The listed agents that can all be compared with each other are the family. Two of them differ if the |t| of their
difference exceeds the critical value, which the largest |t| of all pairs exceeds by luck in 4 % of seasons
(`sign_flips`). From this follow, all at once with at least 95 % confidence:

- Tiers. An agent of tier 1 has no agent that is significantly better, so tier 1 holds the best agent. Without tier 1,
  the same rule gives tier 2, and so on. Two agents of one tier never differ significantly, and an agent is always in a
  lower tier than one that is significantly better.
- Rank intervals, from 1 + the number of agents that are significantly better to the number of listed agents minus
  those that are significantly worse (Mogstad, Romano, Shaikh and Wilhelm 2024).

An agent outside the family has none of these, and it changes nothing for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import NormalDist

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Mask
from coliseum.arena.scoring.comparisons import PairStatistics, SkillPanel, compare_pairs
from coliseum.arena.scoring.sign_flips import first_places, flip_signs

LEVEL = 0.04
"""The share of seasons of equal agents in which any two may differ significantly.

The promise is 5 %. Signs are nearly exact for equal agents, so a level of 0.05 would use all of it, and skew or one
dependent cluster too many would break it.
"""
LEAST_CLUSTERS = 30
"""Fewer clusters, of one agent or in common, say too little about their own spread to call one agent better."""
LEAST_DRAWS = 99
"""Below so many draws there are no tiers: the critical value would be one of the most extreme draws."""
LEAST_EXPECTED = 5.0
"""With fewer expected outcomes of the rarer kind, the differences that were seen may all be of one kind by luck."""
LARGEST_SHARE = 0.25
"""Above this share of the events in one cluster, that cluster decides alone."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """What the agents that can all be compared with each other show. Agents are their places in the panel."""

    members: tuple[int, ...] = ()
    critical: float | None = None
    """Differences of more than so many standard errors are significant. None without a family."""
    tiers: Mapping[int, int] = field(default_factory=dict)
    better: Mapping[int, int] = field(default_factory=dict)
    """The number of members that are significantly better than each of them."""
    worse: Mapping[int, int] = field(default_factory=dict)
    best: Mapping[int, float] = field(default_factory=dict)
    """The share of the draws in which each agent of tier 1 is first among them. Empty if it is not known."""
    best_reason: str | None = None
    """Why `best` is empty."""
    superiority: Mapping[tuple[int, int], float] = field(default_factory=dict)
    """By pair, the lower place first: the share of the draws in which the first is ahead; ties count half."""
    reasons: Mapping[int, str] = field(default_factory=dict)
    """Why each listed agent that is not a member has no tier."""


def family_of(
    panel: SkillPanel,
    statistics: PairStatistics,
    listed: Sequence[int],
    *,
    names: Sequence[str],
    barred: Mapping[int, str],
    draws: int,
    level: float = LEVEL,
) -> Family:
    """Compare the listed agents with each other. `statistics` are those of the panel.

    `names` are the names of the panel's agents, for the reasons. `barred` are agents that have no tier for a reason of
    their own.
    """
    reasons = {agent: barred[agent] for agent in listed if agent in barred}
    if draws < LEAST_DRAWS:
        few = f"{draws} draws, and a tier needs {LEAST_DRAWS}"
        return Family(reasons=dict.fromkeys(listed, few) | reasons)
    open_to = [agent for agent in listed if agent not in reasons]
    reasons |= {agent: reason for agent in open_to if (reason := _own_gap(panel, agent)) is not None}
    left = _without_conflicts(panel, statistics, [agent for agent in open_to if agent not in reasons], names)
    reasons |= left
    members = sorted(agent for agent in open_to if agent not in reasons)
    if len(members) == 1:
        reasons[members.pop()] = "there is no other agent to compare it with"
    if not members:
        return Family(reasons=reasons)
    return _compared(panel, statistics, members, draws=draws, level=level, reasons=reasons)


def pair_gap(statistics: PairStatistics, first: int, second: int, *, least: int) -> str | None:
    """What two agents lack to be compared, in words. None if they can be compared. It needs `least` common clusters.

    It depends on what was asked and at which prices, never on outcomes.
    """
    clusters, expected = int(statistics.clusters[first, second]), float(statistics.expected[first, second])
    if not clusters:
        return "no common event"
    if clusters < least:
        return f"{clusters} common {_clusters(clusters)}, and {least} are needed"
    if statistics.largest[first, second] > LARGEST_SHARE:
        share = statistics.largest[first, second]
        return f"one cluster has {share:.0%} of the common events, and at most {LARGEST_SHARE:.0%} are allowed"
    if expected < LEAST_EXPECTED:
        return (
            f"{clusters} common clusters, but their prices expect {expected:.1f} outcomes of the rarer kind, and "
            f"{LEAST_EXPECTED:g} are needed"
        )
    return None


def _own_gap(panel: SkillPanel, agent: int) -> str | None:
    """What an agent lacks to be compared with any other one."""
    clusters = len(np.unique(panel.cluster[panel.present[agent]]))
    return (
        None if clusters >= LEAST_CLUSTERS else f"{clusters} {_clusters(clusters)}, and a tier needs {LEAST_CLUSTERS}"
    )


def _clusters(number: int) -> str:
    return "cluster" if number == 1 else "clusters"


def _without_conflicts(
    panel: SkillPanel, statistics: PairStatistics, agents: Sequence[int], names: Sequence[str]
) -> dict[int, str]:
    """The agents that leave the family because they cannot be compared with one that has as many clusters, and why.

    An agent is weighed against those that have at least half as many clusters, so agents with few clusters remove no
    other one, however many they are. The agent with the most conflicts leaves first; of several, those with the fewest
    clusters; of several, all. So the names of the agents do not matter.
    """
    gaps = {pair: gap for pair in combinations(agents, 2) if (gap := pair_gap(statistics, *pair, least=LEAST_CLUSTERS))}
    conflicts: dict[int, set[int]] = {agent: set() for agent in agents}
    for first, second in gaps:
        conflicts[first].add(second)
        conflicts[second].add(first)
    shared = _shared_clusters(panel, agents)
    reasons: dict[int, str] = {}
    while any(conflicts.values()):
        weight = {
            agent: (sum(2 * shared[other] >= shared[agent] for other in others), -shared[agent])
            for agent, others in conflicts.items()
        }
        heaviest = max(weight.values())
        leaving = [agent for agent in conflicts if weight[agent] == heaviest]
        for agent in leaving:
            other = min(conflicts[agent], key=lambda one: (-shared[one], names[one]))
            reasons[agent] = f"not compared with {names[other]}: {gaps[min(agent, other), max(agent, other)]}"
        conflicts = {agent: others - set(leaving) for agent, others in conflicts.items() if agent not in leaving}
    return reasons


def _shared_clusters(panel: SkillPanel, agents: Sequence[int]) -> dict[int, int]:
    """The number of clusters of each agent in which another one of them has an event too."""
    present = panel.present[list(agents)]
    shared = present & (present.sum(axis=0) > 1)
    return {agent: len(np.unique(panel.cluster[row])) for agent, row in zip(agents, shared, strict=True)}


def _compared(
    panel: SkillPanel,
    statistics: PairStatistics,
    members: Sequence[int],
    *,
    draws: int,
    level: float,
    reasons: Mapping[int, str],
) -> Family:
    places = np.array(members)
    inner = panel.of(places)
    # The agents and events outside the family change neither the signs nor what they are compared with.
    part = statistics.of(places)
    pairs = list(combinations(range(len(members)), 2))
    drawn = flip_signs(inner, pairs, part, draws=draws)
    critical = max(drawn.critical(level), _least_critical(part, level))
    above = np.nan_to_num(part.t) > critical
    tiers = tier_numbers(above)
    first = np.flatnonzero(tiers == 1)
    best, best_reason = _first_places(inner, first, draws=draws)
    return Family(
        members=tuple(members),
        critical=critical,
        tiers=_by_agent(members, tiers),
        better=_by_agent(members, above.sum(axis=0)),
        worse=_by_agent(members, above.sum(axis=1)),
        best={members[place]: share for place, share in zip(first.tolist(), best, strict=False)},
        best_reason=best_reason,
        superiority={
            (members[one], members[other]): float(share) for (one, other), share in zip(pairs, drawn.ahead, strict=True)
        },
        reasons=reasons,
    )


def _least_critical(statistics: PairStatistics, level: float) -> float:
    """The critical value of pairs whose differences show no spread, from the normal distribution (Bonferroni).

    Signs say nothing about such pairs, because their error is the expected one. At least as for one pair.
    """
    still = int(np.isinf(np.triu(statistics.raised, 1)).sum())
    return NormalDist().inv_cdf(1 - level / (2 * max(1, still)))


def _by_agent(members: Iterable[int], numbers: Codes) -> dict[int, int]:
    return {agent: int(number) for agent, number in zip(members, numbers, strict=True)}


def tier_numbers(above: Mask) -> Codes:
    """The tier of each agent, if `above[i, j]` says that i is significantly better than j.

    Each tier takes the agents to whom none of the remaining agents is significantly better. If that leaves nobody,
    which only differences over different events can bring about, the tier takes all remaining agents.
    """
    tiers = np.zeros(len(above), dtype=np.int64)
    while (remaining := tiers == 0).any():
        free = remaining & ~above[remaining].any(axis=0)
        tiers[free if free.any() else remaining] = tiers.max() + 1
    return tiers


def _first_places(panel: SkillPanel, agents: Codes, *, draws: int) -> tuple[Sequence[float], str | None]:
    """The share of the draws in which each of the agents is first; or none, and why."""
    common = panel.of(agents, shared=True)
    if len(agents) == 1:
        return [1.0], None
    if common.clusters < LEAST_CLUSTERS:
        return [], (
            f"the agents of tier 1 have {common.clusters} {_clusters(common.clusters)} in common, and a share of first "
            f"places needs {LEAST_CLUSTERS}"
        )
    statistics = compare_pairs(common)
    if np.isinf(statistics.raised).any():
        return [], "two agents of tier 1 differ by the same amount in every event, so the spread is not known"
    return [float(share) for share in first_places(panel, agents, statistics, draws=draws)], None
