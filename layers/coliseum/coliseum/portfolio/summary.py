"""The parts of the summary, its totals and its reconciliation, from domain values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from coliseum.bot.parse import BotHealth, BotStatus
from coliseum.errors import ColiseumError, SourceError
from coliseum.http.answers import Failure
from coliseum.http.field_types import utc_from
from coliseum.portfolio.account_state import AccountState
from coliseum.portfolio.answers import (
    BalanceData,
    BooksData,
    BotData,
    ChangeData,
    IdleData,
    Part,
    ReconciliationData,
    ShardCashData,
    TotalsData,
    difference_data,
)
from coliseum.portfolio.positions import PortfolioPosition, sum_positions
from coliseum.portfolio.records import BalanceSnapshot
from coliseum.trading.markets import Balance
from coliseum.trading.modes import BotMode
from coliseum.trading.transfers import Transfer, net_deposits


def missing_part(error: ColiseumError | None) -> Part[Any]:
    return Part(data=None, source=None, as_of=None, stale=True, age_seconds=None, error=str(error))


def failures_from(errors: tuple[ColiseumError, ...]) -> list[Failure]:
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
        balance_breakdown=None
        if balance.by_shard is None
        else [ShardCashData(exchange_index=shard.exchange_index, cash=shard.cash) for shard in balance.by_shard],
    )


def mode_data(mode: BotMode | None) -> dict[str, Any]:
    if mode is None:
        return {"mode": None, "mode_as_of": None, "mode_stale": True, "mode_warning": None}
    return {"mode": mode.name, "mode_as_of": mode.as_of, "mode_stale": mode.stale, "mode_warning": mode.warning}


def marks_data(published: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the poller found wrong with the bot, from the status that it published last; null where nothing is known."""
    status = published or {}
    ahead, unconfirmed = status.get("clock_ahead_seconds"), status.get("unconfirmed")
    return {
        "clock_ahead_seconds": float(ahead) if isinstance(ahead, int | float) else None,
        "unconfirmed": unconfirmed if isinstance(unconfirmed, int) else None,
    }


UNKNOWN_BOT = BotData(
    status="offline",
    strategy=None,
    last_error=None,
    trade_count=None,
    started_at=None,
    idle_reasons=[],
    **mode_data(None),
    **marks_data(None),
)
"""Shown where no source knows anything about the bot."""


def bot_data(
    health: BotHealth, status: BotStatus | None, mode: BotMode | None, *, published: Mapping[str, Any] | None = None
) -> BotData:
    """`mode` comes from `status` where there is one, else it is the last mode known. `published`: by the poller."""
    return BotData(
        status="online" if health.alive else "offline",
        **mode_data(mode),
        **marks_data(published),
        strategy=None if status is None else status.strategy,
        last_error=None if status is None else status.last_error,
        trade_count=health.trade_count,
        started_at=health.started,
        idle_reasons=[]
        if status is None
        else [IdleData(reason=idle.reason, markets=idle.markets) for idle in status.idle_reasons],
    )


def change_data(
    balance: Balance | None, snapshot: BalanceSnapshot | None, *, since: datetime, zone: str, problem: str | None
) -> ChangeData:
    """`snapshot` is the last one before `since`, the start of today in `zone`. `problem`: why there is none."""
    if balance is None:
        problem = "the balance is unknown"
    elif snapshot is None and problem is None:
        problem = "no snapshot was taken before today began"
    known = balance is not None and snapshot is not None
    return ChangeData(
        change=balance.equity - snapshot.equity if balance is not None and snapshot is not None else None,
        equity_before=None if snapshot is None else snapshot.equity,
        snapshot_at=None if snapshot is None else snapshot.taken_at,
        day_started_at=since,
        time_zone=zone,
        error=None if known else problem,
    )


def totals_data(
    balance: Balance | None,
    positions: tuple[PortfolioPosition, ...] | None,
    state: AccountState | None,
    transfers: tuple[Transfer, ...] | None,
) -> TotalsData:
    """None stands for a source that did not answer: every sum that needs it is null."""
    gained = None if balance is None or transfers is None else balance.equity - net_deposits(transfers)
    sums = None if positions is None else sum_positions(positions)
    ledger = None if state is None or state.books is None else state.books.totals
    net: Decimal | None = None
    if sums is not None and ledger is not None and sums.unrealized_pnl is not None:
        net = ledger.realized + sums.unrealized_pnl - ledger.fees
    return TotalsData(
        equity=None if balance is None else balance.equity,
        equity_less_deposits=gained,
        cash=None if balance is None else balance.cash,
        open_positions=None if sums is None else sums.open_positions,
        contracts=None if sums is None else sums.contracts,
        exposure=None if sums is None else sums.exposure,
        market_value=None if sums is None else sums.market_value,
        market_value_low=None if sums is None else sums.market_value_low,
        market_value_high=None if sums is None else sums.market_value_high,
        unmarked=None if sums is None else sums.unmarked,
        unrealized_pnl=None if sums is None else sums.unrealized_pnl,
        unrealized_low=None if sums is None else sums.unrealized_low,
        unrealized_high=None if sums is None else sums.unrealized_high,
        realized_pnl=None if ledger is None else ledger.realized,
        fees=None if ledger is None else ledger.fees,
        net_pnl=net,
    )


def reconciliation_data(
    balance: Balance | None,
    state: AccountState | None,
    *,
    transfers: tuple[Transfer, ...] | None,
    checked_at: float | None,
    error: ColiseumError | None,
) -> ReconciliationData:
    """`unknown` where the positions or our ledger are unknown: nothing was compared, so nothing agrees.

    Deposits come from the exchange's own lists. They are implied by cash and ledger only where the lists failed.
    """
    implied = None if transfers is not None else _implied_deposits(balance, state)
    deposits = implied if transfers is None else net_deposits(transfers)
    source: Literal["exchange", "implied"] | None = None
    if deposits is not None:
        source = "implied" if transfers is None else "exchange"
    ledger = None if state is None else state.books
    if ledger is None or checked_at is None:
        problem = str(error) if state is None else state.problem
        return ReconciliationData(
            status="unknown",
            differences=[],
            checked_at=None,
            deposits=deposits,
            deposits_source=source,
            implied_deposits=implied,
            error=problem,
        )
    return ReconciliationData(
        status="differs" if ledger.differences else "agrees",
        differences=[difference_data(row) for row in ledger.differences],
        checked_at=utc_from(checked_at),
        deposits=deposits,
        deposits_source=source,
        implied_deposits=implied,
        error=None,
    )


def _implied_deposits(balance: Balance | None, state: AccountState | None) -> Decimal | None:
    """Cash less the ledger's change of cash; None where either is unknown."""
    totals = None if state is None or state.books is None else state.books.totals
    return None if balance is None or totals is None else balance.cash - totals.cash


def books_data(state: AccountState | None, error: ColiseumError | None) -> BooksData:
    """How far the books are; `unavailable` where not even the positions are known."""
    load = None if state is None else state.load
    if load is None:
        problem = None if error is None else str(error)
        return BooksData(
            status="unavailable", fills_loaded=None, oldest_loaded=None, newest_loaded=None, problem=problem, unknown=[]
        )
    return BooksData(
        status=load.status,
        fills_loaded=load.fills,
        oldest_loaded=None if load.oldest is None else utc_from(load.oldest),
        newest_loaded=None if load.newest is None else utc_from(load.newest),
        problem=load.problem,
        unknown=list(load.doubts),
    )
