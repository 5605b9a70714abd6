"""An exchange that answers from a recording, as the real one did at the simulated time.

It cannot look ahead, because it reads a row only when the simulated time has reached the time of the row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Literal

from coliseum.arena.replay.recording import RecordedBook, RecordedCandle, RecordedRow
from coliseum.errors import NotFound
from coliseum.trading.events import Event, Series
from coliseum.trading.markets import Candle, Market, OrderBook
from coliseum.trading.pages import Page


class RecordedExchange:
    """The state of the exchange at the simulated time, which only goes forward."""

    def __init__(self, rows: Iterable[RecordedRow]) -> None:
        self._rows: Iterator[RecordedRow] = iter(rows)
        self._next: RecordedRow | None = next(self._rows, None)
        self._series: dict[str, Series] = {}
        self._events: dict[str, Event] = {}
        self._known: dict[str, Market] = {}
        self._tickers: defaultdict[str, list[str]] = defaultdict(list)
        """The markets of each event, in the order in which they were first seen."""
        self._books: dict[str, OrderBook] = {}
        self._candles: defaultdict[str, dict[datetime, Candle]] = defaultdict(dict)
        self._finalized: dict[str, datetime] = {}

    def advance(self, now: datetime) -> tuple[Market, ...]:
        """Read all rows up to `now`. Returns the markets that have become final since, or whose result was amended."""
        final: dict[str, Market] = {}
        while self._next is not None and self._next.at <= now:
            market = self._read(self._next)
            if market is not None:
                final[market.ticker] = market
            self._next = next(self._rows, None)
        return tuple(final.values())

    def _read(self, row: RecordedRow) -> Market | None:
        """Take over one row. Returns the market if it is final."""
        match row.item:
            case Series() as series:
                self._series[series.ticker] = series
            case Event() as event:
                self._events[event.ticker] = event
            case RecordedBook(ticker, book):
                self._books[ticker] = book
            case RecordedCandle(ticker, candle):
                self._candles[ticker][candle.end] = candle
            case Market() as market:
                if market.ticker not in self._known:
                    self._tickers[market.event_ticker].append(market.ticker)
                self._known[market.ticker] = market
                if market.status == "finalized":
                    self._finalized[market.ticker] = row.at
                    return market
        return None

    def finalized_at(self, ticker: str) -> datetime:
        """When the market was last recorded as final."""
        return self._finalized[ticker]

    def book(self, ticker: str) -> OrderBook | None:
        return self._books.get(ticker)

    # -- the calls with which a round is opened; they are those of `kalshi.client.Kalshi`

    def events(self, *, status: Literal["open"], with_markets: bool, limit: int, cursor: str | None) -> Page[Event]:
        """All events with an active market, with all their markets, in one page."""
        events = [
            replace(event, markets=tuple(self._known[name] for name in self._tickers[ticker]))
            for ticker, event in sorted(self._events.items())
            if any(self._known[name].status == "active" for name in self._tickers.get(ticker, ()))
        ]
        return Page(tuple(events), None)

    def markets(self, *, series_ticker: str, status: Literal["settled"], limit: int) -> Page[Market]:
        """The newest final markets of a series, newest first."""
        newest = sorted(
            (
                self._known[ticker]
                for ticker in self._finalized
                if (event := self._events.get(self._known[ticker].event_ticker)) is not None
                and event.series_ticker == series_ticker
            ),
            key=lambda market: (market.close_time, market.ticker),
            reverse=True,
        )
        return Page(tuple(newest[:limit]), None)

    def series(self, series_ticker: str) -> Series:
        if series_ticker not in self._series:
            raise NotFound("series", series_ticker)
        return self._series[series_ticker]

    def candles(
        self, series_ticker: str, ticker: str, *, start: int, end: int, period_minutes: Literal[60]
    ) -> tuple[Candle, ...]:
        return tuple(
            candle for moment, candle in sorted(self._candles[ticker].items()) if start <= moment.timestamp() <= end
        )

    def order_books(self, tickers: Iterable[str]) -> dict[str, OrderBook]:
        return {ticker: self._books[ticker] for ticker in tickers if ticker in self._books}
