"""Market data: lists of markets, also by category, one market with its order book and last day, candlesticks."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from pydantic import TypeAdapter

from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import Cache, CachedValue, CacheSpec
from coliseum.cache.freshness import EVENTS, MARKETS
from coliseum.errors import ColiseumError, InvalidInput, SourceError, SourceMalformed
from coliseum.http.answers import Failure, failure_of_row
from coliseum.http.field_types import utc_from
from coliseum.http.paging import decode_cursor, encode_cursor
from coliseum.kalshi.client import Kalshi
from coliseum.markets.answers import (
    CandlesAnswer,
    MarketAnswer,
    MarketData,
    MarketsAnswer,
    book_data,
    candle_data,
    market_data,
    sparkline_data,
)
from coliseum.markets.history import Sparkline, candles_from, sparkline
from coliseum.markets.records import POSTGRES, snapshots_between
from coliseum.store.client import Store
from coliseum.trading.events import Event
from coliseum.trading.markets import Candle, Market, OrderBook
from coliseum.trading.pages import Page, RejectedRow

KALSHI = "kalshi"
BOOK_DEPTH = 10
DAY_SECONDS = 86_400
_WAIT_SECONDS = 5.0
"""A reader waits for the answer, and a cached one can replace it."""
Status = Literal["unopened", "open", "paused", "closed", "settled"]
Period = Literal[1, 60, 1440]
_MARKET_STATUSES: dict[Status, frozenset[str]] = {
    "unopened": frozenset({"initialized"}),
    "open": frozenset({"active"}),
    "paused": frozenset({"inactive"}),
    "closed": frozenset({"closed", "determined", "disputed", "amended"}),
    "settled": frozenset({"finalized"}),
}
"""Values of the `status` filter, and the market statuses that each one selects."""
_EVENTS_PER_PAGE = 200
_EVENT_PAGES = 5
"""Pages of events that one request reads to find markets of a category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFacts:
    """The fields of an answer that come from the market's event."""

    title: str
    category: str | None
    series_ticker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketView:
    """One market with its order book, event and last day. A part that could not be read is None, with a failure."""

    market: Market
    book: OrderBook | None
    event: EventFacts | None
    line: Sparkline | None
    failures: tuple[Failure, ...]


_LIST = TypeAdapter(Page[MarketData])
_VIEW = TypeAdapter(MarketView)
_FACTS = TypeAdapter(EventFacts)
_CANDLES = TypeAdapter(Page[Candle])
_CATEGORISED = TypeAdapter(Page[tuple[str | None, tuple[MarketData, ...]]])


