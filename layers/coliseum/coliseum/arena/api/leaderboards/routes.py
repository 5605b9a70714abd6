"""The boards over HTTP."""

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
from coliseum.http.paging import PROBLEMS
from coliseum.http.routes import PREFIX

router = APIRouter(prefix=f"{PREFIX}/arena", tags=["arena"], responses=PROBLEMS)

_TIME = "RFC 3339 with its zone, or unix seconds."
Slice = Annotated[
    str, Query(alias="slice", min_length=1, max_length=100, description="`all`, or such as `category:Politics`.")
]


def boards_of(request: Request) -> LeaderboardQueries:
    boards: LeaderboardQueries = request.app.state.boards
    return boards


def question(
    track: Annotated[TrackName, Query(description="Tracks are ranked apart.")] = "blind",
    season: SeasonQuery = None,
    as_of: Annotated[str | None, Query(max_length=64, description=f"As the board stood then. {_TIME}")] = None,
    known_at: Annotated[str | None, Query(max_length=64, description=f"By what was known then. {_TIME}")] = None,
) -> ReportFilter:
    return ReportFilter(
        track=track,
        season=season,
        as_of=None if as_of is None else seconds_from(as_of, field="as_of"),
        known_at=None if known_at is None else seconds_from(known_at, field="known_at"),
    )


Ours = Annotated[LeaderboardQueries, Depends(boards_of)]
Asked = Annotated[ReportFilter, Depends(question)]


@router.get("/leaderboard", summary="Who knows more than the market")
def leaderboard(
    ours: Ours,
    asked: Asked,
    page: Page,
    metric: Annotated[str, Query(pattern=r"^[a-z0-9_.]{1,40}$", description="What to sort by.")] = DEFAULT_METRIC,
    slice_name: Slice = ALL,
) -> LeaderboardAnswer:
    """The newest board published by then. Ranks come from skill alone; `metric` and `slice` sort, they never rank."""
    return ours.leaderboard(asked, metric=metric, slice_name=slice_name, paging=page)


@router.get("/calibration", summary="Do 30 % forecasts happen 30 % of the time")
def calibration(
    ours: Ours, asked: Asked, page: Page, *, agent: AgentQuery = None, slice_name: Slice = ALL
) -> CalibrationAnswer:
    """Reliability bins with 95 % Wilson intervals, and what follows from them."""
    return ours.calibration(asked, slice_name=slice_name, agent=agent, paging=page)


@router.get("/separability", summary="Which agents can be told apart")
def separability(ours: Ours, asked: Asked, page: Page, agent: AgentQuery = None) -> SeparabilityAnswer:
    """Per pair: difference of skill, its interval, and how many events it would take to tell them apart."""
    return ours.separability(asked, agent=agent, paging=page)


@router.get("/evidence", summary="How evidence against the market grew")
def evidence(ours: Ours, asked: Asked, page: Page, agent: AgentQuery = None) -> EvidenceAnswer:
    """log10 of each agent's e-value on every board that was published, oldest first, with its skill and rank then."""
    return ours.evidence(asked, agent=agent, paging=page)
