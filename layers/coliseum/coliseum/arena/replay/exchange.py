"""A recorded exchange that answers like the real one, at the moment it has been told to.

Look-ahead is impossible by construction: the exchange holds only the rows it has been shown. What was recorded after
its moment is still with whoever shows it the rows.
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
    """What was known of the exchange at a moment. Time only goes forward."""

    def __init__(self, rows: Iterable[RecordedRow]) -> None:
        self._rows: Iterator[RecordedRow] = iter(rows)
        self._next: RecordedRow | None = next(self._rows, None)
        self._series: dict[str, Series] = {}
        self._events: dict[str, Event] = {}
        self._known: dict[str, Market] = {}
        self._tickers: defaultdict[str, list[str]] = defaultdict(list)
        """Event -> its markets in the order of their first sight."""
        self._books: dict[str, OrderBook] = {}
        self._candles: defaultdict[str, dict[datetime, Candle]] = defaultdict(dict)
        self._finalized: dict[str, datetime] = {}

    def advance(self, now: datetime) -> tuple[Market, ...]:
        """Show it everything up to `now`; returns the markets that were seen to be final, new or amended."""
        final: dict[str, Market] = {}
        while self._next is not None and self._next.at <= now:
            market = self._show(self._next)
            if market is not None:
                final[market.ticker] = market
            self._next = next(self._rows, None)
        return tuple(final.values())

    def _show(self, seen: RecordedRow) -> Market | None:
        """Learn one row; a market that is final now comes back."""
        match seen.thing:
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
                    self._finalized[market.ticker] = seen.at
                    return market
        return None

    def finalized_at(self, ticker: str) -> datetime:
        """When a market was last seen to have become final."""
        return self._finalized[ticker]

    def book(self, ticker: str) -> OrderBook | None:
        return self._books.get(ticker)

    # -- what a round asks of an exchange

    def events(self, *, status: Literal["open"], with_markets: bool, limit: int, cursor: str | None) -> Page[Event]:
        """All events that have a market in trade, with their markets, in one page."""
        found = [
            replace(event, markets=tuple(self._known[name] for name in self._tickers[ticker]))
            for ticker, event in sorted(self._events.items())
            if any(self._known[name].status == "active" for name in self._tickers.get(ticker, ()))
        ]
        return Page(tuple(found), None)

    def markets(self, *, series_ticker: str, status: Literal["settled"], limit: int) -> Page[Market]:
        """The series' newest final markets."""
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
