"""The portfolio as its routes answer it. Each part is fetched on its own, so that each can fail on its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from coliseum.bot.client import Bot
from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import Cache, CachedValue, origin_of
from coliseum.errors import ColiseumError, InvalidInput
from coliseum.feed.feed import Feed
from coliseum.http.answers import IdentityData
from coliseum.http.field_types import utc_from
from coliseum.http.paging import decode_cursor, encode_cursor
from coliseum.http.time_zones import UTC_ZONE, day_start
from coliseum.identity import Identity
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.account import AccountPositions, ExchangeAccount
from coliseum.portfolio.answers import (
    BalanceAnswer,
    BalanceData,
    ChangeData,
    FillsAnswer,
    HistoryAnswer,
    LiveTradesAnswer,
    Part,
    PositionData,
    PositionsAnswer,
    ReconciliationData,
    Refusal,
    SummaryAnswer,
    TradeData,
    position_data,
    snapshot_data,
    trade_data,
)
from coliseum.portfolio.books_records import stored_books
from coliseum.portfolio.bot_status import BotStatusReader
from coliseum.portfolio.curve import CurveSampler
from coliseum.portfolio.list_query import ListQuery
from coliseum.portfolio.records import (
    POSTGRES,
    BalanceSnapshot,
    newest_snapshot_before,
    select_snapshots,
    snapshot_span,
)
from coliseum.portfolio.summary import (
    balance_data,
    books_data,
    change_data,
    failures_from,
    missing_part,
    reconciliation_data,
    totals_data,
)
from coliseum.portfolio.trades import FillHistory, LiveTrades, TradePage
from coliseum.store.client import Store
from coliseum.trading.markets import Balance
from coliseum.trading.modes import BotMode

_SNAPSHOT_SECONDS = 2.0
"""How long the summary waits for the snapshot that today is compared with."""
_SNAPSHOTS_PER_READ = 1000
_RECENT_TRADES = 10
"""How many trades the summary shows."""
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class PortfolioDependencies:
    """The clients that the portfolio reads from. `store` connects on its first call: its SDK is slow to import."""

    kalshi: Kalshi
    bot: Bot
    feed: Feed | None
    store: Callable[[], Store]
    cache: Cache
    breaker: CircuitBreaker
    identity: Identity


class Portfolio:
    """One per process."""

    def __init__(self, dependencies: PortfolioDependencies, *, clock: Callable[[], float] = time.time) -> None:
        kalshi, bot, feed = dependencies.kalshi, dependencies.bot, dependencies.feed
        store, cache, breaker = dependencies.store, dependencies.cache, dependencies.breaker
        self._identity = IdentityData(**dependencies.identity.data())
        self._kalshi = kalshi
        self._store = store
        self._breaker = breaker
        self._clock = clock
        books = stored_books(store, dependencies.identity.account)
        self._account = ExchangeAccount(kalshi, cache, books=books, breaker=breaker)
        self._fills = FillHistory(kalshi, cache, store, breaker, clock)
        self._live = LiveTrades(bot, feed, kalshi, breaker, clock)
        self._bot = BotStatusReader(bot, feed, store, breaker, clock, exchange=dependencies.identity.exchange.name)
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="portfolio")

    @property
    def account(self) -> ExchangeAccount:
        """For other lists of the same account: its books are kept once per process."""
        return self._account

    def close(self) -> None:
        self._threads.shutdown()

    def bot_mode(self) -> BotMode | None:
        """Paper or live; None where no source knows."""
        return self._bot.mode()

    def balance(self) -> BalanceAnswer:
        served = self._account.balance()
        failures = failures_from(() if served.error is None else (served.error,))
        return BalanceAnswer(**balance_data(served.value).model_dump(), failures=failures, **served.origin())

    def positions(self) -> PositionsAnswer:
        account = self._account.positions(load_books=False)
        items = [position_data(position, now=self._clock()) for position in account.positions]
        return PositionsAnswer(
            items=items,
            count=len(items),
            next_cursor=None,
            failures=failures_from(account.failures),
            **{**account.state.origin(), "stale": account.stale},
        )

    def fills(self, query: ListQuery) -> FillsAnswer:
        page = self._fills.fills(query)
        return FillsAnswer(**self._list_fields(page), next_cursor=page.next_cursor)

    def live_trades(self, *, limit: int, ticker: str | None) -> LiveTradesAnswer:
        page = self._live.latest(limit=limit, ticker=ticker)
        rejected = [Refusal(trade_id=row.trade_id, problem=row.problem) for row in page.rejected]
        return LiveTradesAnswer(**self._list_fields(page), next_cursor=None, rejected=rejected)

    def history(self, *, since: float | None, until: float | None, limit: int, cursor: str | None) -> HistoryAnswer:
        """Balance snapshots, oldest first; `since` and `until` in unix seconds, `until` exclusive.

        Only Postgres has them. Raises InvalidInput for a cursor of another list, SourceError where Postgres fails.
        """
        filters = {"since": since, "until": until}
        after = None if cursor is None else decode_cursor("history", filters, cursor).get("after")
        if cursor is not None and not isinstance(after, str):
            raise InvalidInput("cursor", cursor, "`next_cursor` of the page before")
        rows = self._breaker.call(
            POSTGRES,
            lambda: select_snapshots(
                self._store(),
                since=None if since is None else utc_from(since),
                until=None if until is None else utc_from(until),
                after=after,
                limit=limit,
            ),
        )
        full = len(rows) == limit
        following = encode_cursor("history", filters, {"after": rows[-1].key}) if full else None
        return self._history_answer([row.snapshot for row in rows], following)

    def _history_answer(self, rows: Sequence[BalanceSnapshot], next_cursor: str | None) -> HistoryAnswer:
        items = [snapshot_data(row) for row in rows]
        return HistoryAnswer(
            items=items,
            count=len(items),
            next_cursor=next_cursor,
            **origin_of(POSTGRES, as_of=self._clock()),
        )

    def curve(self, *, since: float | None, until: float | None, points: int) -> HistoryAnswer:
        """The history in `points` snapshots at most, chosen as `portfolio.curve` says. Raises SourceError."""
        rows = self._breaker.call(
            POSTGRES,
            lambda: _sampled(
                self._store(),
                None if since is None else utc_from(since),
                None if until is None else utc_from(until),
                points,
            ),
        )
        return self._history_answer(rows, None)

    def summary(self, zone: ZoneInfo = UTC_ZONE) -> SummaryAnswer:
        """All parts, fetched at the same time; `zone` says when today began.

        Raises the balance's error where nothing is known but an old bot status from Postgres.
        """
        submit = self._threads.submit
        balance_future, positions_future = submit(self._account.balance), submit(self._account.positions)
        today_starts = utc_from(day_start(self._clock(), zone))
        snapshot_future = submit(self._snapshot_before, today_starts)
        transfers_future = submit(self._account.transfers)
        trades_future, bot_future = submit(self._live.latest, limit=_RECENT_TRADES), submit(self._bot.part)
        balance, balance_error = _result_or_error(balance_future)
        positions, positions_error = _result_or_error(positions_future)
        trades, trades_error = _result_or_error(trades_future)
        transfers, _ = _result_or_error(transfers_future)
        bot = bot_future.result()
        if balance_error and positions_error and trades_error and bot.source in {None, POSTGRES}:
            raise balance_error
        money = None if balance is None else balance.value
        state = None if positions is None else positions.state
        balance_part = self._balance_part(balance, balance_error)
        positions_part = self._positions_part(positions, positions_error)
        trades_part = self._trades_part(trades, trades_error)
        return SummaryAnswer(
            as_of=utc_from(self._clock()),
            stale=any(part.stale for part in (balance_part, positions_part, trades_part, bot)),
            identity=self._identity,
            warnings=list(self._kalshi.warnings),
            balance=balance_part,
            positions=positions_part,
            recent_trades=trades_part,
            bot=bot,
            change_today=self._change_today(snapshot_future, money, today_starts, zone),
            totals=totals_data(
                money,
                None if positions is None else positions.positions,
                None if state is None else state.value,
                None if transfers is None else transfers.value,
            ),
            reconciliation=reconciliation_data(
                money,
                None if state is None else state.value,
                transfers=None if transfers is None or transfers.stale else transfers.value,
                checked_at=None if state is None else state.as_of,
                error=positions_error,
            ),
            books=books_data(None if state is None else state.value, positions_error),
        )

    def _snapshot_before(self, at: datetime) -> BalanceSnapshot | None:
        return self._breaker.call(POSTGRES, lambda: newest_snapshot_before(self._store(), at))

    def _change_today(
        self,
        snapshot_future: Future[BalanceSnapshot | None],
        balance: Balance | None,
        since: datetime,
        zone: ZoneInfo,
    ) -> ChangeData:
        """The rest of the summary does not wait for a database that does not answer."""
        snapshot: BalanceSnapshot | None = None
        problem: str | None = None
        try:
            snapshot = snapshot_future.result(timeout=_SNAPSHOT_SECONDS)
        except FutureTimeout:
            problem = f"{POSTGRES}: no answer within {_SNAPSHOT_SECONDS:g} s"
        except ColiseumError as error:
            problem = str(error)
        return change_data(balance, snapshot, since=since, zone=zone.key, problem=problem)

    def reconciliation(self) -> ReconciliationData:
        """Our books against the exchange. Never raises for a source that fails."""
        balance_future = self._threads.submit(self._account.balance)
        positions_future = self._threads.submit(self._account.positions)
        transfers_future = self._threads.submit(self._account.transfers)
        balance, _ = _result_or_error(balance_future)
        positions, error = _result_or_error(positions_future)
        transfers, _ = _result_or_error(transfers_future)
        state = None if positions is None else positions.state
        return reconciliation_data(
            None if balance is None else balance.value,
            None if state is None else state.value,
            transfers=None if transfers is None or transfers.stale else transfers.value,
            checked_at=None if state is None else state.as_of,
            error=error,
        )

    def _balance_part(self, balance: CachedValue[Balance] | None, error: ColiseumError | None) -> Part[BalanceData]:
        if balance is None:
            return missing_part(error)
        problem = None if balance.error is None else str(balance.error)
        return Part(data=balance_data(balance.value), error=problem, **balance.origin())

    def _positions_part(
        self, account: AccountPositions | None, error: ColiseumError | None
    ) -> Part[list[PositionData]]:
        if account is None:
            return missing_part(error)
        return Part(
            data=[position_data(position, now=self._clock()) for position in account.positions],
            error="; ".join(str(failure) for failure in account.failures) or None,
            **{**account.state.origin(), "stale": account.stale},
        )

    def _trades_part(self, page: TradePage | None, error: ColiseumError | None) -> Part[list[TradeData]]:
        if page is None:
            return missing_part(error)
        return Part(
            data=[trade_data(trade) for trade in page.trades],
            source=page.source,
            as_of=utc_from(page.as_of),
            stale=page.stale,
            age_seconds=self._age(page.as_of),
            error="; ".join(str(failure) for failure in page.failures) or None,
        )

    def _age(self, as_of: float) -> float:
        # Two clocks may differ: an age is never negative.
        return round(max(0.0, self._clock() - as_of), 3)

    def _list_fields(self, page: TradePage) -> dict[str, Any]:
        """The fields that both lists of trades share."""
        return {
            "items": [trade_data(trade) for trade in page.trades],
            "count": len(page.trades),
            "source": page.source,
            "as_of": utc_from(page.as_of),
            "stale": page.stale,
            "age_seconds": self._age(page.as_of),
            "failures": failures_from(page.failures),
        }


def _sampled(store: Store, since: datetime | None, until: datetime | None, points: int) -> list[BalanceSnapshot]:
    """Page by page, so that a year of snapshots needs no more memory than a page of them."""
    span = snapshot_span(store, since=since, until=until)
    if span is None:
        return []
    sampler = CurveSampler(span[0].timestamp(), span[1].timestamp(), points)
    after: str | None = None
    while True:
        rows = select_snapshots(store, since=since, until=until, after=after, limit=_SNAPSHOTS_PER_READ)
        sampler.add(row.snapshot for row in rows)
        if len(rows) < _SNAPSHOTS_PER_READ:
            return sampler.result()
        after = rows[-1].key


def _result_or_error(future: Future[Value]) -> tuple[Value, None] | tuple[None, ColiseumError]:
    """The result, or its ColiseumError. Any other exception is a bug and is raised."""
    try:
        return future.result(), None
    except ColiseumError as error:
        return None, error
