"""HTTP routes for paper accounts."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request

from coliseum.arena.api.accounts.accounts import AccountQueries
from coliseum.arena.api.accounts.answers import (
    AccountAnswer,
    AccountsAnswer,
    AttributionAnswer,
    LedgerAnswer,
    MarksAnswer,
    PaperDecisionsAnswer,
)
from coliseum.arena.api.routes import SEASON_PATTERN, AgentPath, AgentQuery, Page, SeasonQuery
from coliseum.http.field_types import seconds_from
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX

router = APIRouter(prefix=f"{PREFIX}/arena", tags=["arena"], responses=PROBLEMS)

PolicyName = Literal["flat", "quarter_kelly", "self_sized"]
PolicyQuery = Annotated[PolicyName | None, Query(description="Only this policy.")]
_ACCOUNT = "/accounts/{season}/{agent_id}/{policy}"


def accounts_of(request: Request) -> AccountQueries:
    queries: AccountQueries = request.app.state.accounts
    return queries


def account_id(
    season: Annotated[str, Path(pattern=SEASON_PATTERN, examples=["2026Q4"])], agent_id: AgentPath, policy: PolicyName
) -> str:
    return f"{season}/{agent_id}/{policy}"


AccountReader = Annotated[AccountQueries, Depends(accounts_of)]
AccountId = Annotated[str, Depends(account_id)]


@router.get("/accounts", summary="Paper accounts")
def accounts(
    reader: AccountReader,
    page: Page,
    *,
    season: SeasonQuery = None,
    agent: AgentQuery = None,
    policy: PolicyQuery = None,
) -> AccountsAnswer:
    """Every agent starts a season with 10,000 dollars for each of its policies."""
    return reader.accounts({"season": season, "agent_id": agent, "policy": policy}, page)


@router.get(_ACCOUNT, summary="One paper account")
def account(reader: AccountReader, account_id: AccountId) -> AccountAnswer:
    """The id of an account is its path. Positions come from replaying the public rows of the ledger."""
    return reader.account(account_id)


@router.get(f"{_ACCOUNT}/ledger", summary="An account's ledger")
def ledger(reader: AccountReader, account_id: AccountId, page: Page) -> LedgerAnswer:
    """Oldest first, up to the first trade of a round that is still open."""
    return reader.ledger(account_id, page)


@router.get(f"{_ACCOUNT}/curve", summary="An account's equity curve")
def curve(
    reader: AccountReader,
    account_id: AccountId,
    page: Page,
    since: Annotated[str | None, Query(max_length=64, description="Only marks at or after this time.")] = None,
) -> MarksAnswer:
    """Cash and liquidation value over time, oldest first."""
    return reader.curve(account_id, since=None if since is None else seconds_from(since, field="since"), paging=page)


@router.get(f"{_ACCOUNT}/decisions", summary="Why an account traded or did not")
def decisions(
    reader: AccountReader,
    account_id: AccountId,
    page: Page,
    action: Annotated[Literal["trade", "none"] | None, Query(description="`none`: non-trades, with reasons.")] = None,
) -> PaperDecisionsAnswer:
    """Decisions in closed rounds, newest first."""
    return reader.paper_decisions(account_id, action=action, paging=page)


@router.get("/attribution", summary="Where the profit comes from")
def attribution(
    reader: AccountReader, *, season: SeasonQuery = None, agent: AgentQuery = None, policy: PolicyQuery = None
) -> AttributionAnswer:
    """Edge, sizing, spread, depth, fees and luck of every account's settled orders. docs/arena.md has the formulas."""
    return reader.attribution(season=season, agent=agent, policy=policy)
