"""HTTP routes for leaderboards, calibration, separability and evidence."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from coliseum.arena.api.leaderboards.answers import (
    CalibrationAnswer,
    EvidenceAnswer,
    LeaderboardAnswer,
    SeparabilityAnswer,
)
from coliseum.arena.api.leaderboards.leaderboards import LeaderboardQueries, ReportFilter
from coliseum.arena.api.leaderboards.rows import ALL, DEFAULT_METRIC
from coliseum.arena.api.public.answers import TrackName
from coliseum.arena.api.routes import AgentQuery, Page, SeasonQuery
from coliseum.http.field_types import seconds_from
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX

router = APIRouter(prefix=f"{PREFIX}/arena", tags=["arena"], responses=PROBLEMS)

_TIME = "RFC 3339 with a time zone, or unix seconds."
SORTABLE = (
    "What to sort by: a number of `scores`. Against the market `skill`, `skill_strict`, `bss_market`, `direction`, "
    "`edge`, `log10_evidence`; accuracy `brier`, `brier_index`, `brier_adjusted`, `brier_sum`, `spherical`, `log`, "
    "`log_loss`, `baseline`, `peer`; answers `accuracy`, `precision_yes`, `recall_yes`, `f1_yes`, `macro_f1`, "
    "`avg_confidence`, `overconfidence_rate_90`; calibration `ece`, `ece_linspace`, `ace`, `auc`; and all others of "
    "docs/scoring.md."
)
"""Describes the metrics of the leaderboard."""
Slice = Annotated[
    str, Query(alias="slice", min_length=1, max_length=100, description="`all`, or such as `category:Politics`.")
]


AsOf = Annotated[str | None, Query(max_length=64, description=f"The leaderboard as it was at this time. {_TIME}")]
KnownAt = Annotated[
    str | None, Query(max_length=64, description=f"Only with what was recorded until this time. {_TIME}")
]


def leaderboards_of(request: Request) -> LeaderboardQueries:
    queries: LeaderboardQueries = request.app.state.leaderboards
    return queries


def report_filter(
    track: Annotated[TrackName, Query(description="Each track has a ranking of its own.")] = "blind",
    season: SeasonQuery = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> ReportFilter:
    return ReportFilter(
        track=track,
        season=season,
        as_of=None if as_of is None else seconds_from(as_of, field="as_of"),
        known_at=None if known_at is None else seconds_from(known_at, field="known_at"),
    )


LeaderboardReader = Annotated[LeaderboardQueries, Depends(leaderboards_of)]
ReportParameters = Annotated[ReportFilter, Depends(report_filter)]


@router.get("/leaderboard", summary="Who knows more than the market")
def leaderboard(
    reader: LeaderboardReader,
    report: ReportParameters,
    page: Page,
    metric: Annotated[str, Query(pattern=r"^[a-z0-9_.]{1,40}$", description=SORTABLE)] = DEFAULT_METRIC,
    slice_name: Slice = ALL,
) -> LeaderboardAnswer:
    """The newest leaderboard published by then. Ranks come from skill alone: `metric` and `slice` only sort."""
    return reader.leaderboard(report, metric=metric, slice_name=slice_name, paging=page)


@router.get("/calibration", summary="Do 30 % forecasts happen 30 % of the time")
def calibration(
    reader: LeaderboardReader,
    report: ReportParameters,
    page: Page,
    *,
    agent: AgentQuery = None,
    slice_name: Slice = ALL,
) -> CalibrationAnswer:
    """Reliability bins with 95 % Wilson intervals, and the numbers computed from them."""
    return reader.calibration(report, slice_name=slice_name, agent=agent, paging=page)


@router.get("/separability", summary="Which agents can be told apart")
def separability(
    reader: LeaderboardReader, report: ReportParameters, page: Page, agent: AgentQuery = None
) -> SeparabilityAnswer:
    """For each pair: the difference of skill, its interval, and the number of events needed to tell the two apart."""
    return reader.separability(report, agent=agent, paging=page)


@router.get("/evidence", summary="How evidence and bounds of skill moved")
def evidence(
    reader: LeaderboardReader, report: ReportParameters, page: Page, agent: AgentQuery = None
) -> EvidenceAnswer:
    """Of every published leaderboard, oldest first: each agent's e-value against the price, skill, bounds, and rank."""
    return reader.evidence(report, agent=agent, paging=page)
