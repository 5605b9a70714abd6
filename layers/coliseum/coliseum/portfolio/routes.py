"""The portfolio over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from coliseum.errors import InvalidInput
from coliseum.http.csv_export import csv_response
from coliseum.http.field_types import seconds_from
from coliseum.http.paging import MAX_LIMIT, Cursor, Limit, TickerQuery
from coliseum.http.problems import PROBLEMS
from coliseum.http.routes import PREFIX
from coliseum.http.time_zones import TimeZone, zone_from
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
from coliseum.portfolio.bot_reconciliation import BotReconciliation
from coliseum.portfolio.curve import MAX_POINTS, POINTS_PER_PIECE
from coliseum.portfolio.gain_answers import LotData, LotsAnswer, PnlAnswer, PnlData
from coliseum.portfolio.gains import AccountGains, LotStatus
from coliseum.portfolio.list_answers import (
    DepositsAnswer,
    OrderData,
    OrdersAnswer,
    SettlementData,
    SettlementsAnswer,
    StoredTradeData,
    StoredTradesAnswer,
    TransferData,
)
from coliseum.portfolio.list_query import ListQuery, list_query_from
from coliseum.portfolio.lists import AccountLists
from coliseum.portfolio.pnl import PnlGroup
from coliseum.portfolio.portfolio import Portfolio
from coliseum.portfolio.reconciliation_answers import (
    BotReconciliationAnswer,
    ReconciliationRow,
    reconciliation_table,
)

router = APIRouter(prefix=f"{PREFIX}/portfolio", tags=["portfolio"], responses=PROBLEMS)

_TIME = "RFC 3339 with its zone, or unix seconds."
Since = Annotated[str | None, Query(max_length=64, description=f"From this moment on. {_TIME}")]
Until = Annotated[str | None, Query(max_length=64, description=f"Before this moment. {_TIME}")]
Format = Annotated[
    Literal["json", "csv"],
    Query(alias="format", description="`csv`: the items as a table; the next page is named in the header `Link`."),
]
HistoryLimit = Annotated[int | None, Query(ge=1, le=MAX_LIMIT, description="Items per page; 500 without it.")]
Points = Annotated[
    int | None,
    Query(ge=POINTS_PER_PIECE, le=MAX_POINTS, description="The whole span in so many snapshots at most, in one page."),
]
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


def portfolio_of(request: Request) -> Portfolio:
    portfolio: Portfolio = request.app.state.portfolio
    return portfolio


PortfolioParameter = Annotated[Portfolio, Depends(portfolio_of)]


def lists_of(request: Request) -> AccountLists:
    lists: AccountLists = request.app.state.account_lists
    return lists


ListsParameter = Annotated[AccountLists, Depends(lists_of)]


def bot_reconciliation_of(request: Request) -> BotReconciliation:
    checks: BotReconciliation = request.app.state.bot_reconciliation
    return checks


BotReconciliationParameter = Annotated[BotReconciliation, Depends(bot_reconciliation_of)]


def list_parameters(
    *,
    limit: Limit = 100,
    ticker: TickerQuery = None,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
) -> ListQuery:
    return list_query_from(limit=limit, ticker=ticker, since=since, until=until, cursor=cursor)


def timed_parameters(
    *, limit: Limit = 100, since: Since = None, until: Until = None, cursor: Cursor = None
) -> ListQuery:
    return list_query_from(limit=limit, ticker=None, since=since, until=until, cursor=cursor)


TimedParameters = Annotated[ListQuery, Depends(timed_parameters)]
By = Annotated[PnlGroup, Query(description="What is summed up. Days are those of `tz`.")]


def gains_of(request: Request) -> AccountGains:
    gains: AccountGains = request.app.state.account_gains
    return gains


GainsParameter = Annotated[AccountGains, Depends(gains_of)]
ListParameters = Annotated[ListQuery, Depends(list_parameters)]


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
    query: ListParameters,
    form: Format = "json",
) -> FillsAnswer | Response:
    """The account's fills, newest first. `source` is `kalshi`; `cache` or `postgres` where the exchange fails."""
    answer = portfolio.fills(query)
    return csv_response(TradeData, answer, request.url, name="fills") if form == "csv" else answer


@router.get("/settlements", summary="Settled markets", response_model=SettlementsAnswer, responses=_CSV)
def settlements(
    request: Request, lists: ListsParameter, query: ListParameters, form: Format = "json"
) -> SettlementsAnswer | Response:
    """What markets paid out, newest first.

    The list begins on the exchange, which lists about two months, and goes on with what was kept in Postgres.
    `source` is `kalshi`; `postgres` on the pages behind the exchange's, and with `stale` where the exchange fails.
    Each row has its own `source`.
    """
    answer = lists.settlements(query)
    return csv_response(SettlementData, answer, request.url, name="settlements") if form == "csv" else answer


@router.get("/trades", summary="The bot's stored trades", response_model=StoredTradesAnswer, responses=_CSV)
def stored_trades(
    request: Request, lists: ListsParameter, query: ListParameters, form: Format = "json"
) -> StoredTradesAnswer | Response:
    """Every trade that the poller ever saw, newest first, from Postgres; corrected ones in their last version.

    `/portfolio/trades/live` has what the bot lists now.
    """
    answer = lists.trades(query)
    return csv_response(StoredTradeData, answer, request.url, name="trades") if form == "csv" else answer


@router.get("/orders", summary="Resting orders", response_model=OrdersAnswer, responses=_CSV)
def orders(
    request: Request, lists: ListsParameter, query: ListParameters, form: Format = "json"
) -> OrdersAnswer | Response:
    """Orders that wait in the exchange's book, newest first, with the collateral that they bind.

    `since` and `until` are about the time at which an order was placed. At most five seconds old while the exchange
    answers, at most an hour while it does not.
    """
    answer = lists.orders(query)
    return csv_response(OrderData, answer, request.url, name="orders") if form == "csv" else answer


