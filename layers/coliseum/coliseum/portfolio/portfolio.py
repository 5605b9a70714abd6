"""The portfolio as its routes answer it: each part asked for on its own, so that each may fail on its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from coliseum.bot.client import Bot
from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import Cache, CachedValue
from coliseum.errors import ColiseumError, InvalidInput
from coliseum.feed.feed import Feed
from coliseum.http.field_types import utc_from
from coliseum.http.paging import decode_cursor, encode_cursor
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.account import AccountPositions, ExchangeAccount
from coliseum.portfolio.answers import (
    BalanceAnswer,
    BalanceData,
    FillsAnswer,
    HistoryAnswer,
    LiveTradesAnswer,
    Part,
    PositionData,
    PositionsAnswer,
    Refusal,
    SnapshotData,
    SummaryAnswer,
    TradeData,
    position_data,
    trade_data,
)
from coliseum.portfolio.bot_status import BotStatusReader
from coliseum.portfolio.records import POSTGRES, select_snapshots
from coliseum.portfolio.summary import balance_data, failures_of, missing, reconciliation, totals
from coliseum.portfolio.trades import FillHistory, FillsQuery, LiveTrades, TradePage
from coliseum.store.client import Store
from coliseum.trading.markets import Balance
from coliseum.trading.modes import BotMode

_RECENT = 10
"""Trades in the summary."""
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class PortfolioDependencies:
    """What the portfolio is told by. `store` is opened on its first use: its SDK is slow to import."""

    kalshi: Kalshi
    bot: Bot
    feed: Feed | None
    store: Callable[[], Store]
    cache: Cache
    breaker: CircuitBreaker


class Portfolio:
    """One per process."""

    def __init__(self, doors: PortfolioDependencies, *, clock: Callable[[], float] = time.time) -> None:
        self._doors = doors
        self._clock = clock
        self._account = ExchangeAccount(doors.kalshi, doors.cache)
        self._history = FillHistory(doors.kalshi, doors.cache, doors.store, doors.breaker, clock)
        self._live = LiveTrades(doors.bot, doors.feed, doors.kalshi, doors.breaker, clock)
        self._bot = BotStatusReader(doors.bot, doors.feed, doors.store, doors.breaker, clock)
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="portfolio")

    def close(self) -> None:
        self._threads.shutdown()

    def bot_mode(self) -> BotMode | None:
        """Paper or live; None where nobody knows."""
        return self._bot.mode()

    def balance(self) -> BalanceAnswer:
        served = self._account.balance()
        return BalanceAnswer(**balance_data(served.value).model_dump(), **served.origin())

    def positions(self) -> PositionsAnswer:
        found = self._account.positions()
        items = [position_data(position) for position in found.positions]
        return PositionsAnswer(
            items=items,
            count=len(items),
            next_cursor=None,
            failures=failures_of(found.failures),
            **{**found.standing.origin(), "stale": found.stale},
        )

    def fills(self, query: FillsQuery) -> FillsAnswer:
        found = self._history.fills(query)
        return FillsAnswer(**self._listed(found), next_cursor=found.next_cursor)

    def live_trades(self, *, limit: int, ticker: str | None) -> LiveTradesAnswer:
        found = self._live.latest(limit=limit, ticker=ticker)
        rejected = [Refusal(trade_id=row.trade_id, problem=row.problem) for row in found.rejected]
        return LiveTradesAnswer(**self._listed(found), next_cursor=None, rejected=rejected)

    def equity_curve(
        self, *, since: float | None, until: float | None, limit: int, cursor: str | None
    ) -> HistoryAnswer:
        """Balance snapshots, oldest first. Nobody stands in for Postgres here."""
        filters = {"since": since, "until": until}
        after = None if cursor is None else decode_cursor("history", filters, cursor).get("after")
        if cursor is not None and not isinstance(after, str):
            raise InvalidInput("cursor", cursor, "`next_cursor` of the page before")
        rows = self._doors.breaker.call(
            POSTGRES,
            lambda: select_snapshots(
                self._doors.store(),
                since=None if since is None else utc_from(since),
                until=None if until is None else utc_from(until),
                after=after,
                limit=limit,
            ),
        )
        full = len(rows) == limit
        items = [
            SnapshotData(
                taken_at=row.taken_at,
                cash=row.cash,
                portfolio_value=row.portfolio_value,
                equity=row.equity,
                source=row.source,
            )
            for _, row in rows
        ]
        return HistoryAnswer(
            items=items,
            count=len(items),
            next_cursor=encode_cursor("history", filters, {"after": rows[-1][0]}) if full else None,
            source=POSTGRES,
            as_of=utc_from(self._clock()),
            stale=False,
            age_seconds=0.0,
        )

    def summary(self) -> SummaryAnswer:
        """All parts at once. Raises the balance's error where nothing is known but what the bot once said."""
        submit = self._threads.submit
        money_asked, positions_asked = submit(self._account.balance), submit(self._account.positions)
        trades_asked, bot_asked = submit(self._live.latest, limit=_RECENT), submit(self._bot.part)
        balance, balance_error = _settled(money_asked)
        positions, positions_error = _settled(positions_asked)
        trades, trades_error = _settled(trades_asked)
        bot = bot_asked.result()
        if balance_error and positions_error and trades_error and bot.source in {None, POSTGRES}:
            raise balance_error
        money = None if balance is None else balance.value
        standing = None if positions is None else positions.standing
        parts = (
            self._balance_part(balance, balance_error),
            self._positions_part(positions, positions_error),
            self._trades_part(trades, trades_error),
        )
        return SummaryAnswer(
            as_of=utc_from(self._clock()),
            stale=any(part.stale for part in (*parts, bot)),
            balance=parts[0],
            positions=parts[1],
            recent_trades=parts[2],
            bot=bot,
            totals=totals(
                money,
                None if positions is None else positions.positions,
                None if standing is None else standing.value,
            ),
            reconciliation=reconciliation(
                money,
                None if standing is None else standing.value,
                checked_at=None if standing is None else standing.as_of,
                error=positions_error,
            ),
        )

    def _balance_part(self, served: CachedValue[Balance] | None, error: ColiseumError | None) -> Part[BalanceData]:
        if served is None:
            return missing(error)
        told = None if served.error is None else str(served.error)
        return Part(data=balance_data(served.value), error=told, **served.origin())

    def _positions_part(self, found: AccountPositions | None, error: ColiseumError | None) -> Part[list[PositionData]]:
        if found is None:
            return missing(error)
        return Part(
            data=[position_data(position) for position in found.positions],
            error="; ".join(str(failure) for failure in found.failures) or None,
            **{**found.standing.origin(), "stale": found.stale},
        )

    def _trades_part(self, found: TradePage | None, error: ColiseumError | None) -> Part[list[TradeData]]:
        if found is None:
            return missing(error)
        return Part(
            data=[trade_data(trade) for trade in found.trades],
            source=found.source,
            as_of=utc_from(found.as_of),
            stale=found.stale,
            age_seconds=self._age(found.as_of),
            error="; ".join(str(failure) for failure in found.failures) or None,
        )

    def _age(self, as_of: float) -> float:
        return round(max(0.0, self._clock() - as_of), 3)

    def _listed(self, found: TradePage) -> dict[str, Any]:
        return {
            "items": [trade_data(trade) for trade in found.trades],
            "count": len(found.trades),
            "source": found.source,
            "as_of": utc_from(found.as_of),
            "stale": found.stale,
            "age_seconds": self._age(found.as_of),
            "failures": failures_of(found.failures),
        }


def _settled(asked: Future[Value]) -> tuple[Value, None] | tuple[None, ColiseumError]:
    """The answer, or our error. Anything else is a fault of ours and goes on."""
    try:
        return asked.result(), None
    except ColiseumError as error:
        return None, error
