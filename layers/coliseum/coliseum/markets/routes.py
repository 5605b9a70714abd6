"""Market data over HTTP. None of it needs a key."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from coliseum.http.csv_export import csv_response
from coliseum.http.field_types import seconds_from
from coliseum.http.paging import Cursor, Limit, TickerPath
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX
from coliseum.markets.answers import CandleData, CandlesAnswer, MarketAnswer, MarketsAnswer
from coliseum.markets.markets import Markets, Period, Status

router = APIRouter(prefix=f"{PREFIX}/markets", tags=["markets"], responses=PROBLEMS)

Category = Annotated[
    str | None,
    Query(min_length=1, max_length=100, description="Only markets of events of this category, in any case of letters."),
]
_TIME = "RFC 3339 with its zone, or unix seconds."
_PERIODS: dict[str, Period] = {"1m": 1, "1h": 60, "1d": 1440}
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


def markets_of(request: Request) -> Markets:
    markets: Markets = request.app.state.markets
    return markets


MarketsService = Annotated[Markets, Depends(markets_of)]


@router.get("/", summary="Markets")
def markets(
    markets: MarketsService,
    status: Annotated[Status, Query(description="What the markets may be doing.")] = "open",
    category: Category = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> MarketsAnswer:
    """One page of markets. With `category` a page may be short, even empty, while `next_cursor` leads on."""
    return markets.page(status=status, category=category, limit=limit, cursor=cursor)


@router.get("/{ticker}", summary="One market")
def market(ticker: TickerPath, markets: MarketsService) -> MarketAnswer:
    """The market with the top of its order book, its spread and the prices of its last 24 hours."""
    return markets.one(ticker)


@router.get("/{ticker}/history", summary="Candlesticks", response_model=CandlesAnswer, responses=_CSV)
def history(
    request: Request,
    ticker: TickerPath,
    markets: MarketsService,
    *,
    period: Annotated[Literal["1m", "1h", "1d"], Query(description="What one candlestick covers.")] = "1h",
    since: Annotated[str | None, Query(max_length=64, description=f"After this moment. {_TIME}")] = None,
    until: Annotated[str | None, Query(max_length=64, description=f"Up to this moment. {_TIME}")] = None,
    limit: Limit = 500,
    cursor: Cursor = None,
    form: Annotated[Literal["json", "csv"], Query(alias="format", description="`csv`: the items as a table.")] = "json",
) -> CandlesAnswer | Response:
    """Candlesticks, oldest first; by default those of the last 24 hours."""
    answer = markets.candles(
        ticker,
        period_minutes=_PERIODS[period],
        since=None if since is None else seconds_from(since, field="since"),
        until=None if until is None else seconds_from(until, field="until"),
        limit=limit,
        cursor=cursor,
    )
    return csv_response(CandleData, answer, request.url, name=ticker) if form == "csv" else answer


router.add_api_route("", markets, include_in_schema=False)