@router.get("/deposits", summary="Deposits and withdrawals", response_model=DepositsAnswer, responses=_CSV)
def deposits(
    request: Request, lists: ListsParameter, query: TimedParameters, form: Format = "json"
) -> DepositsAnswer | Response:
    """The exchange's own lists of both, newest first. `since` and `until` are about the time of creation."""
    answer = lists.deposits(query)
    return csv_response(TransferData, answer, request.url, name="deposits") if form == "csv" else answer


@router.get(
    "/pnl",
    summary="Profit by market, day, strategy and more",
    response_model=PnlAnswer,
    responses=_CSV,
)
def pnl(
    request: Request,
    gains: GainsParameter,
    query: ListParameters,
    *,
    by: By = PnlGroup.MARKET,
    tz: TimeZone = "UTC",
    form: Format = "json",
) -> PnlAnswer | Response:
    """Realised and unrealised profit and fees, closed positions included, from the account's kept books.

    Every fill and settlement of the span belongs to one group, so the groups add up to `totals`. What a fill realised
    belongs to the moment of that fill, to its market, and to the strategy that made it. Unrealised profit is of now:
    it is null for days, and where the span has ended. A market's series is the part of its ticker before the first
    hyphen. While a long history is still being read the answer is 503, and says how far it is.
    """
    answer = gains.pnl(query, by=by, zone=zone_from(tz))
    return csv_response(PnlData, answer, request.url, name=f"pnl-by-{by}") if form == "csv" else answer


@router.get("/lots", summary="First-in-first-out lots", response_model=LotsAnswer, responses=_CSV)
def lots(
    request: Request,
    gains: GainsParameter,
    query: ListParameters,
    *,
    status: Annotated[LotStatus, Query(description="Only closed lots, or only those that are still open.")] = "all",
    form: Format = "json",
) -> LotsAnswer | Response:
    """Every purchase with what closed it: price, time, cost, proceeds, fees pro rata, gain and holding period.

    Contracts are matched first in, first out; settlements close lots, too. `since` and `until` are about the closing of
    closed lots and the opening of open ones. With `until` the lots are as they were then: what was closed later is
    open. The gains of all closed lots, less cost and fees of the open ones, are the account's whole change of cash by
    trading. For your records; this is no tax advice.
    """
    answer = gains.lots(query, status=status)
    return csv_response(LotData, answer, request.url, name="lots") if form == "csv" else answer


@router.get("/trades/live", summary="The bot's live trades")
def live_trades(portfolio: PortfolioParameter, limit: Limit = 100, ticker: TickerQuery = None) -> LiveTradesAnswer:
    """Read from the bot. `source` is `bot_live`; `cache` (the feed) or `kalshi` where the bot fails."""
    return portfolio.live_trades(limit=limit, ticker=ticker)


@router.get("/summary", summary="Everything in one call")
def summary(portfolio: PortfolioParameter, tz: TimeZone = "UTC") -> SummaryAnswer:
    """Balance, positions, recent trades, bot, totals, and where our ledger and the exchange differ.

    Each part can fail alone. The status is 503 only where no part is known.
    """
    return portfolio.summary(zone_from(tz))


@router.get(
    "/reconciliation",
    summary="Bot, books and exchange held against each other",
    response_model=BotReconciliationAnswer,
    responses=_CSV,
)
def reconciliation(
    request: Request,
    portfolio: PortfolioParameter,
    checks: BotReconciliationParameter,
    *,
    ticker: TickerQuery = None,
    since: Since = None,
    until: Until = None,
    form: Format = "json",
) -> BotReconciliationAnswer | Response:
    """Our books against the exchange, and the bot's stored trades against the account's fills.

    The span is the last day before `until`, or from `since` on, at most 31 days. A trade and a fill belong together by
    their id, else by their order. A trade without a fill is listed after a minute, a fill without a trade after three.
    Where a bot on paper has no trade with a fill, nothing is compared. `format=csv` has the three lists of the bot in
    one table.
    """
    answer = checks.answer(
        since=None if since is None else seconds_from(since, field="since"),
        until=None if until is None else seconds_from(until, field="until"),
        ticker=ticker,
        mode=portfolio.bot_mode(),
        books=portfolio.reconciliation(),
    )
    if form == "json":
        return answer
    return csv_response(ReconciliationRow, reconciliation_table(answer), request.url, name="reconciliation")


@router.get("/history", summary="Equity curve", response_model=HistoryAnswer, responses=_CSV)
def history(
    request: Request,
    portfolio: PortfolioParameter,
    *,
    limit: HistoryLimit = None,
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    points: Points = None,
    form: Format = "json",
) -> HistoryAnswer | Response:
    """Snapshots of the balance, oldest first: in pages, or with `points` the whole span in one thinned answer.

    The span is then cut into equal pieces of time; of each piece the first, lowest, highest and last snapshot stay.
    """
    query = list_query_from(limit=limit or 500, ticker=None, since=since, until=until, cursor=cursor)
    if points is None:
        answer = portfolio.history(since=query.since, until=query.until, limit=query.limit, cursor=cursor)
    elif limit is not None or cursor is not None:
        raise InvalidInput("points", points, "no `limit` and no `cursor` beside it: the answer is one page")
    else:
        answer = portfolio.curve(since=query.since, until=query.until, points=points)
    return csv_response(SnapshotData, answer, request.url, name="equity") if form == "csv" else answer
