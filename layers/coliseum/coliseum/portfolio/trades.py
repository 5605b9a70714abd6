"""Trades: the account's history from the exchange, and the bot's own list; each with who stands in when it fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

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
from coliseum.portfolio.records import POSTGRES, StoredTrade, select_trades, trades_from_feed
from coliseum.store.client import Store
from coliseum.trading.pages import Page
from coliseum.trading.trades import Fill, Trade

KALSHI = "kalshi"
BOT_LIVE = "bot_live"
_WAIT_SECONDS = 5.0
"""Somebody waits for the answer, and another source may stand in."""
_PAGE = TypeAdapter(Page[Fill])
_FEED_ENTRIES = 1000
"""Entries of the log that are looked through for trades."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillsQuery:
    """What part of the history is asked for."""

    limit: int
    ticker: str | None
    since: float | None
    """Unix seconds, inclusive."""
    cursor: str | None

    @property
    def filters(self) -> dict[str, Any]:
        return {"ticker": self.ticker, "since": self.since}


@dataclass(frozen=True, slots=True, kw_only=True)
class FillsCursor:
    """Where a page ended. The exchange's cursor comes with the last fill, so that Postgres can go on from there."""

    at: str
    """The last trade's time, RFC 3339."""
    event_id: str | None = None
    """Set where the page came from Postgres."""
    cursor: str | None = None
    fill_id: str | None = None

    @classmethod
    def of(cls, query: FillsQuery) -> FillsCursor | None:
        """None on the first page. Raises InvalidInput for a cursor that is not ours."""
        if query.cursor is None:
            return None
        kept = decode_cursor("fills", query.filters, query.cursor)
        texts = {name: value for name, value in kept.items() if name in cls.__slots__ and isinstance(value, str)}
        try:
            place = cls(**texts)
            datetime.fromisoformat(place.at)
        except (TypeError, ValueError):
            raise InvalidInput("cursor", query.cursor, "`next_cursor` of the page before") from None
        return place

    def text(self, query: FillsQuery) -> str:
        kept = {name: getattr(self, name) for name in self.__slots__ if getattr(self, name) is not None}
        return encode_cursor("fills", query.filters, kept)

    @property
    def seconds(self) -> float:
        return datetime.fromisoformat(self.at).timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePage:
    """Trades, newest first, with where they are from and who failed before."""

    trades: tuple[Trade, ...]
    source: str
    as_of: float
    stale: bool
    failures: tuple[ColiseumError, ...] = ()
    next_cursor: str | None = None
    rejected: tuple[RejectedTrade, ...] = ()


