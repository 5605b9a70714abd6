"""HTTP routes for contestants, rounds, markets, forecasts, seals and exports."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request

from coliseum.arena.api.answers import (
    AgentAnswer,
    AgentsAnswer,
    ForecastAnswer,
    ForecastsAnswer,
    FrozenMarketAnswer,
    MarketsAnswer,
    ProofAnswer,
    RoundAnswer,
    RoundsAnswer,
    SealsAnswer,
    SourceFeedsAnswer,
)
from coliseum.arena.api.arena import ArenaQueries
from coliseum.arena.api.public.answers import TrackName
from coliseum.arena.api.public.queries import PageRequest
from coliseum.http.paging import Cursor, Limit, TickerPath, TickerQuery
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX

router = APIRouter(prefix=f"{PREFIX}/arena", tags=["arena"], responses=PROBLEMS)

AGENT_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
ROUND_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
SEASON_PATTERN = r"^[0-9]{4}Q[1-4]$"
AgentPath = Annotated[str, Path(pattern=AGENT_PATTERN, examples=["market"])]
AgentQuery = Annotated[str | None, Query(pattern=AGENT_PATTERN, description="Only this agent.")]
RoundPath = Annotated[str, Path(pattern=ROUND_PATTERN, examples=["r-20261121T070000Z"])]
SeasonQuery = Annotated[str | None, Query(pattern=SEASON_PATTERN, description="A quarter such as 2026Q4.")]
SealPath = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="The forecast's seal.")]
TrackQuery = Annotated[TrackName | None, Query(description="Only this track.")]


def arena_of(request: Request) -> ArenaQueries:
    arena: ArenaQueries = request.app.state.arena
    return arena


def paging(limit: Limit = 100, cursor: Cursor = None) -> PageRequest:
    return PageRequest(limit=limit, cursor=cursor)


ArenaReader = Annotated[ArenaQueries, Depends(arena_of)]
Page = Annotated[PageRequest, Depends(paging)]


@router.get("/agents", summary="Contestants")
def agents(
    reader: ArenaReader,
    page: Page,
    status: Annotated[Literal["active", "needs_key", "paused", "retired"] | None, Query()] = None,
) -> AgentsAnswer:
    """All contestants. `needs_key`: no API key for the model is set, so it does not take part."""
    return reader.agents(status=status, paging=page)


@router.get("/agents/{agent_id}", summary="One contestant")
def agent(reader: ArenaReader, agent_id: AgentPath) -> AgentAnswer:
    """With its totals, costs, failures by class, rows on the newest leaderboards and paper accounts."""
    return reader.agent(agent_id)


@router.get("/sources", summary="Feeds of the informed track")
def sources(
    reader: ArenaReader,
    page: Page,
    status: Annotated[Literal["new", "read", "unchanged", "failed", "refused"] | None, Query()] = None,
) -> SourceFeedsAnswer:
    """How each feed was last read. What a round showed is in the context of its markets, once the round is closed."""
    return reader.source_feeds(status=status, paging=page)


@router.get("/rounds", summary="Rounds")
def rounds(
    reader: ArenaReader,
    page: Page,
    season: SeasonQuery = None,
    status: Annotated[Literal["open", "closed", "complete", "partial"] | None, Query()] = None,
) -> RoundsAnswer:
    """Newest first. Each has the number of its questions by status."""
    return reader.rounds(season=season, status=status, paging=page)


@router.get("/rounds/{round_id}", summary="One round")
def one_round(reader: ArenaReader, round_id: RoundPath) -> RoundAnswer:
    """With the markets that it asks about."""
    return reader.round(round_id)


@router.get("/rounds/{round_id}/markets/{ticker}", summary="What a round asked")
def frozen_market(reader: ArenaReader, round_id: RoundPath, ticker: TickerPath) -> FrozenMarketAnswer:
    """The market as it was frozen. Once the round is closed, also the context shown and the order book."""
    return reader.frozen_market(round_id, ticker)


@router.get("/markets", summary="Markets in play")
def markets(
    reader: ArenaReader, page: Page, category: Annotated[str | None, Query(min_length=1, max_length=100)] = None
) -> MarketsAnswer:
    """The markets of the open rounds, with the quote that was frozen for all contestants."""
    return reader.markets(category=category, paging=page)


@router.get("/forecasts", summary="Forecasts")
def forecasts(
    reader: ArenaReader,
    page: Page,
    *,
    agent: AgentQuery = None,
    ticker: TickerQuery = None,
    round_id: Annotated[str | None, Query(alias="round", pattern=ROUND_PATTERN, description="Only this round.")] = None,
    track: TrackQuery = None,
) -> ForecastsAnswer:
    """Newest round first. A seal is public at once, the forecast itself when the round is closed."""
    filters = {"agent_id": agent, "ticker": ticker, "round_id": round_id, "track": track}
    return reader.forecasts(filters, page)


@router.get("/forecasts/{seal}", summary="One forecast, by seal")
def forecast_by_seal(reader: ArenaReader, seal: SealPath) -> ForecastAnswer:
    """Once the round is closed: with everything that the seal covers, and with the attempts to get the answer."""
    return reader.forecast("seal", seal)


@router.get("/forecasts/{seal}/proof", summary="That a seal is in its day's tree")
def proof_by_seal(reader: ArenaReader, seal: SealPath) -> ProofAnswer:
    """The Merkle path from the seal to the root of its day, and how to check it."""
    return reader.proof("seal", seal)


@router.get("/forecasts/{round_id}/{ticker}/{agent_id}/{track}", summary="One forecast, by id")
def forecast(
    reader: ArenaReader, round_id: RoundPath, ticker: TickerPath, agent_id: AgentPath, track: TrackName
) -> ForecastAnswer:
    """The id of a forecast is its path: round, market, agent, track."""
    return reader.forecast("forecast_id", f"{round_id}/{ticker}/{agent_id}/{track}")


@router.get("/forecasts/{round_id}/{ticker}/{agent_id}/{track}/proof", summary="That a forecast is in its day's tree")
def proof(
    reader: ArenaReader, round_id: RoundPath, ticker: TickerPath, agent_id: AgentPath, track: TrackName
) -> ProofAnswer:
    """The Merkle path from the forecast's seal to the root of its day, and how to check it."""
    return reader.proof("forecast_id", f"{round_id}/{ticker}/{agent_id}/{track}")


@router.get("/seals/{day}", summary="A day's seals")
def seals(
    reader: ArenaReader, page: Page, day: Annotated[date, Path(description="A UTC day.", examples=["2026-11-21"])]
) -> SealsAnswer:
    """All leaves of the day's Merkle tree, in order, and its root: provisional until it is published after the day."""
    return reader.seals(day, page)
