"""Turns a stored report into the rows that the API shows. Nothing is scored here. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from coliseum.arena import readings
from coliseum.arena.api.claims.answers import ClaimData
from coliseum.arena.api.leaderboards.answers import (
    BoardClaim,
    CalibrationBin,
    CalibrationData,
    PairData,
    ReportStamp,
    StandingData,
)
from coliseum.errors import InvalidInput

ALL = "all"
DEFAULT_METRIC = "skill"
LOWER_IS_BETTER = frozenset({
    "brier", "brier_strict", "brier_market_weighted", "brier_adjusted", "market_brier", "log", "log_clipped", "ece",
    "mce", "ace", "skill_se", "skill_detectable", "information_se", "murphy_reliability", "coherence_sum_gap",
    "dutch_book_cents", "coherence_ladder_violations", "brier_sum", "log_loss", "ece_linspace", "mce_linspace",
    "linspace_lost", "avg_confidence_when_wrong", "overconfidence_rate_70", "overconfidence_rate_80",
    "overconfidence_rate_90",
})  # fmt: skip
NEARER_ZERO_IS_BETTER = frozenset({"bias", "platt_intercept"})
CALIBRATION = (
    "ece", "ace", "mce", "ece_linspace", "mce_linspace", "linspace_lost", "bias", "platt_intercept", "platt_slope",
    "auc", "sharpness", "murphy_reliability", "murphy_resolution", "murphy_uncertainty", "murphy_remainder",
    "avg_confidence", "avg_confidence_when_correct", "avg_confidence_when_wrong", "overconfidence_rate_70",
    "overconfidence_rate_80", "overconfidence_rate_90",
)  # fmt: skip
StoredReport = Mapping[str, Any]
"""A row of the table of reports."""


def stamp(report: StoredReport) -> ReportStamp:
    """What identifies the report."""
    body = report["report"]
    return ReportStamp(**{**report, **{name: body.get(name) for name in ("exchange", "rounds", "gates")}})


def slices(report: StoredReport) -> list[str]:
    """The names of the slices, with `all` first."""
    names = report["report"]["report"]["slices"]
    return sorted(names, key=lambda name: (name != ALL, name))


def standings(report: StoredReport, *, metric: str, slice_name: str) -> list[StandingData]:
    """Rows sorted by `metric` in the slice. Rank, tier and listing are always those of the whole leaderboard.

    By skill in `all` the rows keep the order of the report: provisional agents come after the listed ones.
    Raises InvalidInput for an unknown metric or slice.
    """
    scores = _slice(report, slice_name)
    known = sorted({name for numbers in scores.values() for name, value in numbers.items() if _is_number(value)})
    if scores and metric not in known and metric != DEFAULT_METRIC:
        raise InvalidInput("metric", metric, "one of " + ", ".join(known))
    whole = _slice(report, ALL)
    rows = [
        StandingData(
            **_words(report, standing, whole.get(standing["agent"], {})),
            agent_id=standing["agent"],
            rank=standing["rank"],
            tier=standing["tier"],
            tier_reason=standing.get("tier_reason"),
            rank_interval=standing.get("rank_interval"),
            best_probability=standing.get("best_probability"),
            best_probability_reason=standing.get("best_probability_reason"),
            listed=standing["listed"],
            missing=list(standing["missing"]),
            separated=standing["separated"],
            role=standing.get("role"),
            role_reason=standing.get("role_reason"),
            value=_number(scores.get(standing["agent"], {}).get(metric)),
            scores=scores.get(standing["agent"], {}),
            operations=report["report"].get("operations", {}).get(standing["agent"]),
            lean=report["report"].get("leans", {}).get(standing["agent"]),
            news=report["report"].get("news", {}).get(standing["agent"]),
        )
        for standing in report["report"]["standings"]
        if standing["agent"] in scores
    ]
    if (metric, slice_name) == (DEFAULT_METRIC, ALL):
        return rows
    return sorted(rows, key=lambda row: (row.value is None, _sort_key(metric, row.value), row.agent_id))


def with_other_models(items: Sequence[StandingData], forecasts: Mapping[str, int]) -> list[StandingData]:
    """The rows, marked with how many forecasts of their agents another model gave (`forecasts`, by agent)."""
    return [item.model_copy(update={"other_model_forecasts": forecasts.get(item.agent_id, 0)}) for item in items]


def with_claims(
    report: StoredReport, items: Sequence[StandingData], by_agent: Mapping[str, Sequence[ClaimData]]
) -> list[StandingData]:
    """The rows with the claims about their agents that were registered when the leaderboard was made.

    `by_agent` are the claims of the leaderboard's season and track.
    """
    known_at = datetime.fromisoformat(str(report["known_at"]))
    return [
        item.model_copy(
            update={
                "claims": [
                    BoardClaim(**claim.model_dump(include=set(BoardClaim.model_fields)))
                    for claim in by_agent.get(item.agent_id, ())
                    if claim.registered_at <= known_at
                ]
            }
        )
        for item in items
    ]


def _words(report: StoredReport, standing: Mapping[str, Any], scores: Mapping[str, Any]) -> dict[str, Any]:
    """The words of a standing as they were published; for reports of before there were any, from their numbers."""
    body, agent = report["report"], standing["agent"]
    told = {name: standing[name] for name in ("verdict", "reading", "explanation") if name in standing}
    if not told:
        told = readings.words(
            standing,
            scores,
            operations=body.get("operations", {}).get(agent),
            is_pool=agent in body["report"].get("rules", {}).get("pools", ()),
        )
    return {**told, "noise": readings.is_noise(scores.get("skill_interval"))}


def calibration(report: StoredReport, *, slice_name: str, agent: str | None) -> list[CalibrationData]:
    """Reliability bins and calibration numbers, by agent. Raises InvalidInput for an unknown slice."""
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
    """Every pair of agents, or only those with `agent`."""
    return [
        PairData(**pair)
        for pair in report["report"]["pairs"]
        if agent is None or agent in {pair["first"], pair["second"]}
    ]


def standing_of(report: StoredReport, agent: str) -> StandingData | None:
    """The row of one agent on the whole leaderboard; None if it has no row."""
    rows = standings(report, metric=DEFAULT_METRIC, slice_name=ALL)
    return next((row for row in rows if row.agent_id == agent), None)


def _slice(report: StoredReport, name: str) -> Mapping[str, Mapping[str, Any]]:
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]] = report["report"]["report"]["slices"]
    if name in scores:
        return scores[name]
    if name == ALL:  # a report without any cell has no slices
        return {}
    raise InvalidInput("slice", name, "one of " + ", ".join(slices(report)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _sort_key(metric: str, value: float | None) -> float:
    if value is None:
        return math.inf
    if metric in NEARER_ZERO_IS_BETTER:
        return abs(value)
    return value if metric in LOWER_IS_BETTER else -value
