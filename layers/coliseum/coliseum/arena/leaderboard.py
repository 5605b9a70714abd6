"""Ranks the agents of a report, with rank intervals, tiers and pairs. Pure.

The rank is the competition rank by paired skill against the market. An agent is in the tier of the agents before it
while the paired interval of its difference to the tier's leader contains 0. An agent is listed when it competes
and passes the gates (coverage, events, days). Before that it is provisional: it comes after the listed agents and has
no rank, rank interval or P(best). Neither have agents that copy the price, nor references (`scoring.roles`). Profit
does not affect ranks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from coliseum.arena import readings
from coliseum.arena.scoring import skill
from coliseum.arena.scoring.arithmetic import Floats
from coliseum.arena.scoring.intervals import LEAST_EVENTS, BootstrapDifference, ranks
from coliseum.arena.scoring.report import ScoreReport
from coliseum.arena.scoring.roles import Role, role_of


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
    rank_interval: tuple[int, int] | None
    """95 % interval of the rank among the listed agents, from the draws."""
    best_probability: float | None
    """Share of the draws in which the agent is first among the listed ones."""
    listed: bool
    missing: tuple[str, ...]
    """The gates that the agent does not pass, as text."""
    separated: str | None
    """`above` or `below` the market, if the bounds of the mean skill that hold at every look exclude 0 now."""
    role: Role
    role_reason: str | None
    """Why an agent is a copy or a reference. None for competitors."""
    scores: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPair:
    """Two agents compared on the events in which both have paired cells: the first minus the second."""

    first: str
    second: str
    difference: float | None
    interval: tuple[float, float] | None
    superiority: float | None
    """Share of the draws in which the first agent is ahead; ties count half."""
    events: int
    events_needed: int | None
    """Total number of events needed to see this difference with 80 % power."""
    log10_evidence: float | None
    """Of betting on the first agent at the prices of the second. From 1.3 on, the second is not exactly right (5 %)."""


_RankOdds = tuple[tuple[int, int] | None, float | None]
"""(Rank interval, share of the draws in first place)."""
_NO_ODDS: _RankOdds = (None, None)


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
    pairs = pairwise(report)
    tiers, odds = _tiers(listed, pairs), _odds(report, listed)
    standings = tuple(
        AgentStanding(
            agent=agent,
            rank=1 + sum(scores[other]["skill"] > scores[agent]["skill"] for other in listed)
            if agent in tiers
            else None,
            tier=tiers.get(agent),
            rank_interval=odds.get(agent, _NO_ODDS)[0],
            best_probability=odds.get(agent, _NO_ODDS)[1],
            listed=agent in tiers,
            missing=missing[agent],
            separated=separated(scores[agent]),
            role=roles[agent].role,
            role_reason=roles[agent].reason,
            scores=scores[agent],
        )
        for agent in [*listed, *(agent for agent in by_skill if agent not in listed)]
    )
    return Leaderboard(standings, pairs)


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


def pairwise(report: ScoreReport) -> tuple[AgentPair, ...]:
    """Compare every pair of agents on their common paired events, with the draws of the report."""
    result: list[AgentPair] = []
    for first, name in enumerate(report.agents):
        for second in range(first + 1, len(report.agents)):
            difference = report.skills[first] - report.skills[second]
            common = difference[~np.isnan(difference)]
            drawn = None if report.resampled is None else report.resampled.differences[first, second]
            evidence = report.pair_evidence.get((first, second))
            result.append(_pair(name, report.agents[second], common, drawn, evidence))
    return tuple(result)


def separated(values: Mapping[str, Any]) -> str | None:
    """`above` or `below` the market, or None if neither is shown.

    It rests on the confidence sequence alone, which holds at every look. Evidence says only that the price is not
    exactly right, and an interval is valid for one look.
    """
    bounds = values.get("skill_sequence")
    if bounds is None or bounds[0] <= 0 <= bounds[1]:
        return None
    return "above" if bounds[0] > 0 else "below"


def _pair(
    first: str, second: str, differences: Floats, drawn: BootstrapDifference | None, evidence: float | None
) -> AgentPair:
    events = len(differences)
    mean = float(differences.mean()) if events else None
    error = float(differences.std(ddof=1)) / math.sqrt(events) if events > 1 else math.nan
    return AgentPair(
        first=first,
        second=second,
        difference=mean,
        interval=None if drawn is None or events < LEAST_EVENTS else drawn.interval,
        superiority=None if drawn is None else drawn.superiority,
        events=events,
        events_needed=None if mean is None else skill.events_needed(mean, error, events),
        log10_evidence=evidence,
    )


def _odds(report: ScoreReport, listed: Sequence[str]) -> dict[str, _RankOdds]:
    """Rank interval and P(best) from shared draws, over the listed agents that have enough events for an interval."""
    scores = report.scores()
    agents = [agent for agent in listed if scores[agent]["skill_events"] >= LEAST_EVENTS]
    if report.resampled is None or not agents:
        return {}
    rank_draws = ranks(report.resampled.means[:, [report.agents.index(agent) for agent in agents]])
    return dict(zip(agents, zip(rank_draws.interval, rank_draws.best, strict=True), strict=True))


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
    return (math.inf if values["skill"] is None else -values["skill"], agent)


def _tiers(listed: Sequence[str], pairs: Sequence[AgentPair]) -> dict[str, int]:
    """The tier of each listed agent. Each agent is compared with the leader of the tier, not with its neighbour."""
    intervals = {frozenset((pair.first, pair.second)): pair.interval for pair in pairs}
    tiers: dict[str, int] = {}
    leader = ""
    for agent in listed:
        interval = intervals.get(frozenset((leader, agent)))
        differs = interval is not None and (interval[0] > 0 or interval[1] < 0)
        if not tiers or differs:
            leader = agent
            tiers[agent] = max(tiers.values(), default=0) + 1
        else:
            tiers[agent] = tiers[leader]
    return tiers
