"""The summary's parts, totals and reconciliation from what was learnt. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from coliseum.bot.parse import BotHealth, BotStatus
from coliseum.errors import ColiseumError, SourceError
from coliseum.http.answers import Failure
from coliseum.http.field_types import utc_from
from coliseum.portfolio.account_state import AccountState
from coliseum.portfolio.answers import (
    BalanceData,
    BotData,
    IdleData,
    Part,
    ReconciliationData,
    TotalsData,
    difference_data,
)
from coliseum.portfolio.positions import OpenPosition, sum_positions
from coliseum.trading.markets import Balance
from coliseum.trading.modes import BotMode


def missing(error: ColiseumError | None) -> Part[Any]:
    return Part(data=None, source=None, as_of=None, stale=True, age_seconds=None, error=str(error))


def failures_of(errors: tuple[ColiseumError, ...]) -> list[Failure]:
    return [
        Failure(source=error.source if isinstance(error, SourceError) else "settings", problem=str(error))
        for error in errors
    ]


def balance_data(balance: Balance) -> BalanceData:
    return BalanceData(
        cash=balance.cash,
        portfolio_value=balance.portfolio_value,
        equity=balance.equity,
        updated_at=balance.as_of,
    )


def mode_data(mode: BotMode | None) -> dict[str, Any]:
    if mode is None:
        return {"mode": None, "mode_as_of": None, "mode_stale": True}
    return {"mode": mode.name, "mode_as_of": mode.as_of, "mode_stale": mode.stale}


UNHEARD = BotData(
    status="offline",
    strategy=None,
    last_error=None,
    trade_count=None,
    started_at=None,
    idle_reasons=[],
    **mode_data(None),
)
"""A bot that nobody ever heard of."""


def bot_data(health: BotHealth, status: BotStatus | None, mode: BotMode | None) -> BotData:
    """`mode` is the bot's own word where `status` is, else the last one known."""
    return BotData(
        status="online" if health.alive else "offline",
        **mode_data(mode),
        strategy=None if status is None else status.strategy,
        last_error=None if status is None else status.last_error,
        trade_count=health.trade_count,
        started_at=health.started_at,
        idle_reasons=[]
        if status is None
        else [IdleData(reason=idle.reason, markets=idle.markets) for idle in status.idle_reasons],
    )


def totals(
    balance: Balance | None, positions: tuple[OpenPosition, ...] | None, standing: AccountState | None
) -> TotalsData:
    sums = None if positions is None else sum_positions(positions)
    books = None if standing is None else standing.books
    net: Decimal | None = None
    if sums is not None and books is not None and sums.unrealized_pnl is not None:
        net = books.totals.realized + sums.unrealized_pnl - books.totals.fees
    return TotalsData(
        equity=None if balance is None else balance.equity,
        cash=None if balance is None else balance.cash,
        open_positions=None if sums is None else sums.open_positions,
        contracts=None if sums is None else sums.contracts,
        exposure=None if sums is None else sums.exposure,
        market_value=None if sums is None else sums.market_value,
        unmarked=None if sums is None else sums.unmarked,
        unrealized_pnl=None if sums is None else sums.unrealized_pnl,
        realized_pnl=None if books is None else books.totals.realized,
        fees=None if books is None else books.totals.fees,
        net_pnl=net,
    )


def reconciliation(
    balance: Balance | None, standing: AccountState | None, *, checked_at: float | None, error: ColiseumError | None
) -> ReconciliationData:
    """`unknown` where the positions or our books are: nothing was compared, so nothing agrees."""
    books = None if standing is None else standing.books
    if books is None or checked_at is None:
        problem = str(error) if standing is None else standing.problem
        return ReconciliationData(
            status="unknown", differences=[], checked_at=None, implied_deposits=None, error=problem
        )
    return ReconciliationData(
        status="differs" if books.differences else "agrees",
        differences=[difference_data(row) for row in books.differences],
        checked_at=utc_from(checked_at),
        implied_deposits=None if balance is None else balance.cash - books.totals.cash,
        error=None,
    )
