"""The bot's stored trades held against the account's fills."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from coliseum.bot.client import Bot
from coliseum.cache.breaker import CircuitBreaker
from coliseum.errors import ColiseumError, InvalidInput, SourceMalformed
from coliseum.http.field_types import utc_from
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.answers import ReconciliationData
from coliseum.portfolio.reconciliation_answers import (
    BotReconciliationAnswer,
    trade_difference_data,
    unconfirmed_data,
    unreported_data,
)
from coliseum.portfolio.records import KALSHI, POSTGRES, StoredTrade, select_recorded_trades, stored_trade_ids
from coliseum.portfolio.summary import failures_from
from coliseum.store.client import Store
from coliseum.trading.bot_check import BotComparison, ReportedTrade, compare_bot
from coliseum.trading.modes import BotMode
from coliseum.trading.trades import Fill, TradeSource

DEFAULT_SECONDS = 86_400.0
MAX_SECONDS = 31 * 86_400.0
TRADES_MAX = 20_000
MARGIN_SECONDS = 86_400.0
"""A trade may have been stored so long after its fill, and be searched that much before and after the span."""
REPORT_SECONDS = 180.0
"""A fill's trade is in Postgres by then: the log is copied once a minute, after the poller's minute."""
_WAIT_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Unix seconds; `until` is exclusive."""

    since: float
    until: float

    def holds(self, at: float) -> bool:
        return self.since <= at < self.until


def span_from(since: float | None, until: float | None, *, now: float) -> Span:
    """The last day before `until` where `since` is None. Raises InvalidInput for an empty or too long span."""
    end = now if until is None else until
    begin = end - DEFAULT_SECONDS if since is None else since
    if begin >= end:
        expected = "a moment before `until`, which is now where it is not given"
        raise InvalidInput("since", utc_from(begin).isoformat(), expected)
    if end - begin > MAX_SECONDS:
        raise InvalidInput("since", utc_from(begin).isoformat(), "at most 31 days before `until`")
    return Span(since=begin, until=end)


@dataclass(frozen=True, slots=True)
class _Reported:
    """The bot's trades around a span."""

    source: Literal["postgres", "bot_live"]
    trades: tuple[ReportedTrade, ...]
    supplied_ids: frozenset[str]
    """Fills that were stored as trades because the bot had lost them. They are known, and need no report."""
    failures: tuple[ColiseumError, ...] = ()


