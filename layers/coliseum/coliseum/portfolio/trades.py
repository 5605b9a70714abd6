"""The account's fills from the exchange, and the bot's own trades; each with the sources that replace a failed one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from pydantic import TypeAdapter

from coliseum.bot.client import Bot
from coliseum.bot.parse import RejectedTrade
from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import CACHE, Cache, CachedValue, CacheSpec
from coliseum.cache.freshness import FILLS
from coliseum.errors import ColiseumError, InvalidInput, SourceError, SourceUnavailable
from coliseum.feed.feed import Feed
from coliseum.feed.protocol import FeedState
from coliseum.http.field_types import utc_from
from coliseum.http.paging import decode_cursor, encode_cursor
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.list_query import ListQuery
from coliseum.portfolio.records import KALSHI, POSTGRES, StoredTrade, TradeKey, select_trades, trades_from_feed
from coliseum.store.client import Store
from coliseum.trading.clocks import seconds_ahead
from coliseum.trading.pages import Page
from coliseum.trading.trades import Fill, Trade

BOT_LIVE = "bot_live"
_WAIT_SECONDS = 5.0
"""How long a request waits for the exchange before the next source is asked."""
_PAGE = TypeAdapter(Page[Fill])
_FEED_ENTRIES = 1000
"""Entries of the log that are searched for trades."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillsCursor:
    """Where a page of fills ended. The field names are part of the cursors that clients hold.

    A page of the exchange sets `cursor` and `fill_id`: if the exchange fails before the next page, Postgres continues
    after the moment `at`, without the fill that was already shown. A page of Postgres sets `event_id`.
    """

    at: str
    """The last trade's time, RFC 3339."""
    event_id: str | None = None
    cursor: str | None = None
    """The exchange's own cursor."""
    fill_id: str | None = None

    @classmethod
    def parse(cls, query: ListQuery) -> FillsCursor | None:
        """None on the first page. Raises InvalidInput for a cursor that this API did not issue."""
        if query.cursor is None:
            return None
        position = decode_cursor("fills", query.filters, query.cursor)
        texts = {name: value for name, value in position.items() if name in cls.__slots__ and isinstance(value, str)}
        try:
            cursor = cls(**texts)
            datetime.fromisoformat(cursor.at)
        except (TypeError, ValueError):
            raise InvalidInput("cursor", query.cursor, "`next_cursor` of the page before") from None
        return cursor

    def text(self, query: ListQuery) -> str:
        position = {name: getattr(self, name) for name in self.__slots__ if getattr(self, name) is not None}
        return encode_cursor("fills", query.filters, position)

    @property
    def seconds(self) -> float:
        """`at` in unix seconds."""
        return datetime.fromisoformat(self.at).timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePage:
    """Trades, newest first, with their source and the sources that failed before it."""

    trades: tuple[Trade, ...]
    source: str
    as_of: float
    """Unix seconds."""
    stale: bool
    failures: tuple[ColiseumError, ...] = ()
    next_cursor: str | None = None
    rejected: tuple[RejectedTrade, ...] = ()