class Markets:
    """One per process."""

    def __init__(
        self,
        kalshi: Kalshi,
        cache: Cache,
        breaker: CircuitBreaker,
        store: Callable[[], Store],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`store` is opened on its first use, because its SDK is slow to import and rarely needed here."""
        self._kalshi = kalshi
        self._cache = cache
        self._breaker = breaker
        self._store = store
        self._clock = clock
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="markets")

    def close(self) -> None:
        self._threads.shutdown()

    def page(self, *, status: Status, category: str | None, limit: int, cursor: str | None) -> MarketsAnswer:
        """One page. With a category a page may be shorter than `limit` and still have a next one."""
        filters = {"status": status, "category": category}
        place = {} if cursor is None else decode_cursor("markets", filters, cursor)
        items: Sequence[MarketData]
        position: dict[str, str | None] | None
        rejected: Sequence[RejectedRow]
        if category is None:
            served: CachedValue[Any] = self._page(status, limit, _text(place, "cursor"))
            items, following, rejected = served.value.items, served.value.cursor, served.value.rejected
            position = None if following is None else {"cursor": following}
        else:
            served, items, position, rejected = self._of_category(status, category.casefold(), limit, place)
        return MarketsAnswer(
            items=items,
            count=len(items),
            next_cursor=None if position is None else encode_cursor("markets", filters, position),
            failures=[failure_of_row(KALSHI, row) for row in rejected],
            **served.origin(),
        )

    def one(self, ticker: str) -> MarketAnswer:
        """A market with order book and last day. Raises NotFound."""
        spec = CacheSpec(key=f"market:{ticker}", source=KALSHI, tier=MARKETS, shape=_VIEW)
        served = self._cache.get(spec, lambda: self._view(ticker))
        view = served.value
        failures = [*view.failures, *([] if served.error is None else [_failure(served.error)])]
        return MarketAnswer(
            **market_data(view.market, None if view.event is None else view.event.category).model_dump(),
            event_title=None if view.event is None else view.event.title,
            series_ticker=None if view.event is None else view.event.series_ticker,
            rules_primary=view.market.rules_primary,
            rules_secondary=view.market.rules_secondary,
            order_book=None if view.book is None else book_data(view.book, BOOK_DEPTH),
            history_24h=None if view.line is None else sparkline_data(view.line),
            failures=failures,
            **served.origin(),
        )

    def candles(
        self,
        ticker: str,
        *,
        period_minutes: Period,
        since: float | None,
        until: float | None,
        limit: int,
        cursor: str | None,
    ) -> CandlesAnswer:
        """One page of candlesticks, by default of the last day. Raises NotFound.

        Where the exchange does not answer, stored snapshots of a watched market replace it.
        """
        filters = {"ticker": ticker, "period": period_minutes, "since": since, "until": until}
        place = {} if cursor is None else decode_cursor("candles", filters, cursor)
        # By default the page ends at the last whole minute, so that all readers share one cached page.
        end = _whole(place, "end", int(self._clock()) // 60 * 60 if until is None else int(until))
        start = _whole(place, "start", end - DAY_SECONDS if since is None else int(since))
        if start >= end:
            raise InvalidInput("since", since, "a moment before `until`")
        page_end = min(end, start + limit * period_minutes * 60)
        spec = CacheSpec(
            key=f"candles:{ticker}:{period_minutes}:{start}:{page_end}", source=KALSHI, tier=MARKETS, shape=_CANDLES
        )
        try:
            served = self._cache.get(spec, lambda: self._candles(ticker, start, page_end, period_minutes))
        except SourceError as error:
            served = self._stored_candles(error, ticker, start, page_end, period_minutes)
        items = [candle_data(candle) for candle in served.value.items]
        failures = [failure_of_row(KALSHI, row) for row in served.value.rejected]
        following = {"start": page_end, "end": end}
        return CandlesAnswer(
            ticker=ticker,
            period_minutes=period_minutes,
            items=items,
            count=len(items),
            next_cursor=encode_cursor("candles", filters, following) if page_end < end else None,
            failures=failures if served.error is None else [_failure(served.error), *failures],
            **served.origin(),
        )

    def _page(self, status: Status, limit: int, cursor: str | None) -> CachedValue[Page[MarketData]]:
        spec = CacheSpec(key=f"markets:{status}:{limit}:{_digest(cursor)}", source=KALSHI, tier=MARKETS, shape=_LIST)

        def fetch() -> Page[MarketData]:
            page = self._kalshi.for_seconds(_WAIT_SECONDS).markets(status=status, limit=limit, cursor=cursor)
            return Page(tuple(market_data(market, None) for market in page.items), page.cursor, page.rejected)

        return self._cache.get(spec, fetch)

    def _of_category(
        self, status: Status, category: str, limit: int, place: dict[str, Any]
    ) -> tuple[CachedValue[Any], Sequence[MarketData], dict[str, str | None] | None, Sequence[RejectedRow]]:
        """Markets of one category. Only events have a category, so pages of events are read until there are enough.

        The position is the page of events and the last market returned from it. Also returns what could not be read.
        """
        cursor, after = _text(place, "cursor"), _text(place, "after")
        items: list[MarketData] = []
        rejected: list[RejectedRow] = []
        for _ in range(_EVENT_PAGES):
            served = self._categorised(status, cursor)
            rejected += served.value.rejected
            found = [row for name, rows in served.value.items if (name or "").casefold() == category for row in rows]
            fresh = _after(found, after)
            items += fresh[: limit - len(items)]
            if fresh and len(items) == limit and items[-1] is not found[-1]:
                return served, items, {"cursor": cursor, "after": items[-1].ticker}, rejected
            cursor, after = served.value.cursor, None
            if cursor is None:
                return served, items, None, rejected
            if len(items) == limit:
                break
        return served, items, {"cursor": cursor}, rejected

    def _categorised(
        self, status: Status, cursor: str | None
    ) -> CachedValue[Page[tuple[str | None, tuple[MarketData, ...]]]]:
        """One page of events, each as its category and its markets of that status."""
        spec = CacheSpec(key=f"events:{status}:{_digest(cursor)}", source=KALSHI, tier=MARKETS, shape=_CATEGORISED)

        def fetch() -> Page[tuple[str | None, tuple[MarketData, ...]]]:
            event_status = None if status == "paused" else status  # the exchange has no paused events
            kalshi = self._kalshi.for_seconds(_WAIT_SECONDS)
            page = kalshi.events(status=event_status, with_markets=True, limit=_EVENTS_PER_PAGE, cursor=cursor)
            groups = tuple((event.category, _markets_of(event, status)) for event in page.items)
            return Page(groups, page.cursor, page.rejected)

        return self._cache.get(spec, fetch)

    def _view(self, ticker: str) -> MarketView:
        kalshi = self._kalshi.for_seconds(_WAIT_SECONDS)
        book_future = self._threads.submit(kalshi.order_book, ticker)
        market = kalshi.market(ticker)
        failures: list[Failure] = []
        book, event, line = None, None, None
        try:
            event = self._event(kalshi, market.event_ticker)
            line = self._last_day(kalshi, event.series_ticker, ticker)
        except ColiseumError as error:
            failures.append(_failure(error))
        try:
            book = book_future.result()
        except ColiseumError as error:
            failures.append(_failure(error))
        failures += [failure_of_row(KALSHI, row) for row in kalshi.left_out if row.ticker == ticker]
        return MarketView(market=market, book=book, event=event, line=line, failures=tuple(failures))

    def _event(self, kalshi: Kalshi, event_ticker: str) -> EventFacts:
        def fetch() -> EventFacts:
            event = kalshi.event(event_ticker)
            return EventFacts(title=event.title, category=event.category, series_ticker=event.series_ticker)

        spec = CacheSpec(key=f"event:{event_ticker}", source=KALSHI, tier=EVENTS, shape=_FACTS)
        return self._cache.get(spec, fetch).value

    def _last_day(self, kalshi: Kalshi, series_ticker: str, ticker: str) -> Sparkline:
        end = int(self._clock())
        start = end - DAY_SECONDS
        candles = kalshi.candles(series_ticker, ticker, start=start, end=end + 3600, period_minutes=60)
        return sparkline(candles, start=utc_from(start), now=utc_from(end), period=timedelta(hours=1))

    def _candles(self, ticker: str, start: int, end: int, period_minutes: Period) -> Page[Candle]:
        kalshi = self._kalshi.for_seconds(_WAIT_SECONDS)
        event = self._event(kalshi, kalshi.market(ticker).event_ticker)
        found = kalshi.candles(event.series_ticker, ticker, start=start, end=end, period_minutes=period_minutes)
        shown = tuple(candle for candle in found if start < candle.end.timestamp() <= end)
        return Page(shown, None, tuple(row for row in kalshi.left_out if row.ticker == ticker))

    def _stored_candles(
        self, error: SourceError, ticker: str, start: int, end: int, period_minutes: Period
    ) -> CachedValue[Page[Candle]]:
        """Candles from our own snapshots. Raises `error` where there are none."""
        period = timedelta(minutes=period_minutes)
        first, last = utc_from(start) - max(period, timedelta(hours=1)), utc_from(end)
        try:
            seen = self._breaker.call(POSTGRES, lambda: snapshots_between(self._store(), ticker, first, last))
        except ColiseumError:
            raise error from None
        if not seen:
            raise error
        as_of = seen[-1].at.timestamp()
        candles = candles_from(seen, after=utc_from(start), period=period)
        return CachedValue(
            Page(candles, None), POSTGRES, as_of, max(0.0, self._clock() - as_of), stale=True, error=error
        )


def _markets_of(event: Event, status: Status) -> tuple[MarketData, ...]:
    return tuple(
        market_data(market, event.category) for market in event.markets if market.status in _MARKET_STATUSES[status]
    )


def _after(found: Sequence[MarketData], after: str | None) -> list[MarketData]:
    """The markets behind `after`; all of them where it is no longer in the list."""
    tickers = [market.ticker for market in found]
    return list(found[tickers.index(after) + 1 :]) if after in tickers else list(found)


def _text(place: dict[str, Any], name: str) -> str | None:
    value = place.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInput("cursor", value, "`next_cursor` of the page before")
    return value


def _whole(place: dict[str, Any], name: str, default: int) -> int:
    value = place.get(name, default)
    if not isinstance(value, int):
        raise InvalidInput("cursor", value, "`next_cursor` of the page before")
    return value


def _digest(cursor: str | None) -> str:
    return "" if cursor is None else hashlib.sha256(cursor.encode()).hexdigest()[:16]


def _failure(error: ColiseumError) -> Failure:
    return Failure(
        source=error.source if isinstance(error, SourceError) else KALSHI,
        problem=str(error),
        field=error.field if isinstance(error, SourceMalformed) else None,
    )
