"""The account's settlements, newest first: the exchange's live tier, then what was kept in Postgres.

The exchange lists only settlements of its live tier, which reaches about two months back. The poller writes every
settlement that it sees to Postgres. So a list begins on the exchange and goes on in Postgres, behind the oldest
settlement that the exchange listed. Where the exchange does not answer, Postgres alone serves it, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from coliseum.cache.breaker import CircuitBreaker
from coliseum.errors import ColiseumError, InvalidInput, SourceError
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.list_query import ListQuery
from coliseum.portfolio.records import KALSHI, POSTGRES, StoredSettlement, select_settlements
from coliseum.store.client import Store
from coliseum.trading.markets import Settlement

_KIND = "settlements"
_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementPlace:
    """Where a page ended. The field names are part of the cursors that clients hold.

    On the exchange `cursor` is its own cursor, and `at` the last row's time: if the exchange fails before the next
    page, Postgres goes on from that moment. In Postgres `ticker` is the last row's, None where the page before was the
    exchange's last.
    """

    at: str | None = None
    """RFC 3339."""
    cursor: str | None = None
    ticker: str | None = None
    live: bool = False
    """True while the exchange's pages go on."""

    @classmethod
    def parse(cls, query: ListQuery) -> SettlementPlace | None:
        """None on the first page. Raises InvalidInput for a cursor that this list did not issue."""
        place = query.place(_KIND)
        if place is None:
            return None
        try:
            parsed = cls(**place)
            if parsed.at is not None:
                datetime.fromisoformat(parsed.at)
        except (TypeError, ValueError):
            raise query.malformed_cursor() from None
        return parsed

    def text(self, query: ListQuery) -> str:
        return query.next_cursor(_KIND, {name: getattr(self, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementPage:
    """Settlements, newest first, each with its source, and the sources that failed."""

    rows: tuple[tuple[Settlement, str], ...]
    source: str
    stale: bool
    next_cursor: str | None
    failures: tuple[ColiseumError, ...] = ()


class SettlementHistory:
    """One per process."""

    def __init__(
        self,
        kalshi: Kalshi,
        store: Callable[[], Store],
        breaker: CircuitBreaker,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kalshi = kalshi
        self._store = store
        self._breaker = breaker
        self._clock = clock

    def page(self, query: ListQuery) -> SettlementPage:
        """One page. Raises InvalidInput for a wrong or expired cursor, SourceError where no source answers."""
        place = SettlementPlace.parse(query)
        if place is not None and not place.live:
            return self._kept(query, place, stale=False)
        try:
            return self._live(query, place)
        except SourceError as error:
            # A page may have ended within a moment, so all of that moment is shown again rather than a part lost.
            moment = None if place is None else place.at
            try:
                page = self._kept(query, SettlementPlace(at=moment), stale=True, inclusive=True)
            except ColiseumError as second:
                raise error from second
            return SettlementPage(
                rows=page.rows, source=page.source, stale=True, next_cursor=page.next_cursor, failures=(error,)
            )

    def _live(self, query: ListQuery, place: SettlementPlace | None) -> SettlementPage:
        """A page of the exchange; what it has room for after the exchange's last row comes from Postgres."""
        page = self._breaker.call(
            KALSHI,
            lambda: self._kalshi.for_seconds(_WAIT_SECONDS).settlements(
                ticker=query.ticker,
                since=query.exchange_since,
                until=query.exchange_until,
                limit=query.limit,
                cursor=None if place is None else place.cursor,
            ),
        )
        at = None if place is None else place.at
        if at is not None and page.items and page.items[0].settled_at > datetime.fromisoformat(at):
            # The exchange answers a cursor that it has forgotten with the first page, without an error.
            raise InvalidInput("cursor", "an expired one", "a cursor the exchange still knows; begin again without one")
        rows = tuple((row, KALSHI) for row in page.items if query.holds(row.settled_at.timestamp()))
        last = page.items[-1].settled_at.isoformat() if page.items else at
        if page.cursor is not None:
            following = SettlementPlace(at=last, cursor=page.cursor, live=True).text(query)
            return SettlementPage(rows=rows, source=KALSHI, stale=False, next_cursor=following)
        return self._with_kept(query, rows, last)

    def _with_kept(
        self, query: ListQuery, rows: tuple[tuple[Settlement, str], ...], last: str | None
    ) -> SettlementPage:
        """The exchange's last rows, then Postgres' older ones. Without Postgres the rows alone, and the failure."""
        room = query.limit - len(rows)
        behind = SettlementPlace(at=last)
        if not room:
            return SettlementPage(rows=rows, source=KALSHI, stale=False, next_cursor=behind.text(query))
        try:
            kept = self._kept(query, behind, stale=False, limit=room)
        except ColiseumError as error:
            return SettlementPage(
                rows=rows, source=KALSHI, stale=False, next_cursor=behind.text(query), failures=(error,)
            )
        return SettlementPage(rows=rows + kept.rows, source=KALSHI, stale=False, next_cursor=kept.next_cursor)

    def _kept(
        self,
        query: ListQuery,
        place: SettlementPlace,
        *,
        stale: bool,
        inclusive: bool = False,
        limit: int | None = None,
    ) -> SettlementPage:
        """A page of Postgres behind `place`; with `inclusive` the rows of its moment come as well."""
        size = limit or query.limit
        rows = self._breaker.call(
            POSTGRES,
            lambda: select_settlements(
                self._store(),
                ticker=query.ticker,
                since=query.since_time,
                until=query.until_time,
                at=place.at,
                behind=place.ticker,
                inclusive=inclusive,
                limit=size,
            ),
        )
        return SettlementPage(
            rows=tuple((row.settlement, POSTGRES) for row in rows),
            source=POSTGRES,
            stale=stale,
            next_cursor=_kept_cursor(query, rows, size),
        )


def _kept_cursor(query: ListQuery, rows: list[StoredSettlement], size: int) -> str | None:
    if len(rows) < size:
        return None
    last = rows[-1]
    return SettlementPlace(at=last.at, ticker=last.settlement.ticker).text(query)
