"""From scores to ranks, with what the ranks are worth. Pure.

Rank is competition rank on paired skill against the market. Tiers: an agent shares its predecessors' tier while the
paired interval of its difference to the tier's leader contains 0. Listing needs coverage, events and days; before
that an agent is provisional, stands below the listed ones and takes part in no rank, rank interval or P(best).
Profit never enters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from coliseum.arena.scoring import skill
from coliseum.arena.scoring.arithmetic import Floats
from coliseum.arena.scoring.evidence import BAR
from coliseum.arena.scoring.intervals import LEAST_EVENTS, BootstrapDifference, ranks
from coliseum.arena.scoring.report import ScoreReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What an agent needs to be listed rather than provisional."""

    coverage: float = 0.9
    events: int = 30
    days: float = 10.0


NO_GATES = Gates(coverage=0.0, events=1, days=0.0)
"""For a file of forecasts: whoever has a paired event is ranked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStanding:
    """One line of the board."""

    agent: str
    rank: int | None
    """Competition rank among the listed; None while provisional."""
    tier: int | None
    rank_interval: tuple[int, int] | None
    """95 % of the draws' ranks among the listed."""
    best_probability: float | None
    """Share of the draws in which it is first among the listed."""
    listed: bool
    missing: tuple[str, ...]
    """What keeps it from being listed, in words."""
    separated: str | None
    """`above` or `below` the market where evidence or the interval says so."""
    scores: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPair:
    """Two agents on the events both were paired on: the first minus the second."""

    first: str
    second: str
    difference: float | None
    interval: tuple[float, float] | None
    superiority: float | None
    """Share of the draws in which the first is ahead; ties count half."""
    events: int
    events_needed: int | None
    """Events in total until this difference would stand out at 80 % power."""
    log10_evidence: float | None
    """Of betting on the first where the second sets the price: 1.3 refutes the second at 5 %, at every peek."""


_Odds = tuple[tuple[int, int] | None, float | None]
_NO_ODDS: _Odds = (None, None)


@dataclass(frozen=True, slots=True)
class Leaderboard:
    standings: tuple[AgentStanding, ...]
    """Listed agents by skill, then the provisional ones by skill, then those without any."""
    pairs: tuple[AgentPair, ...]
    """Every pair of agents, in the order of their names."""


def rank_agents(report: ScoreReport, *, days: Mapping[str, float], gates: Gates) -> Leaderboard:
    """Rank a report's agents. `days` tells for how long each has played; agents without an entry 0."""
    scores = report.scores()
    lacks = {agent: unmet_gates(values, days.get(agent, 0.0), gates) for agent, values in scores.items()}
    by_skill = sorted(scores, key=lambda agent: _order(scores[agent], agent))
    listed = [agent for agent in by_skill if not lacks[agent]]
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
            missing=lacks[agent],
            separated=separated(scores[agent]),
            scores=scores[agent],
        )
        for agent in [*listed, *(agent for agent in by_skill if lacks[agent])]
    )
    return Leaderboard(standings, pairs)


def leaderboard_body(report: ScoreReport, ranked: Leaderboard) -> dict[str, Any]:
    """JSON-ready: what a board's digest covers."""
    standings = [{name: value for name, value in asdict(one).items() if name != "scores"} for one in ranked.standings]
    return {"standings": standings, "pairs": [asdict(pair) for pair in ranked.pairs], "report": report.body}


def pairwise(report: ScoreReport) -> tuple[AgentPair, ...]:
    """Every pair of agents on their common paired events, from the report's draws."""
    result: list[AgentPair] = []
    for first, name in enumerate(report.agents):
        for second in range(first + 1, len(report.agents)):
            difference = report.skills[first] - report.skills[second]
            present = difference[~np.isnan(difference)]
            drawn = None if report.resampled is None else report.resampled.differences[first, second]
            evidence = report.pair_evidence.get((first, second))
            result.append(_pair(name, report.agents[second], present, drawn, evidence))
    return tuple(result)


def separated(values: Mapping[str, Any]) -> str | None:
    """Apart from the market only by evidence that may be looked at every day, or by an interval clear of 0."""
    peak = values.get("log10_evidence_peak")
    evidence = values.get("log10_evidence") if peak is None else peak
    if evidence is not None and evidence >= math.log10(BAR):
        return "above"
    interval = values.get("skill_interval")
    if interval is None or interval[0] <= 0 <= interval[1]:
        return None
    return "above" if interval[0] > 0 else "below"


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


def _odds(report: ScoreReport, listed: Sequence[str]) -> dict[str, _Odds]:
    """(rank interval, P(best)) from shared draws, among the listed agents that have events enough for an interval."""
    scores = report.scores()
    agents = [agent for agent in listed if scores[agent]["skill_events"] >= LEAST_EVENTS]
    if report.resampled is None or not agents:
        return {}
    drawn = ranks(report.resampled.means[:, [report.agents.index(agent) for agent in agents]])
    return dict(zip(agents, zip(drawn.interval, drawn.best, strict=True), strict=True))


def unmet_gates(values: Mapping[str, Any], days: float, gates: Gates) -> tuple[str, ...]:
    """What keeps an agent with these numbers from being listed, in words."""
    needs: list[str] = []
    if values["coverage"] < gates.coverage:
        needs.append(f"coverage {values['coverage']:.0%} of {gates.coverage:.0%}")
    if values["skill_events"] < gates.events:
        needs.append(f"{values['skill_events']} of {gates.events} events")
    if days < gates.days:
        needs.append(f"{days:.1f} of {gates.days:g} days")
    return tuple(needs)


def _order(values: Mapping[str, Any], agent: str) -> tuple[float, str]:
    return (math.inf if values["skill"] is None else -values["skill"], agent)


def _tiers(listed: Sequence[str], pairs: Sequence[AgentPair]) -> dict[str, int]:
    intervals = {frozenset((pair.first, pair.second)): pair.interval for pair in pairs}
    tiers: dict[str, int] = {}
    leader = ""
    for agent in listed:
        interval = intervals.get(frozenset((leader, agent)))
        apart = interval is not None and (interval[0] > 0 or interval[1] < 0)
        if not tiers or apart:
            leader = agent
            tiers[agent] = max(tiers.values(), default=0) + 1
        else:
            tiers[agent] = tiers[leader]
    return tiers
