"""From a stored report to what is shown of it. Nothing is scored here: every number is the report's own. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from coliseum.arena.api.leaderboards.answers import CalibrationBin, CalibrationData, PairData, ReportStamp, StandingData
from coliseum.errors import InvalidInput

ALL = "all"
DEFAULT_METRIC = "skill"
LOWER_IS_BETTER = frozenset({
    "brier", "brier_strict", "brier_market_weighted", "brier_adjusted", "market_brier", "log", "log_clipped", "ece",
    "mce", "ace", "skill_se", "information_se", "murphy_reliability", "coherence_sum_gap", "dutch_book_cents",
    "coherence_ladder_violations",
})  # fmt: skip
NEARER_ZERO_IS_BETTER = frozenset({"bias", "platt_intercept"})
CALIBRATION = (
    "ece", "ace", "mce", "bias", "platt_intercept", "platt_slope", "auc", "sharpness", "murphy",
    "murphy_reliability", "murphy_resolution", "murphy_uncertainty", "murphy_remainder",
)  # fmt: skip
StoredReport = Mapping[str, Any]
"""A row of the stored reports."""


def stamp(report: StoredReport) -> ReportStamp:
    body = report["report"]
    return ReportStamp(**{**report, **{name: body.get(name) for name in ("exchange", "rounds", "gates")}})


def slices(report: StoredReport) -> list[str]:
    """The slices' names, the whole first."""
    names = report["report"]["report"]["slices"]
    return sorted(names, key=lambda name: (name != ALL, name))


def standings(report: StoredReport, *, metric: str, slice_name: str) -> list[StandingData]:
    """Lines sorted by `metric` in the slice; rank, tier and listing are always the whole board's.

    By skill over everything the lines stand as ranked, provisional agents below the listed ones.
    """
    scores = _slice(report, slice_name)
    known = sorted({name for numbers in scores.values() for name, value in numbers.items() if _is_number(value)})
    if scores and metric not in known and metric != DEFAULT_METRIC:
        raise InvalidInput("metric", metric, "one of " + ", ".join(known))
    lines = [
        StandingData(
            agent_id=line["agent"],
            rank=line["rank"],
            tier=line["tier"],
            rank_interval=line.get("rank_interval"),
            best_probability=line.get("best_probability"),
            listed=line["listed"],
            missing=list(line["missing"]),
            separated=line["separated"],
            value=_number(scores.get(line["agent"], {}).get(metric)),
            scores=scores.get(line["agent"], {}),
            operations=report["report"].get("operations", {}).get(line["agent"]),
            lean=report["report"].get("leans", {}).get(line["agent"]),
        )
        for line in report["report"]["standings"]
        if line["agent"] in scores
    ]
    if (metric, slice_name) == (DEFAULT_METRIC, ALL):
        return lines
    return sorted(lines, key=lambda line: (line.value is None, _order(metric, line.value), line.agent_id))


def calibration(report: StoredReport, *, slice_name: str, agent: str | None) -> list[CalibrationData]:
    """Reliability bins and their numbers, by agent."""
    return [
        CalibrationData(
            agent_id=name,
            graded=numbers.get("graded"),
            bins=[CalibrationBin(**part) for part in numbers.get("bins", ())],
            numbers={key: numbers[key] for key in CALIBRATION if key in numbers},
        )
        for name, numbers in sorted(_slice(report, slice_name).items())
        if agent in {None, name}
    ]


def pairs(report: StoredReport, *, agent: str | None) -> list[PairData]:
    """Every pair, or those with `agent`."""
    return [
        PairData(**pair)
        for pair in report["report"]["pairs"]
        if agent is None or agent in {pair["first"], pair["second"]}
    ]


def standing_of(report: StoredReport, agent: str) -> StandingData | None:
    """One agent's line of the whole board."""
    lines = standings(report, metric=DEFAULT_METRIC, slice_name=ALL)
    return next((line for line in lines if line.agent_id == agent), None)


def _slice(report: StoredReport, name: str) -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Mapping[str, Any]]] = report["report"]["report"]["slices"]
    if name in found:
        return found[name]
    if name == ALL:
        return {}
    raise InvalidInput("slice", name, "one of " + ", ".join(slices(report)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _order(metric: str, value: float | None) -> float:
    if value is None:
        return math.inf
    if metric in NEARER_ZERO_IS_BETTER:
        return abs(value)
    return value if metric in LOWER_IS_BETTER else -value
