"""Every pair of agents: the difference of their skills, its intervals, and what is missing for them. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from coliseum.arena.scoring import skill
from coliseum.arena.scoring.arithmetic import number
from coliseum.arena.scoring.comparisons import PairStatistics, SkillPanel
from coliseum.arena.scoring.proportions import student_quantile
from coliseum.arena.scoring.sign_flips import flip_signs
from coliseum.arena.scoring.tiers import LEAST_DRAWS, Family, pair_gap

LEAST_CLUSTERS = 10
"""Below so many common clusters a pair has no interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPair:
    """Two agents compared on the events in which both have paired cells: the first minus the second."""

    first: str
    second: str
    difference: float | None
    interval: tuple[float, float] | None
    """95 % interval of the difference, valid for one pair at one time."""
    adjusted_interval: tuple[float, float] | None
    """Holds for all pairs of the agents with a tier at once, with 95 %. Without 0 in it, the difference is
    significant."""
    reason: str | None
    """Why an interval or `superiority` is missing, so that the two are not compared. None if nothing is."""
    superiority: float | None
    """Share of the resamples in which the first agent is ahead; ties count half. It is not a probability."""
    events: int
    clusters: int
    """The clusters of these events."""
    events_needed: int | None
    """Total number of events needed to see this difference with 80 % power."""
    log10_evidence: float | None
    """Of betting on the first agent at the prices of the second. From 1.3 on, the second is not exactly right (5 %)."""


def agent_pairs(
    names: Sequence[str],
    panel: SkillPanel,
    statistics: PairStatistics,
    family: Family,
    *,
    evidence: Mapping[tuple[int, int], float],
    draws: int,
) -> tuple[AgentPair, ...]:
    """Every pair of the panel's agents, in order of their places."""
    pairs = list(combinations(range(len(names)), 2))
    gaps = {pair: pair_gap(statistics, *pair, least=LEAST_CLUSTERS) for pair in pairs}
    alone = [pair for pair in pairs if gaps[pair] is None and pair not in family.superiority]
    superiority = dict(family.superiority)
    if alone and draws >= LEAST_DRAWS:
        ahead = flip_signs(panel, alone, statistics, draws=draws).ahead
        superiority |= {pair: float(share) for pair, share in zip(alone, ahead, strict=True)}
    return tuple(
        _pair(pair, names, statistics, family, gap=gaps[pair], superiority=superiority.get(pair), evidence=evidence)
        for pair in pairs
    )


def _pair(
    pair: tuple[int, int],
    names: Sequence[str],
    statistics: PairStatistics,
    family: Family,
    *,
    gap: str | None,
    superiority: float | None,
    evidence: Mapping[tuple[int, int], float],
) -> AgentPair:
    mean, error = float(statistics.difference[pair]), float(statistics.error[pair])
    events, clusters = int(statistics.events[pair]), int(statistics.clusters[pair])
    identical = bool(statistics.identical[pair])
    shown = gap is None and not identical
    together = shown and family.critical is not None and all(agent in family.tiers for agent in pair)
    no_spread = shown and math.isinf(statistics.raised[pair])
    return AgentPair(
        first=names[pair[0]],
        second=names[pair[1]],
        difference=number(mean),
        interval=_around(mean, error, student_quantile(clusters - 1)) if shown else None,
        adjusted_interval=_around(mean, error, family.critical or math.inf) if together else None,
        reason=gap
        or ("both have the same skill in every common event" if identical else None)
        or _outside(pair, names, family)
        or ("the difference is the same in every event, so there is nothing to resample" if no_spread else None),
        superiority=None if no_spread else superiority,
        events=events,
        clusters=clusters,
        events_needed=None if math.isnan(mean) else skill.events_needed(mean, error, events),
        log10_evidence=evidence.get(pair),
    )


def _around(mean: float, error: float, width: float) -> tuple[float, float] | None:
    return None if math.isinf(width) else (mean - width * error, mean + width * error)


def _outside(pair: tuple[int, int], names: Sequence[str], family: Family) -> str | None:
    """Why the pair is not compared together with all others."""
    for agent in pair:
        if agent not in family.tiers:
            return f"{names[agent]} has no tier: {family.reasons.get(agent, 'it is not listed')}"
    return None
