"""Calls that need no key: the exchange's state, markets, order books, events, series, candles. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

from coliseum.errors import InvalidInput, NotFound
from coliseum.kalshi import parse, wire
from coliseum.kalshi.query import (
    MAX_DEPTH,
    MAX_EVENTS,
    Query,
    bounded,
    comma_list,
    maybe_ticker,
    page,
)
from coliseum.kalshi.request import Requester, page_of
from coliseum.kalshi.retry import Steps
from coliseum.trading.events import Event, Series
from coliseum.trading.exchange import ExchangeStatus, HistoricalCutoff
from coliseum.trading.markets import Candle, Market, OrderBook, ticker_from
from coliseum.trading.pages import Page

MarketFilter = Literal["unopened", "open", "paused", "closed", "settled"]
"""Values of the `status` filter. The markets in the answers have other values."""
EventFilter = Literal["unopened", "open", "closed", "settled"]
Period = Literal[1, 60, 1440]

MAX_BOOKS = 100
MAX_CANDLES = 5000


class PublicCalls(Requester):
    """Calls that need no key."""

    def exchange_status(self) -> Steps[ExchangeStatus]:
        """Open or not. In an outage the same body comes with an error status and is read too."""
        outage = frozenset({500, 503, 504})
        return self._get("/exchange/status", wire.WireExchangeStatus, parse.status_from, also_read=outage)

    def historical_cutoff(self) -> Steps[HistoricalCutoff]:
        """The times at which the live tier begins."""
        return self._get("/historical/cutoff", wire.CutoffDocument, parse.cutoff_from)

    def markets(
        self,
        *,
        status: MarketFilter | None = None,
        event_ticker: str | None = None,
        series_ticker: str | None = None,
        tickers: Iterable[str] = (),
        min_close: int | None = None,
        max_close: int | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Steps[Page[Market]]:
        """One page of live markets, without the combination markets that would fill most pages.

        `min_close` and `max_close` (unix seconds) are allowed without a status or with `closed`.
        """
        query: Query = {
            **page(limit, cursor),
            **maybe_ticker("event_ticker", event_ticker),
            **maybe_ticker("series_ticker", series_ticker),
            **comma_list("tickers", tickers),
            "status": status,
            "min_close_ts": min_close,
            "max_close_ts": max_close,
            "mve_filter": "exclude",
        }
        return self._markets("/markets", query)

    def historical_markets(
        self,
        *,
        event_ticker: str | None = None,
        series_ticker: str | None = None,
        tickers: Iterable[str] = (),
        limit: int = 100,
        cursor: str | None = None,
    ) -> Steps[Page[Market]]:
        """One page of archived markets."""
        query: Query = {
            **page(limit, cursor),
            **maybe_ticker("event_ticker", event_ticker),
            **maybe_ticker("series_ticker", series_ticker),
            **comma_list("tickers", tickers),
            "mve_filter": "exclude",
        }
        return self._markets("/historical/markets", query)

    def _markets(self, endpoint: str, query: Query) -> Steps[Page[Market]]:
        def read(body: wire.MarketsDocument) -> Page[Market]:
            return page_of(body.markets, parse.market_from, body.cursor)

        return self._get(endpoint, wire.MarketsDocument, read, query=query, row_by_row=True)

    def market(self, ticker: str) -> Steps[Market]:
        """One market, from the historical tier where it is archived. Raises NotFound."""
        try:
            return (yield from self._market("/markets/{ticker}", ticker))
        except NotFound:
            return (yield from self._market("/historical/markets/{ticker}", ticker))

    def _market(self, endpoint: str, ticker: str) -> Steps[Market]:
        def read(body: wire.MarketDocument) -> Market:
            return parse.market_from(body.market)

        return self._get(endpoint, wire.MarketDocument, read, parts={"ticker": ticker}, missing=("market", ticker))

    def order_book(self, ticker: str, depth: int = 0) -> Steps[OrderBook]:
        """Resting bids of both outcomes, best first; depth 0 is all of them. Raises NotFound."""
        return self._get(
            "/markets/{ticker}/orderbook",
            wire.BookDocument,
            lambda body: parse.book_from(body.orderbook_fp),
            parts={"ticker": ticker},
            query={"depth": bounded("depth", depth, least=0, most=MAX_DEPTH)},
            missing=("market", ticker),
        )

    def order_books(self, tickers: Iterable[str]) -> Steps[dict[str, OrderBook]]:
        """Books by ticker, a hundred a call. A ticker that the exchange does not know is left out."""
        unique = [ticker_from(ticker, field="tickers") for ticker in dict.fromkeys(tickers)]
        books: dict[str, OrderBook] = {}
        for start in range(0, len(unique), MAX_BOOKS):
            books |= yield from self._get(
                "/markets/orderbooks",
                wire.BooksDocument,
                lambda body: {row.ticker: parse.book_from(row.orderbook_fp) for row in body.orderbooks or ()},
                query={"tickers": unique[start : start + MAX_BOOKS]},
                row_by_row=True,
            )
        return books

    def events(
        self,
        *,
        status: EventFilter | None = None,
        series_ticker: str | None = None,
        tickers: Iterable[str] = (),
        with_markets: bool = False,
        min_close: int | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Steps[Page[Event]]:
        """One page of events, with their markets on request."""
        query: Query = {
            **page(limit, cursor, most=MAX_EVENTS),
            **maybe_ticker("series_ticker", series_ticker),
            **comma_list("tickers", tickers),
            "with_nested_markets": with_markets,
            "status": status,
            "min_close_ts": min_close,
        }

        def read(body: wire.EventsDocument) -> Page[Event]:
            return page_of(body.events, lambda row: parse.event_from(row, row.markets), body.cursor)

        return self._get("/events", wire.EventsDocument, read, query=query, row_by_row=True)

    def event(self, event_ticker: str) -> Steps[Event]:
        """One event with its markets. Raises NotFound."""
        return self._get(
            "/events/{event_ticker}",
            wire.EventDocument,
            lambda body: parse.event_from(body.event, body.markets or body.event.markets),
            parts={"event_ticker": event_ticker},
            missing=("event", event_ticker),
            row_by_row=True,
        )

    def series(self, series_ticker: str) -> Steps[Series]:
        """One series with its fee. Raises NotFound."""
        return self._get(
            "/series/{series_ticker}",
            wire.SeriesDocument,
            lambda body: parse.series_from(body.series),
            parts={"series_ticker": series_ticker},
            missing=("series", series_ticker),
            row_by_row=True,
        )

    def candles(
        self, series_ticker: str, ticker: str, *, start: int, end: int, period_minutes: Period
    ) -> Steps[tuple[Candle, ...]]:
        """A market's history, oldest first, from the historical tier where it is archived. Raises NotFound."""
        endpoint = "/series/{series_ticker}/markets/{ticker}/candlesticks"
        parts = {"series_ticker": series_ticker, "ticker": ticker}
        try:
            return (
                yield from self._candles(
                    endpoint, wire.CandlesDocument, parts=parts, start=start, end=end, period_minutes=period_minutes
                )
            )
        except NotFound:
            return (yield from self.historical_candles(ticker, start=start, end=end, period_minutes=period_minutes))

    def historical_candles(
        self, ticker: str, *, start: int, end: int, period_minutes: Period
    ) -> Steps[tuple[Candle, ...]]:
        """An archived market's history, oldest first. Raises NotFound."""
        return self._candles(
            "/historical/markets/{ticker}/candlesticks",
            wire.HistoricalCandlesDocument,
            parts={"ticker": ticker},
            start=start,
            end=end,
            period_minutes=period_minutes,
        )

    def _candles(
        self,
        endpoint: str,
        document: type[wire.CandlesDocument | wire.HistoricalCandlesDocument],
        *,
        parts: Mapping[str, str],
        start: int,
        end: int,
        period_minutes: Period,
    ) -> Steps[tuple[Candle, ...]]:
        """In several calls where the exchange's limit of candles per call demands it."""
        if period_minutes not in {1, 60, 1440}:
            raise InvalidInput("period_minutes", period_minutes, "1, 60 or 1440")
        if start > end:
            raise InvalidInput("start", start, f"at most end, which is {end}")
        candles: dict[datetime, Candle] = {}
        stride = (MAX_CANDLES - 1) * period_minutes * 60
        for first in range(start, end + 1, stride):
            part = yield from self._get(
                endpoint,
                document,
                lambda body: [parse.candle_from(row) for row in body.candlesticks or ()],
                parts=parts,
                query={"start_ts": first, "end_ts": min(end, first + stride), "period_interval": period_minutes},
                missing=("market", parts["ticker"]),
                row_by_row=True,
            )
            candles |= {candle.end: candle for candle in part}
        return tuple(candles[end_time] for end_time in sorted(candles))
