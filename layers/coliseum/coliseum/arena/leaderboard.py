"""Ranks the agents of a report, with rank intervals, tiers and pairs. Pure.

The rank is the competition rank by paired skill against the market. Tiers, rank intervals and the shares of first
places hold for the best of many agents (`scoring.tiers`). An agent is listed when it competes
and passes the gates (coverage, events, days). Before that it is provisional: it comes after the listed agents and has
no rank, rank interval or P(best). Neither have agents that copy the price, nor references (`scoring.roles`). Profit
does not affect ranks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from coliseum.arena import readings
from coliseum.arena.scoring.comparisons import PairStatistics, compare_pairs
from coliseum.arena.scoring.pairs import AgentPair, agent_pairs
from coliseum.arena.scoring.report import PLACES, ScoreReport
from coliseum.arena.scoring.roles import AgentRole, Role, role_of
from coliseum.arena.scoring.tiers import Family, family_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What an agent needs to be listed; otherwise it is provisional. `coverage` is a share, `days` a time span."""

    coverage: float = 0.9
    events: int = 30
    days: float = 10.0


NO_GATES = Gates(coverage=0.0, events=1, days=0.0)
"""For a file of forecasts: every agent with a paired event is listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStanding:
    """One row of the leaderboard."""

    agent: str
    rank: int | None
    """Competition rank among the listed agents. None: provisional."""
    tier: int | None
    """1: no agent is significantly better. Two agents of one tier never differ significantly."""
    tier_reason: str | None
    """Why there is no tier, and with it no rank interval and no `best_probability`. None if there is one."""
    rank_interval: tuple[int, int] | None
    """Interval of the rank among the listed agents. The intervals of all agents hold at once with 95 %."""
    best_probability: float | None
    """Share of the resamples in which the agent is first among the agents of tier 1. It is not a probability."""
    best_probability_reason: str | None
    """Why an agent with a tier has no `best_probability`."""
    listed: bool
    missing: tuple[str, ...]
    """The gates that the agent does not pass, as text."""
    separated: str | None
    """`above` or `below` the market, if the bounds of the mean skill that hold at every look exclude 0 now."""
    role: Role
    role_reason: str | None
    """Why an agent is a copy or a reference. None for competitors."""
    scores: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The ranked agents of a report, and all pairs of them."""

    standings: tuple[AgentStanding, ...]
    """Listed agents by skill, then all others by skill, then agents without a skill."""
    pairs: tuple[AgentPair, ...]
    """Every pair of agents, in order of their names."""


def rank_agents(
    report: ScoreReport, *, days: Mapping[str, float], gates: Gates, references: Mapping[str, str] | None = None
) -> Leaderboard:
    """Rank the agents of a report.

    `days` is the time between the first and last round of each agent; agents without an entry have 0. `references` are
    the agents that are shown for comparison only, each with the reason in words.
    """
    scores = report.scores()
    missing = {agent: unmet_gates(values, days.get(agent, 0.0), gates) for agent, values in scores.items()}
    roles = {agent: role_of(agent, values, references or {}) for agent, values in scores.items()}
    by_skill = sorted(scores, key=lambda agent: _by_skill(scores[agent], agent))
    listed = [agent for agent in by_skill if not missing[agent] and roles[agent].role is Role.COMPETITOR]
    statistics = compare_pairs(report.panel)
    family = _family(report, statistics, listed)
    standings = tuple(
        AgentStanding(
            agent=agent,
            rank=_rank(agent, listed, scores),
            tier=family.tiers.get(place),
            tier_reason=None if place in family.tiers else family.reasons.get(place, _unlisted(roles[agent])),
            rank_interval=_rank_interval(family, place, _rank(agent, listed, scores), listed=len(listed)),
            best_probability=family.best.get(place),
            best_probability_reason=_no_best(family, place),
            listed=agent in listed,
            missing=missing[agent],
            separated=separated(scores[agent]),
            role=roles[agent].role,
            role_reason=roles[agent].reason,
            scores=scores[agent],
        )
        for agent in [*listed, *(agent for agent in by_skill if agent not in listed)]
        for place in [report.agents.index(agent)]
    )
    pairs = agent_pairs(
        report.agents, report.panel, statistics, family, evidence=report.pair_evidence, draws=report.draws
    )
    return Leaderboard(standings, pairs)


