"""The account's lists as their routes answer them: settlements, stored trades, resting orders, deposits."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from coliseum.cache.breaker import CircuitBreaker
from coliseum.cache.cache import Cache, CachedValue, CacheSpec, origin_of
from coliseum.cache.freshness import POSITIONS
from coliseum.http.paging import page_and_more
from coliseum.kalshi.client import Kalshi
from coliseum.portfolio.list_answers import (
    DepositsAnswer,
    OrdersAnswer,
    SettlementsAnswer,
    StoredTradesAnswer,
    collateral_of,
    order_data,
    settlement_data,
    stored_trade_data,
    transfer_data,
)
from coliseum.portfolio.list_query import ListQuery
from coliseum.portfolio.orders import BoundOrder, bind_orders
from coliseum.portfolio.records import KALSHI, POSTGRES, TradeKey, select_trades
from coliseum.portfolio.settlements import SettlementHistory
from coliseum.portfolio.summary import failures_from
from coliseum.store.client import Store
from coliseum.trading.markets import ExchangePosition
from coliseum.trading.orders import RestingOrder
from coliseum.trading.transfers import Transfer, TransferKind, net_deposits

_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersState:
    """Resting orders, and the positions that some of them would close, read one after the other."""

    orders: tuple[RestingOrder, ...]
    positions: tuple[ExchangePosition, ...]


_ORDERS = CacheSpec(key="orders", source=KALSHI, tier=POSITIONS, shape=TypeAdapter(OrdersState))


class AccountLists:
    """One per process."""

    def __init__(
        self,
        kalshi: Kalshi,
        store: Callable[[], Store],
        cache: Cache,
        breaker: CircuitBreaker,
        transfers: Callable[[], CachedValue[tuple[Transfer, ...]]],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`store` connects on its first call: its SDK is slow to import. `transfers` are the account's."""
        self._transfers = transfers
        self._kalshi = kalshi
        self._store = store
        self._cache = cache
        self._breaker = breaker
        self._clock = clock
        self._settlements = SettlementHistory(kalshi, store, breaker, clock)

    def settlements(self, query: ListQuery) -> SettlementsAnswer:
        page = self._settlements.page(query)
        items = [settlement_data(settlement, source) for settlement, source in page.rows]
        return SettlementsAnswer(
            items=items,
            count=len(items),
            next_cursor=page.next_cursor,
            failures=failures_from(page.failures),
            **origin_of(page.source, as_of=self._clock(), stale=page.stale),
        )

    def trades(self, query: ListQuery) -> StoredTradesAnswer:
        """Only Postgres has them. Raises SourceError where it fails, InvalidInput for a foreign cursor."""
        place = query.place("trades")
        after = None if place is None else _trade_key(query, place)
        rows = self._breaker.call(
            POSTGRES,
            lambda: select_trades(
                self._store(),
                ticker=query.ticker,
                since=query.since_time,
                until=query.until_time,
                after=after,
                limit=query.limit,
            ),
        )
        items = [stored_trade_data(row) for row in rows]
        following = None
        if len(rows) == query.limit:
            key = rows[-1].key
            following = query.next_cursor("trades", {"at": key.executed_at, "event_id": key.event_id})
        origin = origin_of(POSTGRES, as_of=self._clock())
        return StoredTradesAnswer(items=items, count=len(items), next_cursor=following, **origin)

    def orders(self, query: ListQuery) -> OrdersAnswer:
        """All resting orders come in one reading, so that the totals are those of one moment."""
        place = query.place("orders")
        after = None if place is None else _timed_place(query, place, "order_id")
        served = self._cache.get(_ORDERS, self._fetch_orders)
        positions = {row.ticker: row.position for row in served.value.positions}
        bound = tuple(each for each in bind_orders(served.value.orders, positions) if _asked_for(query, each))
        page, more = page_and_more(bound, _newest_first, after, query.limit)
        at, order_id = _newest_first(page[-1]) if page else (0.0, "")
        return OrdersAnswer(
            items=[order_data(each) for each in page],
            count=len(page),
            next_cursor=query.next_cursor("orders", {"at": at, "order_id": order_id}) if more else None,
            total_orders=len(bound),
            total_collateral=collateral_of(bound),
            failures=failures_from(() if served.error is None else (served.error,)),
            **served.origin(),
        )

    def deposits(self, query: ListQuery) -> DepositsAnswer:
        """Deposits and withdrawals; the sums are those of all pages. Raises SourceError where none are known."""
        place = query.place("deposits")
        after = None if place is None else _timed_place(query, place, "id")
        served = self._transfers()
        rows = [row for row in served.value if query.holds(row.created_at.timestamp())]
        page, more = page_and_more(rows, _newest_transfer, after, query.limit)
        following = dict(zip(("at", "id"), _newest_transfer(page[-1]), strict=True)) if more else None
        deposited = net_deposits(row for row in rows if row.kind is TransferKind.DEPOSIT)
        net = net_deposits(rows)
        return DepositsAnswer(
            items=[transfer_data(row) for row in page],
            count=len(page),
            next_cursor=None if following is None else query.next_cursor("deposits", following),
            deposited=deposited,
            withdrawn=deposited - net,
            net=net,
            failures=failures_from(() if served.error is None else (served.error,)),
            **served.origin(),
        )

    def _fetch_orders(self) -> OrdersState:
        kalshi = self._kalshi.for_seconds(_WAIT_SECONDS)
        orders = kalshi.resting_orders()
        return OrdersState(orders=orders, positions=kalshi.positions() if orders else ())


def _trade_key(query: ListQuery, place: dict[str, Any]) -> TradeKey:
    at, event_id = place.get("at"), place.get("event_id")
    if not isinstance(at, str) or not isinstance(event_id, str):
        raise query.malformed_cursor()
    return TradeKey(at, event_id)


def _timed_place(query: ListQuery, place: dict[str, Any], identity: str) -> tuple[float, str]:
    """The sort key of the last row, from a cursor that names its id `identity`."""
    at, row_id = place.get("at"), place.get(identity)
    if not isinstance(at, int | float) or not isinstance(row_id, str):
        raise query.malformed_cursor()
    return float(at), row_id


def _newest_transfer(row: Transfer) -> tuple[float, str]:
    """Sort key."""
    return -row.created_at.timestamp(), row.transfer_id


def _newest_first(bound: BoundOrder) -> tuple[float, str]:
    """Sort key. An order without a time comes first; a cursor holds the key as JSON, which has no infinity."""
    created = bound.order.created_at
    return (-1e18 if created is None else -created.timestamp()), bound.order.order_id


def _asked_for(query: ListQuery, bound: BoundOrder) -> bool:
    order = bound.order
    if query.ticker not in {None, order.ticker}:
        return False
    # An order without a time is shown wherever no time is asked for.
    if order.created_at is None:
        return query.since is None and query.until is None
    return query.holds(order.created_at.timestamp())
