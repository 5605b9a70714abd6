"""From scores to ranks, with what the ranks are worth. Pure.

Rank is competition rank on paired skill against the market. Tiers: an agent shares its predecessors' tier while the
paired interval of its difference to the tier's leader contains 0. Listing needs coverage, events and days; before
that an agent is provisional and stands below the listed ones. Profit never enters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coliseum.arena.scoring import skill
from coliseum.arena.scoring.brier import event_values
from coliseum.arena.scoring.cells import Floats, Table
from coliseum.arena.scoring.intervals import bootstrap, percentile_interval

EVIDENCE_BAR = 20.0
"""An e-value this large refutes "the market is right" at 5 %, whenever it is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What an agent needs to be listed rather than provisional."""

    coverage: float = 0.9
    events: int = 30
    days: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One line of the board."""

    agent: str
    rank: int | None
    """Competition rank among the listed; None while provisional."""
    tier: int | None
    listed: bool
    missing: tuple[str, ...]
    """What keeps it from being listed, in words."""
    separated: str | None
    """`above` or `below` the market where evidence or the interval says so."""
    scores: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
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


def board(
    scores: Mapping[str, Mapping[str, Any]],
    pairs: Sequence[Pair],
    *,
    days: Mapping[str, float],
    gates: Gates,
) -> tuple[Standing, ...]:
    """Standings, listed agents first by skill, then the provisional ones by skill, then those without any."""
    missing = {agent: _missing(values, days.get(agent, 0.0), gates) for agent, values in scores.items()}
    listed = sorted((agent for agent in scores if not missing[agent]), key=lambda agent: _order(scores[agent], agent))
    others = sorted((agent for agent in scores if missing[agent]), key=lambda agent: _order(scores[agent], agent))
    tiers = _tiers(listed, pairs)
    return tuple(
        Standing(
            agent=agent,
            rank=1 + sum(scores[other]["skill"] > scores[agent]["skill"] for other in listed)
            if agent in tiers
            else None,
            tier=tiers.get(agent),
            listed=agent in tiers,
            missing=missing[agent],
            separated=_separated(scores[agent]),
            scores=scores[agent],
        )
        for agent in [*listed, *others]
    )


def pairwise(table: Table, *, seed: int, draws: int) -> tuple[Pair, ...]:
    """Every pair of agents on their common paired events, from shared draws."""
    values = event_values(_differences(table), table, table.paired)
    result: list[Pair] = []
    for first in range(len(table.agents)):
        for second in range(first + 1, len(table.agents)):
            difference = values[first] - values[second]
            mean = skill.mean_of_events(difference)
            replicates = bootstrap(difference[None, :], seed=seed, draws=draws).means[:, 0]
            result.append(
                Pair(
                    first=table.agents[first],
                    second=table.agents[second],
                    difference=mean.value,
                    interval=percentile_interval(replicates) if mean.events >= 2 else None,
                    superiority=_superiority(replicates),
                    events=mean.events,
                    events_needed=skill.events_needed(difference),
                )
            )
    return tuple(result)


def _differences(table: Table) -> Floats:
    differences = skill.paired_difference(table)
    differences[~table.paired] = 0.0
    return differences


def _superiority(replicates: Floats) -> float | None:
    numbers = replicates[~np.isnan(replicates)]
    if not len(numbers):
        return None
    return float(((numbers > 0).sum() + 0.5 * (numbers == 0).sum()) / len(numbers))


def _missing(values: Mapping[str, Any], days: float, gates: Gates) -> tuple[str, ...]:
    needs: list[str] = []
    coverage, events = values.get("coverage"), int(values.get("skill_events") or 0)
    if coverage is None or coverage < gates.coverage:
        needs.append(f"coverage {0 if coverage is None else coverage:.0%} of {gates.coverage:.0%}")
    if events < gates.events:
        needs.append(f"{events} of {gates.events} events")
    if days < gates.days:
        needs.append(f"{days:.1f} of {gates.days:g} days")
    if values.get("skill") is None:
        needs.append("no market with a quote was settled")
    return tuple(needs)


def _order(values: Mapping[str, Any], agent: str) -> tuple[float, str]:
    value = values.get("skill")
    return (math.inf if value is None else -value, agent)


def _tiers(listed: Sequence[str], pairs: Sequence[Pair]) -> dict[str, int]:
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


def _separated(values: Mapping[str, Any]) -> str | None:
    evidence, interval = values.get("log10_evidence"), values.get("skill_interval")
    if evidence is not None and evidence >= math.log10(EVIDENCE_BAR):
        return "above"
    if interval is None:
        return None
    if interval[0] > 0:
        return "above"
    return "below" if interval[1] < 0 else None