class FillHistory:
    """The account's trades: exchange, else the last page it gave us, else what the projection wrote to Postgres."""

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

    def fills(self, query: FillsQuery) -> TradePage:
        """One page. A history begun in Postgres goes on there, so that no trade is shown twice."""
        place = FillsCursor.of(query)
        if place is not None and place.event_id is not None:
            return self._from_postgres(query, place, ())
        try:
            return self._from_exchange(query, place)
        except SourceError as error:
            return self._from_postgres(query, place, (error,))

    def _from_exchange(self, query: FillsQuery, place: FillsCursor | None) -> TradePage:
        ask = partial(
            self._kalshi.for_seconds(_WAIT_SECONDS).fills,
            ticker=query.ticker,
            since=None if query.since is None else int(query.since),
            limit=query.limit,
            cursor=None if place is None else place.cursor,
        )
        served = self._ask(query, ask) if place is None else self._served(self._breaker.call(KALSHI, ask))
        page = served.value
        if place is not None and page.items and page.items[0].timestamp > place.seconds:
            # The exchange answers a cursor it has forgotten with the first page, without a word.
            raise InvalidInput("cursor", "an expired one", "a cursor the exchange still knows; begin again without one")
        since = query.since or 0
        return TradePage(
            trades=tuple(fill.as_trade() for fill in page.items if fill.timestamp >= since),
            source=served.source,
            as_of=served.as_of,
            stale=served.stale,
            failures=() if served.error is None else (served.error,),
            next_cursor=_exchange_cursor(query, page),
        )

    def _ask(self, query: FillsQuery, ask: Callable[[], Page[Fill]]) -> CachedValue[Page[Fill]]:
        """A first page. It is kept only where everybody asks for the same one."""
        if query.since is not None:
            return self._served(self._breaker.call(KALSHI, ask))
        slot = CacheSpec(key=f"fills:{query.ticker or ''}:{query.limit}", source=KALSHI, tier=FILLS, shape=_PAGE)
        return self._cache.get(slot, ask)

    def _served(self, page: Page[Fill]) -> CachedValue[Page[Fill]]:
        return CachedValue(page, KALSHI, self._clock(), 0.0)

    def _from_postgres(
        self, query: FillsQuery, place: FillsCursor | None, failures: tuple[SourceError, ...]
    ) -> TradePage:
        try:
            rows = self._breaker.call(
                POSTGRES,
                lambda: select_trades(
                    self._store(),
                    ticker=query.ticker,
                    since=None if query.since is None else utc_from(query.since),
                    executed_at=None if place is None else place.at,
                    event_id=None if place is None else place.event_id,
                    limit=query.limit,
                ),
            )
        except ColiseumError as error:
            raise failures[0] if failures else error from error
        seen = None if place is None else place.fill_id
        return TradePage(
            trades=tuple(row.trade for row in rows if row.trade.trade_id != seen),
            source=POSTGRES,
            as_of=self._clock(),
            stale=True,
            failures=failures,
            next_cursor=_postgres_cursor(query, rows),
        )


def _exchange_cursor(query: FillsQuery, page: Page[Fill]) -> str | None:
    if page.cursor is None or not page.items:
        return None
    last = page.items[-1]
    return FillsCursor(at=utc_from(last.timestamp).isoformat(), cursor=page.cursor, fill_id=last.fill_id).text(query)


def _postgres_cursor(query: FillsQuery, rows: list[StoredTrade]) -> str | None:
    if len(rows) < query.limit:
        return None
    return FillsCursor(at=rows[-1].executed_at, event_id=rows[-1].event_id).text(query)


class LiveTrades:
    """What the bot has traded: the bot itself, else the feed's memory of it, else the account's fills."""

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
        """The newest trades. Raises SourceUnavailable that names all three where none answers."""
        failures: list[ColiseumError] = []
        for ask in (self._from_bot, self._from_feed, self._from_exchange):
            try:
                found = ask(limit, ticker)
            except ColiseumError as error:
                failures.append(error)
                continue
            chosen = tuple(trade for trade in found.trades if ticker in {None, trade.ticker})[:limit]
            return TradePage(
                trades=chosen,
                source=found.source,
                as_of=found.as_of,
                stale=found.stale,
                failures=tuple(failures),
                rejected=found.rejected,
            )
        raise SourceUnavailable("trades", "nobody answers: " + "; ".join(str(error) for error in failures))

    def _from_bot(self, limit: int, ticker: str | None) -> TradePage:
        told = self._breaker.call("bot", self._bot.trades)
        newest_first = told.trades[::-1]
        return TradePage(trades=newest_first, source=BOT_LIVE, as_of=self._clock(), stale=False, rejected=told.rejected)

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
    """The log's newest entries. Raises SourceUnavailable where there is no log, or nothing was ever published."""
    if feed is None:
        raise SourceUnavailable("redis", "UPSTASH_REDIS_REST_URL is not set")
    state = breaker.call("redis", lambda: feed.latest(count))
    if state.reading.epoch is None:
        raise SourceUnavailable("redis", "nothing was ever published to the feed")
    return state


def last_contact_at(state: FeedState) -> float:
    """When the bot was last heard of, in unix seconds: by the poller's report, else by the newest entry."""
    report = state.heartbeat
    heard = None if report is None else report.bot_ok_at
    return (state.reading.head.ms if heard is None else heard) / 1000
