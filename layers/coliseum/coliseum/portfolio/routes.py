"""The portfolio over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from coliseum.http.csv_export import csv_response
from coliseum.http.field_types import seconds_from
from coliseum.http.paging import Cursor, Limit, TickerQuery
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX
from coliseum.portfolio.answers import (
    BalanceAnswer,
    FillsAnswer,
    HistoryAnswer,
    LiveTradesAnswer,
    PositionsAnswer,
    SnapshotData,
    SummaryAnswer,
    TradeData,
)
from coliseum.portfolio.portfolio import Portfolio
from coliseum.portfolio.trades import FillsQuery

router = APIRouter(prefix=f"{PREFIX}/portfolio", tags=["portfolio"], responses=PROBLEMS)

_TIME = "RFC 3339 with its zone, or unix seconds."
Since = Annotated[str | None, Query(max_length=64, description=f"From this moment on. {_TIME}")]
Until = Annotated[str | None, Query(max_length=64, description=f"Before this moment. {_TIME}")]
Format = Annotated[
    Literal["json", "csv"],
    Query(alias="format", description="`csv`: the items as a table; the next page is named in the header `Link`."),
]
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


def portfolio_of(request: Request) -> Portfolio:
    portfolio: Portfolio = request.app.state.portfolio
    return portfolio


PortfolioParameter = Annotated[Portfolio, Depends(portfolio_of)]


@router.get("/balance", summary="Cash, portfolio value, equity")
def balance(portfolio: PortfolioParameter) -> BalanceAnswer:
    """At most five seconds old while the exchange answers, at most an hour while it does not."""
    return portfolio.balance()


@router.get("/positions", summary="Open positions")
def positions(portfolio: PortfolioParameter) -> PositionsAnswer:
    """The exchange's positions with the average cost of our own ledger, valued at the bid."""
    return portfolio.positions()


@router.get("/fills", summary="Trade history", response_model=FillsAnswer, responses=_CSV)
def fills(
    request: Request,
    portfolio: PortfolioParameter,
    *,
    limit: Limit = 100,
    ticker: TickerQuery = None,
    since: Since = None,
    cursor: Cursor = None,
    form: Format = "json",
) -> FillsAnswer | Response:
    """The account's fills, newest first. `source` is `kalshi`; `cache` or `postgres` where the exchange fails."""
    query = FillsQuery(limit=limit, ticker=ticker, since=_seconds(since, "since"), cursor=cursor)
    answer = portfolio.fills(query)
    return csv_response(TradeData, answer, request.url, name="fills") if form == "csv" else answer


@router.get("/trades/live", summary="The bot's live trades")
def live_trades(portfolio: PortfolioParameter, limit: Limit = 100, ticker: TickerQuery = None) -> LiveTradesAnswer:
    """Read from the bot. `source` is `bot_live`; `cache` (the feed) or `kalshi` where the bot fails."""
    return portfolio.live_trades(limit=limit, ticker=ticker)


@router.get("/summary", summary="Everything in one call")
def summary(portfolio: PortfolioParameter) -> SummaryAnswer:
    """Balance, positions, recent trades, bot, totals, and where our ledger and the exchange differ.

    Each part can fail alone. The status is 503 only where no part is known.
    """
    return portfolio.summary()


@router.get("/history", summary="Equity curve", response_model=HistoryAnswer, responses=_CSV)
def history(
    request: Request,
    portfolio: PortfolioParameter,
    *,
    limit: Limit = 500,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    form: Format = "json",
) -> HistoryAnswer | Response:
    """Snapshots of the balance, oldest first."""
    answer = portfolio.history(
        since=_seconds(since, "since"), until=_seconds(until, "until"), limit=limit, cursor=cursor
    )
    return csv_response(SnapshotData, answer, request.url, name="equity") if form == "csv" else answer


def _seconds(text: str | None, field: str) -> float | None:
    return None if text is None else seconds_from(text, field=field)