class BotReconciliation:
    """One per process."""

    def __init__(
        self,
        kalshi: Kalshi,
        bot: Bot,
        store: Callable[[], Store],
        breaker: CircuitBreaker,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`store` connects on its first call: its SDK is slow to import."""
        self._kalshi = kalshi
        self._bot = bot
        self._store = store
        self._breaker = breaker
        self._clock = clock

    def answer(
        self,
        *,
        since: float | None,
        until: float | None,
        ticker: str | None,
        mode: BotMode | None,
        books: ReconciliationData,
    ) -> BotReconciliationAnswer:
        """The comparison of a span of at most 31 days; never raises for a source that fails. Raises InvalidInput."""
        now = self._clock()
        span = span_from(since, until, now=now)
        common: dict[str, Any] = {
            "as_of": utc_from(now),
            "since": utc_from(span.since),
            "until": utc_from(span.until),
            "books": books,
            "mode": None if mode is None else mode.name,
            "mode_warning": None if mode is None else mode.warning,
        }
        try:
            fills = self._fills(span, ticker, now)
            reported = self._reported(span, ticker, now)
            comparison = compare_bot(reported.trades, _needed(fills, reported), now=now, report_seconds=REPORT_SECONDS)
            comparison = self._without_known(_within(span, comparison), reported)
        except ColiseumError as error:
            return _not_compared(common, str(error), failures=(error,))
        if mode is not None and mode.name == "paper" and not comparison.matched and reported.trades:
            problem = "the bot says paper and none of its trades has the id or the order of a fill"
            return _not_compared(common, problem, failures=reported.failures, source=reported.source)
        return _compared(common, comparison, reported)

    def _fills(self, span: Span, ticker: str | None, now: float) -> tuple[Fill, ...]:
        kalshi = self._kalshi.for_seconds(_WAIT_SECONDS)
        since, until = math.floor(span.since - MARGIN_SECONDS), math.ceil(min(span.until + MARGIN_SECONDS, now + 60))
        return self._breaker.call(KALSHI, lambda: kalshi.all_fills(ticker=ticker, since=since, until=until))

    def _reported(self, span: Span, ticker: str | None, now: float) -> _Reported:
        """From Postgres, else what the bot lists. Raises the error of Postgres where neither answers."""
        try:
            rows = self._breaker.call(
                POSTGRES,
                lambda: select_recorded_trades(
                    self._store(),
                    ticker=ticker,
                    since=utc_from(span.since - MARGIN_SECONDS),
                    until=utc_from(min(span.until + MARGIN_SECONDS, now + 60)),
                    limit=TRADES_MAX + 1,
                ),
            )
        except ColiseumError as error:
            return self._listed(ticker, error)
        if len(rows) > TRADES_MAX:
            problem = f"more than {TRADES_MAX} trades in this span; ask for a shorter one"
            raise SourceMalformed(POSTGRES, problem, field="since")
        return _from_rows(rows)

    def _listed(self, ticker: str | None, error: ColiseumError) -> _Reported:
        try:
            trades = self._breaker.call("bot", self._bot.trades).trades
        except ColiseumError:
            raise error from None
        # When they were first listed is unknown, so none counts as too young.
        reported = tuple(ReportedTrade(trade, 0.0) for trade in trades if ticker in {None, trade.ticker})
        return _Reported("bot_live", reported, frozenset(), (error,))

    def _without_known(self, comparison: BotComparison, reported: _Reported) -> BotComparison:
        """Without fills whose trade was stored at another time, such as after a long outage of the poller."""
        if reported.source != "postgres" or not comparison.unreported:
            return comparison
        ids = [fill.fill_id for fill in comparison.unreported]
        stored = self._breaker.call(POSTGRES, lambda: stored_trade_ids(self._store(), ids))
        return _replaced(comparison, unreported=[fill for fill in comparison.unreported if fill.fill_id not in stored])


def _from_rows(rows: Sequence[StoredTrade]) -> _Reported:
    trades = [ReportedTrade(row.trade, row.recorded_at.timestamp()) for row in rows if _is_the_bots(row)]
    supplied = frozenset(row.trade.trade_id for row in rows if not _is_the_bots(row))
    return _Reported("postgres", tuple(trades), supplied)


def _is_the_bots(row: StoredTrade) -> bool:
    return row.trade.source is TradeSource.BOT_LIVE


def _needed(fills: Collection[Fill], reported: _Reported) -> list[Fill]:
    return [fill for fill in fills if fill.fill_id not in reported.supplied_ids]


def _within(span: Span, comparison: BotComparison) -> BotComparison:
    """What lies in the span. Of trades from the bot's list the time of their first report is unknown: all count."""
    return _replaced(
        comparison,
        unconfirmed=[row for row in comparison.unconfirmed if row.seen_at == 0 or span.holds(row.seen_at)],
        unreported=[fill for fill in comparison.unreported if span.holds(fill.timestamp)],
        different=[row for row in comparison.different if any(span.holds(fill.timestamp) for fill in row.fills)],
    )


def _replaced(comparison: BotComparison, **lists: Sequence[Any]) -> BotComparison:
    return BotComparison(
        unconfirmed=tuple(lists.get("unconfirmed", comparison.unconfirmed)),
        unreported=tuple(lists.get("unreported", comparison.unreported)),
        different=tuple(lists.get("different", comparison.different)),
        matched=comparison.matched,
    )


def _not_compared(
    common: dict[str, Any], problem: str, *, failures: tuple[ColiseumError, ...], source: str | None = None
) -> BotReconciliationAnswer:
    return BotReconciliationAnswer(
        **common,
        status="unknown",
        source=source,
        matched=0,
        unconfirmed=[],
        unreported_fills=[],
        different=[],
        error=problem,
        failures=failures_from(failures),
    )


def _compared(common: dict[str, Any], comparison: BotComparison, reported: _Reported) -> BotReconciliationAnswer:
    unreported = comparison.unreported if reported.source == "postgres" else ()
    differs = comparison.unconfirmed or unreported or comparison.different
    return BotReconciliationAnswer(
        **common,
        status="differs" if differs else "agrees",
        source=reported.source,
        matched=comparison.matched,
        unconfirmed=[unconfirmed_data(row) for row in comparison.unconfirmed],
        unreported_fills=[unreported_data(fill) for fill in unreported],
        different=[trade_difference_data(row) for row in comparison.different],
        error=None,
        failures=failures_from(reported.failures),
    )