class FillHistory:
    """The account's fills: the exchange, else its last cached page, else what the projection wrote to Postgres."""

    def __init__(
        self,
        kalshi: Kalshi,
        cache: Cache,
        store: Callable[[], Store],
        breaker: CircuitBreaker,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kalshi = kalshi
        self._cache = cache
        self._store = store
        self._breaker = breaker
        self._clock = clock

    def fills(self, query: ListQuery) -> TradePage:
        """One page. Raises InvalidInput for a wrong or expired cursor, SourceError where no source answers."""
        cursor = FillsCursor.parse(query)
        if cursor is not None and cursor.event_id is not None:
            # Paging that began in Postgres stays there, so that no trade is shown twice.
            return self._from_postgres(query, cursor, ())
        try:
            return self._from_exchange(query, cursor)
        except SourceError as error:
            return self._from_postgres(query, cursor, (error,))

    def _from_exchange(self, query: ListQuery, cursor: FillsCursor | None) -> TradePage:
        fetch = partial(
            self._kalshi.for_seconds(_WAIT_SECONDS).fills,
            ticker=query.ticker,
            since=query.exchange_since,
            until=query.exchange_until,
            limit=query.limit,
            cursor=None if cursor is None else cursor.cursor,
        )
        result = self._first_page(query, fetch) if cursor is None else self._uncached(fetch)
        page = result.value
        if cursor is not None and page.items and page.items[0].timestamp > cursor.seconds:
            # The exchange answers a cursor that it has forgotten with the first page, without an error.
            raise InvalidInput("cursor", "an expired one", "a cursor the exchange still knows; begin again without one")
        return TradePage(
            trades=tuple(fill.as_trade() for fill in page.items if query.holds(fill.timestamp)),
            source=result.source,
            as_of=result.as_of,
            stale=result.stale,
            failures=() if result.error is None else (result.error,),
            next_cursor=_exchange_cursor(query, page, before=cursor, now=self._clock()),
        )

    def _first_page(self, query: ListQuery, fetch: Callable[[], Page[Fill]]) -> CachedValue[Page[Fill]]:
        """Cached only without times: most callers send that query, while each time would be a key of its own."""
        if query.since is not None or query.until is not None:
            return self._uncached(fetch)
        spec = CacheSpec(key=f"fills:{query.ticker or ''}:{query.limit}", source=KALSHI, tier=FILLS, shape=_PAGE)
        return self._cache.get(spec, fetch)

    def _uncached(self, fetch: Callable[[], Page[Fill]]) -> CachedValue[Page[Fill]]:
        return CachedValue(self._breaker.call(KALSHI, fetch), KALSHI, self._clock(), 0.0)

    def _from_postgres(
        self, query: ListQuery, cursor: FillsCursor | None, failures: tuple[SourceError, ...]
    ) -> TradePage:
        try:
            rows = self._breaker.call(
                POSTGRES,
                lambda: select_trades(
                    self._store(),
                    ticker=query.ticker,
                    since=query.since_time,
                    until=query.until_time,
                    after=None if cursor is None else TradeKey(cursor.at, cursor.event_id),
                    limit=query.limit,
                ),
            )
        except ColiseumError as error:
            # The exchange's error says more to the caller than that its replacement failed as well.
            raise failures[0] if failures else error from error
        shown = None if cursor is None else cursor.fill_id
        return TradePage(
            trades=tuple(row.trade for row in rows if row.trade.trade_id != shown),
            source=POSTGRES,
            as_of=self._clock(),
            stale=True,
            failures=failures,
            next_cursor=_postgres_cursor(query, rows),
        )


def _exchange_cursor(query: ListQuery, page: Page[Fill], *, before: FillsCursor | None, now: float) -> str | None:
    """None behind the last page. A page may be empty before it: where all of its fills are another subaccount's."""
    if page.cursor is None:
        return None
    if not page.items:
        place = before or FillsCursor(at=utc_from(now).isoformat())
        return replace(place, cursor=page.cursor).text(query)
    last = page.items[-1]
    return FillsCursor(at=utc_from(last.timestamp).isoformat(), cursor=page.cursor, fill_id=last.fill_id).text(query)


def _postgres_cursor(query: ListQuery, rows: list[StoredTrade]) -> str | None:
    if len(rows) < query.limit:
        return None
    last = rows[-1].key
    return FillsCursor(at=last.executed_at, event_id=last.event_id).text(query)


class LiveTrades:
    """The bot's trades: from the bot itself, else from the feed in Redis, else the account's fills."""

    def __init__(
        self,
        bot: Bot,
        feed: Feed | None,
        kalshi: Kalshi,
        breaker: CircuitBreaker,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bot = bot
        self._feed = feed
        self._kalshi = kalshi
        self._breaker = breaker
        self._clock = clock

    def latest(self, *, limit: int, ticker: str | None = None) -> TradePage:
        """The newest trades. Raises SourceUnavailable with the reasons of all three sources where none answers."""
        failures: list[ColiseumError] = []
        for fetch in (self._from_bot, self._from_feed, self._from_exchange):
            try:
                page = fetch(limit, ticker)
            except ColiseumError as error:
                failures.append(error)
                continue
            return TradePage(
                trades=tuple(trade for trade in page.trades if ticker in {None, trade.ticker})[:limit],
                source=page.source,
                as_of=page.as_of,
                stale=page.stale,
                failures=tuple(failures),
                rejected=page.rejected,
            )
        raise SourceUnavailable("trades", "no source answers: " + "; ".join(str(error) for error in failures))

    def _from_bot(self, limit: int, ticker: str | None) -> TradePage:
        answer = self._breaker.call("bot", self._bot.trades)
        now = self._clock()
        newest_first = tuple(
            replace(trade, clock_ahead_seconds=seconds_ahead(trade.timestamp, now=now)) for trade in answer.trades[::-1]
        )
        return TradePage(trades=newest_first, source=BOT_LIVE, as_of=now, stale=False, rejected=answer.rejected)

    def _from_feed(self, limit: int, ticker: str | None) -> TradePage:
        state = read_feed(self._feed, self._breaker, _FEED_ENTRIES)
        trades = trades_from_feed(state.reading.entries)
        return TradePage(trades=trades, source=CACHE, as_of=last_contact_at(state), stale=True)

    def _from_exchange(self, limit: int, ticker: str | None) -> TradePage:
        page = self._breaker.call(
            KALSHI, lambda: self._kalshi.for_seconds(_WAIT_SECONDS).fills(ticker=ticker, limit=limit)
        )
        trades = tuple(fill.as_trade() for fill in page.items)
        return TradePage(trades=trades, source=KALSHI, as_of=self._clock(), stale=False)


def read_feed(feed: Feed | None, breaker: CircuitBreaker, count: int) -> FeedState:
    """The log's newest `count` entries. Raises SourceUnavailable without Redis, or where nothing was published yet."""
    if feed is None:
        raise SourceUnavailable("redis", "UPSTASH_REDIS_REST_URL is not set")
    state = breaker.call("redis", lambda: feed.latest(count))
    if state.reading.epoch is None:
        raise SourceUnavailable("redis", "nothing was ever published to the feed")
    return state


def last_contact_at(state: FeedState) -> float:
    """When the bot answered last, in unix seconds: by the poller's heartbeat, else by the newest entry."""
    answered_ms = None if state.heartbeat is None else state.heartbeat.bot_ok_at
    return (state.reading.head.ms if answered_ms is None else answered_ms) / 1000
