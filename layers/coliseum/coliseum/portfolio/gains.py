"""Profit by group and lots, as their routes answer them: read from the kept books, page by page."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from coliseum.cache.cache import origin_of
from coliseum.errors import ColiseumError
from coliseum.http.paging import Place, page_and_more
from coliseum.portfolio.account import ExchangeAccount
from coliseum.portfolio.booked_history import BookedHistory
from coliseum.portfolio.gain_answers import (
    NOTICE,
    LotsAnswer,
    PnlAnswer,
    lot_data,
    pnl_data,
    unmatched_data,
)
from coliseum.portfolio.ledger import Booking
from coliseum.portfolio.list_query import ListQuery
from coliseum.portfolio.lots import Lot, LotBook
from coliseum.portfolio.market_groups import MarketGroups
from coliseum.portfolio.pnl import (
    UNKNOWN,
    Gains,
    PnlGroup,
    Strategies,
    group_gains,
    regroup,
    series_of,
)
from coliseum.portfolio.pnl_rows import OpenPositions, pnl_rows, pnl_totals
from coliseum.portfolio.positions import PortfolioPosition
from coliseum.portfolio.records import KALSHI, POSTGRES
from coliseum.portfolio.summary import failures_from
from coliseum.trading.money import ZERO

_OF_NO_DAY = OpenPositions(unknown="unrealised profit is of now and belongs to no day")
LotStatus = Literal["all", "closed", "open"]


@dataclass(slots=True)
class GroupedGains:
    """The sums of each group, how positions are grouped alike, and what could not be asked."""

    gains: dict[str, Gains]
    group_position: Callable[[PortfolioPosition], str] | None
    failures: tuple[ColiseumError, ...] = ()


class AccountGains:
    """One per process."""

    def __init__(
        self,
        account: ExchangeAccount,
        groups: MarketGroups,
        strategies: Callable[[], Strategies],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`strategies` reads which strategy made which trade; it raises SourceError where that is not known now."""
        self._account = account
        self._groups = groups
        self._strategies = strategies
        self._clock = clock

    def pnl(self, query: ListQuery, *, by: PnlGroup, zone: ZoneInfo) -> PnlAnswer:
        """Raises SourceUnavailable while the books are loading, InvalidInput for a foreign cursor."""
        kind = f"pnl:{by}:{zone.key}"
        place = query.place(kind)
        after = None if place is None else _pnl_place(query, by, place)
        history = self._account.booked_history(keep_positions=True)
        positions, failures = self._open_positions(query)
        grouped = self._grouped(query, by, zone, history, positions.positions)
        held = OpenPositions(positions=positions.positions, group=grouped.group_position, unknown=positions.unknown)
        doubts = history.doubts(query.ticker)
        in_rows = _OF_NO_DAY if by is PnlGroup.DAY else held
        rows = pnl_rows(grouped.gains, in_rows, doubts)
        page, more = page_and_more(rows, lambda row: _pnl_key(by, row.group), after, query.limit)
        return PnlAnswer(
            by=by.value,
            time_zone=zone.key,
            items=[pnl_data(row) for row in page],
            count=len(page),
            next_cursor=query.next_cursor(kind, {"group": page[-1].group}) if more else None,
            totals=pnl_data(pnl_totals(grouped.gains.values(), held, doubts)),
            failures=failures_from((*history.failures, *failures, *grouped.failures)),
            **self._origin(history),
        )

    def lots(self, query: ListQuery, *, status: LotStatus) -> LotsAnswer:
        """Raises SourceUnavailable while the books are loading, InvalidInput for a foreign cursor.

        All bookings are read for every page, since only the whole history says which contracts were the first. Only
        the page and the open lots are held in memory.
        """
        kind = f"lots:{status}"
        place = query.place(kind)
        after = None if place is None else _lot_place(query, place)
        history = self._account.booked_history()
        sums = LotSums(query=query, status=status)
        found = heapq.nsmallest(
            query.limit + 1,
            (row for row in sums.each(history.standing(ticker=query.ticker)) if after is None or row[0] > after),
            key=lambda row: row[0],
        )
        more, page = len(found) > query.limit, found[: query.limit]
        return LotsAnswer(
            notice=NOTICE,
            items=[lot_data(lot) for _, lot in page],
            count=len(page),
            next_cursor=query.next_cursor(kind, {"place": list(page[-1][0])}) if more else None,
            total_lots=sums.lots,
            total_gain=sums.gain,
            total_open_cost=sums.open_cost,
            unmatched=[unmatched_data(each) for each in sums.book.unmatched if query.holds(each.at)],
            reasons=list(history.doubts(query.ticker).all),
            failures=failures_from(history.failures),
            **self._origin(history),
        )

    def _open_positions(self, query: ListQuery) -> tuple[OpenPositions, tuple[ColiseumError, ...]]:
        """The positions of now, or why they do not belong to what is asked for."""
        if query.until is not None and query.until <= self._clock():
            return OpenPositions(unknown="unrealised profit is of now, and the span ends before"), ()
        try:
            account = self._account.positions()
        except ColiseumError as error:
            return OpenPositions(unknown="the open positions are unknown"), (error,)
        asked = tuple(each for each in account.positions if query.ticker in {None, each.ticker})
        return OpenPositions(positions=asked), account.failures

    def _grouped(
        self,
        query: ListQuery,
        by: PnlGroup,
        zone: ZoneInfo,
        history: BookedHistory,
        positions: Iterable[PortfolioPosition],
    ) -> GroupedGains:
        if by is PnlGroup.STRATEGY:
            return self._by_strategy(history.bookings(since=query.since, until=query.until, ticker=query.ticker))
        zone_of_days = zone if by is PnlGroup.DAY else None
        named = history.gains(zone=zone_of_days, since=query.since, until=query.until, ticker=query.ticker)
        if by is PnlGroup.DAY:
            return GroupedGains({each.name: each.gains for each in named}, None)
        events = {each.ticker: each.event_ticker for each in positions if each.event_ticker is not None}
        events |= {each.name: each.event_ticker for each in named if each.event_ticker is not None}
        markets = {each.name: each.gains for each in named}
        name, failures = self._names(by, markets.keys() | {each.ticker for each in positions}, events)
        return GroupedGains(regroup(markets, name), lambda position: name(position.ticker), failures)

    def _by_strategy(self, bookings: Iterable[Booking]) -> GroupedGains:
        failures: tuple[ColiseumError, ...] = ()
        try:
            strategies = self._strategies()
        except ColiseumError as error:
            strategies, failures = Strategies(by_trade={}, by_ticker={}), (error,)
        gains = group_gains(bookings, strategies.of)
        return GroupedGains(gains, lambda position: strategies.of_market(position.ticker), failures)

    def _names(
        self, by: PnlGroup, tickers: Iterable[str], events: dict[str, str]
    ) -> tuple[Callable[[str], str], tuple[ColiseumError, ...]]:
        """The function from a market's ticker to its group."""
        if by is PnlGroup.MARKET:
            return (lambda ticker: ticker), ()
        if by is PnlGroup.SERIES:
            return series_of, ()
        if by is PnlGroup.CATEGORY:
            categories, failures = self._groups.categories(series_of(ticker) for ticker in tickers)
            return (lambda ticker: categories.get(series_of(ticker)) or UNKNOWN), failures
        asked, failures = self._groups.events(ticker for ticker in tickers if ticker not in events)
        known = asked | events
        return (lambda ticker: known.get(ticker, UNKNOWN)), failures

    def _origin(self, history: BookedHistory) -> dict[str, Any]:
        stale = bool(history.failures)
        return origin_of(POSTGRES if stale else KALSHI, as_of=self._clock(), stale=stale)