def _family(report: ScoreReport, statistics: PairStatistics, listed: Sequence[str]) -> Family:
    """The tiers of the listed agents. An agent whose skill has no interval has no tier, for the same reason."""
    scores, place = report.scores(), report.agents.index
    barred = {
        place(agent): scores[agent].get("skill_interval_reason") or "the skill has no interval"
        for agent in listed
        if scores[agent]["skill_interval"] is None
    }
    places = [place(agent) for agent in listed]
    return family_of(report.panel, statistics, places, names=report.agents, barred=barred, draws=report.draws)


def _rank(agent: str, listed: Sequence[str], scores: Mapping[str, Mapping[str, Any]]) -> int | None:
    """The competition rank among the listed agents."""
    if agent not in listed:
        return None
    own = published_skill(scores[agent])
    return 1 + sum(published_skill(scores[other]) > own for other in listed)


def published_skill(values: Mapping[str, Any]) -> float:
    """The skill as it is published. Without one: minus infinity.

    Ranks come from this number: two sums of the same numbers in another order differ in their last bits.
    """
    return -math.inf if values["skill"] is None else round(values["skill"], PLACES) + 0.0


def _rank_interval(family: Family, place: int, rank: int | None, *, listed: int) -> tuple[int, int] | None:
    """From 1 + the significantly better agents to all listed agents without the significantly worse ones.

    A listed agent that cannot be compared may be better or worse. The rank itself is always inside: it may lie outside
    only where agents are compared on other events than those that their skills come from.
    """
    if rank is None or place not in family.tiers:
        return None
    return min(rank, 1 + family.better[place]), max(rank, listed - family.worse[place])


def _unlisted(role: AgentRole) -> str:
    return role.reason or "provisional: it is not ranked yet"


def _no_best(family: Family, place: int) -> str | None:
    """Why an agent with a tier has no share of first places."""
    if place not in family.tiers or place in family.best:
        return None
    if family.tiers[place] > 1:
        return "an agent is significantly better"
    return family.best_reason


def leaderboard_body(
    report: ScoreReport, ranked: Leaderboard, *, operations: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """The leaderboard and its report, ready for JSON. The digest of a leaderboard covers this.

    The keys are the field names of `AgentStanding` and `AgentPair`, so renaming a field changes every digest.
    `operations` are figures by agent, which say why forecasts are missing.
    """
    standings = [standing_body(standing, report, operations) for standing in ranked.standings]
    return {"standings": standings, "pairs": [asdict(pair) for pair in ranked.pairs], "report": report.body}


def standing_body(
    standing: AgentStanding, report: ScoreReport, operations: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """One standing with what its numbers say in words, ready for JSON."""
    fields = {name: value for name, value in asdict(standing).items() if name != "scores"}
    told = readings.words(
        fields,
        standing.scores,
        operations=(operations or {}).get(standing.agent),
        is_pool=standing.agent in report.body["rules"]["pools"],
    )
    return {**fields, **told}


def separated(values: Mapping[str, Any]) -> str | None:
    """`above` or `below` the market, or None if neither is shown.

    It rests on the confidence sequence alone, which holds at every look. Evidence says only that the price is not
    exactly right, and an interval is valid for one look.
    """
    bounds = values.get("skill_sequence")
    if bounds is None or bounds[0] <= 0 <= bounds[1]:
        return None
    return "above" if bounds[0] > 0 else "below"


def unmet_gates(values: Mapping[str, Any], days: float, gates: Gates) -> tuple[str, ...]:
    """The gates that an agent with these numbers does not pass, as text such as `12 of 30 events`."""
    unmet: list[str] = []
    if values["coverage"] < gates.coverage:
        unmet.append(f"coverage {values['coverage']:.0%} of {gates.coverage:.0%}")
    if values["skill_events"] < gates.events:
        unmet.append(f"{values['skill_events']} of {gates.events} events")
    if days < gates.days:
        unmet.append(f"{days:.1f} of {gates.days:g} days")
    return tuple(unmet)


def _by_skill(values: Mapping[str, Any], agent: str) -> tuple[float, str]:
    return -published_skill(values), agent
