"""What only the account's owner may ask: money, positions, fills, settlements, orders. Signed. Pure.

Balance and positions are the exchange's for subaccount 0 unless told otherwise, fills for all of them: `subaccount`
is therefore always sent, or the totals would not agree. `since` and `until` are unix seconds.
"""

from __future__ import annotations

from typing import Literal, Unpack

from coliseum.kalshi import parse, rows, wire
from coliseum.kalshi.pacing import Lane
from coliseum.kalshi.public import PublicCalls
from coliseum.kalshi.query import MAX_LIMIT, Paged, Query, Span, maybe_ticker, page, paged, window
from coliseum.kalshi.request import all_pages, page_of
from coliseum.kalshi.retry import Steps
from coliseum.trading.exchange import AccountLimits
from coliseum.trading.markets import Balance, ExchangePosition, Settlement
from coliseum.trading.orders import Order
from coliseum.trading.pages import Page
from coliseum.trading.trades import Fill

SettlementFilter = Literal["unsettled", "settled", "all"]
OrderFilter = Literal["resting", "canceled", "executed"]


class OwnSpan(Span, total=False):
    """What of a list of the account's own is asked for; subaccount 0 unless told otherwise."""

    ticker: str | None
    subaccount: int


class OwnPage(OwnSpan, Paged, total=False):
    """One page of it."""


class Calls(PublicCalls):
    """Everything that can be asked of the exchange."""

    def balance(self, *, subaccount: int = 0) -> Steps[Balance]:
        """The account's money. The exchange answers this once a second at most."""
        query: Query = {"subaccount": subaccount}
        return self._ask("/portfolio/balance", wire.Balance, parse.balance_from, query=query, lane=Lane.BALANCE)

    def account_limits(self) -> Steps[AccountLimits]:
        """The account's tier and its token buckets."""
        return self._ask("/account/limits", wire.LimitsDocument, parse.limits_from, lane=Lane.READ)

    def positions(
        self, *, settlement_status: SettlementFilter = "unsettled", subaccount: int = 0
    ) -> Steps[tuple[ExchangePosition, ...]]:
        """All positions; settled ones only where asked for."""
        filters: Query = {"settlement_status": settlement_status, "subaccount": subaccount}

        def words(body: wire.PositionsDocument) -> Page[ExchangePosition]:
            return page_of(body.market_positions, parse.position_from, body.cursor)

        def one(cursor: str | None) -> Steps[Page[ExchangePosition]]:
            query: Query = {**page(MAX_LIMIT, cursor), **filters}
            return self._ask("/portfolio/positions", wire.PositionsDocument, words, query=query, lane=Lane.READ)

        return all_pages(one, identity=lambda position: position.ticker, endpoint="/portfolio/positions")

    def fills(self, **asked: Unpack[OwnPage]) -> Steps[Page[Fill]]:
        """One page of the account's fills, newest first, from the live tier."""
        return self._fills("/portfolio/fills", _own_page(asked))

    def historical_fills(self, **asked: Unpack[OwnPage]) -> Steps[Page[Fill]]:
        """One page of the account's fills, newest first, from the historical tier."""
        return self._fills("/historical/fills", _own_page(asked))

    def all_fills(
        self,
        *,
        ticker: str | None = None,
        since: int | None = None,
        until: int | None = None,
        subaccount: int = 0,
    ) -> Steps[tuple[Fill, ...]]:
        """Every fill of the window from both tiers, each once, newest first.

        The live tier is read first: a fill that moves to the historical tier meanwhile is then seen twice, never lost.
        """
        filters = _own({"ticker": ticker, "since": since, "until": until, "subaccount": subaccount})
        found = yield from self.every_fill("/portfolio/fills", filters)
        cutoff = yield from self.historical_cutoff()
        if since is None or since <= cutoff.trades_created.timestamp():
            found += yield from self.every_fill("/historical/fills", filters)
        once = {fill.fill_id: fill for fill in reversed(found)}
        return tuple(sorted(once.values(), key=lambda fill: (fill.timestamp, fill.fill_id), reverse=True))

    def every_fill(self, endpoint: str, filters: Query) -> Steps[tuple[Fill, ...]]:
        """All pages of one tier of fills, newest first."""

        def one(cursor: str | None) -> Steps[Page[Fill]]:
            return self._fills(endpoint, {**page(MAX_LIMIT, cursor), **filters})

        return all_pages(one, identity=lambda fill: fill.fill_id, endpoint=endpoint)

    def _fills(self, endpoint: str, query: Query) -> Steps[Page[Fill]]:
        def words(body: wire.FillsDocument) -> Page[Fill]:
            return page_of(body.fills, lambda row: parse.fill_from(row, endpoint=f"GET {endpoint}"), body.cursor)

        return self._ask(endpoint, wire.FillsDocument, words, quick=rows.fills_page, query=query, lane=Lane.READ)

    def settlements(self, *, event_ticker: str | None = None, **asked: Unpack[OwnPage]) -> Steps[Page[Settlement]]:
        """One page of settled positions, newest first; the historical tier keeps none."""
        query: Query = {**_own_page(asked), **maybe_ticker("event_ticker", event_ticker)}

        def words(body: wire.SettlementsDocument) -> Page[Settlement]:
            return page_of(body.settlements, parse.settlement_from, body.cursor)

        return self._ask("/portfolio/settlements", wire.SettlementsDocument, words, query=query, lane=Lane.READ)

    def all_settlements(self, *, since: int | None = None, subaccount: int = 0) -> Steps[tuple[Settlement, ...]]:
        """Every settlement of the window, newest first; a market that was determined anew has several."""

        def one(cursor: str | None) -> Steps[Page[Settlement]]:
            return self.settlements(since=since, limit=MAX_LIMIT, cursor=cursor, subaccount=subaccount)

        def identity(row: Settlement) -> str:
            return f"{row.ticker} {row.settled_at.isoformat()} {row.result} {row.revenue}"

        return all_pages(one, identity=identity, endpoint="/portfolio/settlements")

    def orders(self, *, status: OrderFilter | None = None, **asked: Unpack[OwnPage]) -> Steps[Page[Order]]:
        """One page of orders; finished ones leave the live tier after about two weeks."""
        return self._orders("/portfolio/orders", {**_own_page(asked), "status": status})

    def historical_orders(self, **asked: Unpack[OwnPage]) -> Steps[Page[Order]]:
        """One page of finished orders that left the live tier."""
        return self._orders("/historical/orders", _own_page(asked))

    def _orders(self, endpoint: str, query: Query) -> Steps[Page[Order]]:
        def words(body: wire.OrdersDocument) -> Page[Order]:
            return page_of(body.orders, lambda row: parse.order_from(row, endpoint=f"GET {endpoint}"), body.cursor)

        return self._ask(endpoint, wire.OrdersDocument, words, query=query, lane=Lane.READ)


def _own(asked: OwnSpan) -> Query:
    filters = maybe_ticker("ticker", asked.get("ticker"))
    return {**window(asked), **filters, "subaccount": asked.get("subaccount", 0)}


def _own_page(asked: OwnPage) -> Query:
    return {**paged(asked, form=OwnPage), **_own(asked)}
