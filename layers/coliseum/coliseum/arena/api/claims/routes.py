"""HTTP routes that read registered claims."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request

from coliseum.arena.api.claims.answers import ClaimAnswer, ClaimsAnswer
from coliseum.arena.api.claims.claims import ClaimQueries
from coliseum.arena.api.routes import AgentQuery, Page, SeasonQuery, TrackQuery
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX

router = APIRouter(prefix=f"{PREFIX}/arena", tags=["arena"], responses=PROBLEMS)


def claims_of(request: Request) -> ClaimQueries:
    queries: ClaimQueries = request.app.state.claims
    return queries


ClaimReader = Annotated[ClaimQueries, Depends(claims_of)]


@router.get("/claims", summary="Registered claims about agents")
def claims(
    reader: ClaimReader,
    page: Page,
    *,
    agent: AgentQuery = None,
    season: SeasonQuery = None,
    track: TrackQuery = None,
    verdict: Annotated[Literal["supported", "refuted", "unresolved"] | None, Query()] = None,
) -> ClaimsAnswer:
    """Newest first. A claim counts only events that are first asked after it was registered."""
    filters = {"agent_id": agent, "season": season, "track": track, "verdict": verdict}
    return reader.claims(filters, page)


@router.get("/claims/{claim_id}", summary="One registered claim")
def claim(
    reader: ClaimReader,
    claim_id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="The first 16 digits of the seal.")],
) -> ClaimAnswer:
    """With its seal, its verdict, and the leaderboard that decided it."""
    return reader.claim(claim_id)