@dataclass(slots=True, kw_only=True)
class LotSums:
    """The sums over the lots that are asked for. `each` may be read once; the sums are right once it has ended."""

    query: ListQuery
    status: LotStatus
    book: LotBook = field(default_factory=LotBook)
    lots: int = 0
    gain: Decimal | None = ZERO
    """None as soon as one closed lot has no known gain."""
    open_cost: Decimal = ZERO

    def each(self, bookings: Iterable[Booking]) -> Iterator[tuple[Place, Lot]]:
        """Every lot that is asked for, with its place in the list: lots as they were at `until`, or as they are now."""
        for number, lot in enumerate(self._every(bookings)):
            closing, opening = lot.closing, lot.opening
            if closing is not None:
                place: Place = (0, closing.at, lot.ticker, number)
                wanted = self.status != "open" and self.query.holds(closing.at)
            else:
                at = 0.0 if opening is None else opening.at
                place = (1, at, lot.ticker, number)
                wanted = self.status != "closed" and self.query.holds(at)
            if wanted:
                self._count(lot)
                yield place, lot

    def _every(self, bookings: Iterable[Booking]) -> Iterator[Lot]:
        until = self.query.until
        for booking in bookings:
            if until is None or booking.at < until:
                yield from self.book.take(booking)
        yield from self.book.open_lots()

    def _count(self, lot: Lot) -> None:
        self.lots += 1
        if lot.closing is None:
            self.open_cost += ZERO if lot.opening is None else lot.opening.cost + lot.opening.fees
        elif lot.gain is None or self.gain is None:
            self.gain = None
        else:
            self.gain += lot.gain


def _pnl_key(by: PnlGroup, group: str) -> Place:
    """Days newest first, all else by name."""
    return (-date.fromisoformat(group).toordinal(),) if by is PnlGroup.DAY else (group,)


def _pnl_place(query: ListQuery, by: PnlGroup, place: dict[str, Any]) -> Place:
    try:
        return _pnl_key(by, str(place["group"]))
    except (KeyError, ValueError):
        raise query.malformed_cursor() from None


def _lot_place(query: ListQuery, place: dict[str, Any]) -> Place:
    parts = place.get("place")
    match parts:
        case [int(), int() | float(), str(), int()]:
            return tuple(parts)
        case _:
            raise query.malformed_cursor()
