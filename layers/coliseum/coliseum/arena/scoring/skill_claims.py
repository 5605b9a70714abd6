"""What may be claimed of each agent's skill now, since when, and from when more could be known. Pure.

The bounds are those of `confidence_sequence`. What could be known is a rough outlook, made from prices, forecasts and
the pace of the clusters so far:

- `skill_detectable` is the skill that is above in about half of the seasons by now: 3.4 standard errors.
- `skill_detectable_from` is when a skill of the present size would be known in about 80 % of the seasons: at twice the
  number of clusters that a single look would need.

Both figures were checked by simulation (`make simulate ARGUMENTS=sequence`).
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

from coliseum.arena.calendar import time_text
from coliseum.arena.scoring.arithmetic import Mask
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.clusters import due_order, first_bets
from coliseum.arena.scoring.confidence_sequence import (
    ClusterSkills,
    ConfidenceSequence,
    cluster_skills,
    confidence_sequence,
)
from coliseum.arena.scoring.skill import events_needed

LEAST_CLUSTERS = 10
"""Below so many clusters spread and pace are not known."""
DETECTABLE_ERRORS = 3.4
IMPOSSIBLE = "nothing could stand out by now, even if every event had come out its way"
LOOKS_FACTOR = 2
"""So many times the clusters of a single look are needed if every look counts."""
LONGEST_YEARS = 10
_YEAR = 365.25 * 86_400
_LAST_SECOND = 253_402_300_799
"""The end of the year 9999, the last that a time can have."""


def skill_claims(table: CellTable) -> dict[str, dict[str, Any]]:
    """The numbers of every agent of the table, ready for a report."""
    skills, reasons = cluster_skills(table), reasons_without_bounds(table)
    result: dict[str, dict[str, Any]] = {}
    for agent in table.agents:
        reason = reasons.get(agent)
        clusters = skills.get(agent)
        found = None if reason is not None or clusters is None else confidence_sequence(clusters)
        result[agent] = _nothing(reason) if found is None else _claims(found)
    return result


def reasons_without_bounds(table: CellTable) -> dict[str, str]:
    """Why agents have no bounds. Agents that have them are absent."""
    order, bets = due_order(table), first_bets(table)
    counted = order.counted(bets)
    result: dict[str, str] = {}
    for code, agent in enumerate(table.agents):
        own = bets.agent == code
        unknown = int((own & ~bets.resolved & np.isnan(bets.settled_at)).sum())
        if not own.any():
            result[agent] = "it has no answer to a question with a price"
        elif order.by == "name" and unknown:
            result[agent] = (
                f"{unknown:,} of its questions have no outcome, and without due_at or settled_at nothing says whether "
                "they are void or still open"
            )
        elif not (own & counted).any():
            result[agent] = "its first cluster of events is not settled or not due yet"
        elif not (own & counted & bets.resolved).any():
            result[agent] = "all its settled questions are void"
    return result


def _nothing(reason: str | None) -> dict[str, Any]:
    return {
        "skill_sequence": None,
        "skill_sequence_mean": None,
        "skill_sequence_clusters": 0,
        "skill_sequence_largest_share": None,
        "skill_sequence_reason": reason,
        "above_since": None,
        "above_last": None,
        "below_since": None,
        "below_last": None,
        "skill_if_right": None,
        "skill_detectable": None,
        "skill_detectable_from": None,
        "skill_detectable_reason": reason,
    }


def _claims(found: ConfidenceSequence) -> dict[str, Any]:
    clusters = found.clusters
    detectable, detectable_from, reason = _outlook(found)
    return {
        "skill_sequence": (found.low, found.high),
        "skill_sequence_mean": found.mean,
        "skill_sequence_clusters": len(clusters),
        "skill_sequence_largest_share": float(clusters.events.max() / clusters.events.sum()),
        "skill_sequence_reason": None,
        "above_since": _text(_since(found.above, clusters)),
        "above_last": _text(_last(found.above, clusters)),
        "below_since": _text(_since(found.below, clusters)),
        "below_last": _text(_last(found.below, clusters)),
        "skill_if_right": found.clusters.mean_if_right,
        "skill_detectable": detectable,
        "skill_detectable_from": _text(detectable_from),
        "skill_detectable_reason": reason,
    }


def spread(clusters: ClusterSkills) -> float:
    """The standard error of the mean skill per event that the prices imply if the agent has no skill.

    A cluster of one market has two possible values, -a and b. With a mean of 0 their variance is ab. For other clusters
    this assumes that all their events come out well or badly together, which is what the bounds allow for. So no
    outcome enters, and the spread of long shots of which none came in is not 0.
    """
    variance = float(np.cumsum(clusters.loss * clusters.gain)[-1])
    return math.sqrt(variance) / float(np.cumsum(clusters.events)[-1])


def _outlook(found: ConfidenceSequence) -> tuple[float | None, float | None, str | None]:
    """(The smallest skill that could stand out by now, unix seconds from when the present one could, why not both)."""
    clusters, error = found.clusters, spread(found.clusters)
    if len(clusters) < LEAST_CLUSTERS:
        return None, None, f"{len(clusters)} of {LEAST_CLUSTERS} clusters: too few to say what could stand out"
    if error == 0:
        return None, None, "its forecasts are those of the price, so its skill is 0"
    most = float(np.cumsum(clusters.gain)[-1] / np.cumsum(clusters.events)[-1])
    if DETECTABLE_ERRORS * error > most:
        return None, _date(found, error)[0], IMPOSSIBLE
    return DETECTABLE_ERRORS * error, *_date(found, error)


def _date(found: ConfidenceSequence, error: float) -> tuple[float | None, str | None]:
    clusters = found.clusters
    if found.above[-1] or found.below[-1]:
        return None, "it stands out already"
    span = float(clusters.due_at[-1] - clusters.due_at[0])
    if math.isnan(span) or span <= 0:
        return None, "there are no due times, so the pace of the clusters is not known"
    single_look = events_needed(found.mean, error, len(clusters))
    if single_look is None:
        return None, "its mean skill is 0"
    missing = LOOKS_FACTOR * single_look - len(clusters)
    if missing <= 0:
        return None, "so many clusters are mostly enough for a skill of this size, but here they were not"
    seconds = missing * span / (len(clusters) - 1)
    if seconds > LONGEST_YEARS * _YEAR:
        return None, f"at this pace, a skill of this size needs over {LONGEST_YEARS} years"
    return float(clusters.due_at[-1]) + seconds, None


def _since(held: Mask, clusters: ClusterSkills) -> float | None:
    """When the first cluster was due after which `held` was true until now; None if it is not true now."""
    if not held[-1]:
        return None
    broken = np.flatnonzero(~held)
    return float(clusters.due_at[int(broken[-1]) + 1 if len(broken) else 0])


def _last(held: Mask, clusters: ClusterSkills) -> float | None:
    """When the last cluster was due after which `held` was true; None if it never was."""
    places = np.flatnonzero(held)
    return float(clusters.due_at[int(places[-1])]) if len(places) else None


def _text(seconds: float | None) -> str | None:
    """RFC 3339 in UTC; None without a time."""
    if seconds is None or not 0 <= seconds <= _LAST_SECOND:  # NaN fails the comparison
        return None
    return time_text(datetime.fromtimestamp(seconds, UTC))
