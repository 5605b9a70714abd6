"""Calls of the account's owner, which are signed: money, positions, fills, settlements, orders, transfers. Pure.

A subaccount is sent only where the setting or the caller names one: a key that is locked to a subaccount gets 403 for
any other number. Without it the exchange answers balance and positions for the key's own subaccount, else for 0, but
fills for all of them; `kalshi.subaccounts` keeps the two apart. `since` and `until` are unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Unpack

from coliseum.errors import SourceRefused
from coliseum.kalshi import parse, wire
from coliseum.kalshi.pacing import RateLimit
from coliseum.kalshi.public import PublicCalls
from coliseum.kalshi.query import (
    MAX_LIMIT,
    MAX_TRANSFERS,
    PageRange,
    Query,
    TimeRange,
    maybe_ticker,
    page,
    page_range_query,
    window,
)
from coliseum.kalshi.request import all_pages, page_of
from coliseum.kalshi.retry import Steps
from coliseum.kalshi.subaccounts import PRIMARY
from coliseum.trading.markets import Balance, ExchangePosition, Settlement
from coliseum.trading.orders import RestingOrder
from coliseum.trading.pages import Page
from coliseum.trading.trades import Fill
from coliseum.trading.transfers import Transfer, TransferKind

SettlementFilter = Literal["unsettled", "settled", "all"]
FORBIDDEN = 403


class AccountRange(TimeRange, total=False):
    """Filters of a list of the account's own; the subaccount is the setting's by default."""

    ticker: str | None
    subaccount: int | None


class AccountPage(AccountRange, PageRange, total=False):
    """The same with a page."""


class ExchangeCalls(PublicCalls):
    """All calls: the public ones and those of the account."""

    def balance(self, *, subaccount: int | None = None) -> Steps[Balance]:
        """The account's money. The exchange allows this call once a second."""
        query: Query = {"subaccount": self._subaccount(subaccount)}
        return self._get(
            "/portfolio/balance", wire.WireBalance, parse.balance_from, query=query, limit=RateLimit.BALANCE
        )

    def positions(
        self, *, settlement_status: SettlementFilter = "unsettled", subaccount: int | None = None
    ) -> Steps[tuple[ExchangePosition, ...]]:
        """All positions of the live tier with that status of settlement."""
        filters: Query = {"settlement_status": settlement_status, "subaccount": self._subaccount(subaccount)}
        return self._every_position("/portfolio/positions", filters)

    def historical_positions(self, *, subaccount: int | None = None) -> Steps[tuple[ExchangePosition, ...]]:
        """All settled positions that left the live tier. A settlement's own record does not move there."""
        return self._every_position("/historical/positions", {"subaccount": self._subaccount(subaccount)})

    def _every_position(self, endpoint: str, filters: Query) -> Steps[tuple[ExchangePosition, ...]]:
        def read(body: wire.PositionsDocument) -> Page[ExchangePosition]:
            return page_of(body.market_positions, parse.position_from, body.cursor)

        def get_page(cursor: str | None) -> Steps[Page[ExchangePosition]]:
            query: Query = {**page(MAX_LIMIT, cursor), **filters}
            return self._get(endpoint, wire.PositionsDocument, read, query=query, limit=RateLimit.READ)

        return all_pages(get_page, identity=lambda position: position.ticker, endpoint=endpoint)

    def fills(self, **filters: Unpack[AccountPage]) -> Steps[Page[Fill]]:
        """One page of the account's fills, newest first, from the live tier."""
        return self._fills("/portfolio/fills", self._own_page(filters))

    def historical_fills(self, **filters: Unpack[AccountPage]) -> Steps[Page[Fill]]:
        """One page of the account's fills, newest first, from the historical tier."""
        return self._fills("/historical/fills", self._own_page(filters))

    def all_fills(
        self,
        *,
        ticker: str | None = None,
        since: int | None = None,
        until: int | None = None,
        subaccount: int | None = None,
    ) -> Steps[tuple[Fill, ...]]:
        """Every fill of the window from both tiers, each once, newest first.

        The live tier is read first. A fill that moves to the historical tier in between is then read twice; in the
        other order it would be lost.
        """
        filters = self._own({"ticker": ticker, "since": since, "until": until, "subaccount": subaccount})
        fills = yield from self._every_fill("/portfolio/fills", filters)
        cutoff = yield from self.historical_cutoff()
        if since is None or since <= cutoff.trades_created.timestamp():
            fills += yield from self._every_fill("/historical/fills", filters)
        by_key = {fill.key: fill for fill in reversed(fills)}
        return tuple(sorted(by_key.values(), key=lambda fill: (fill.timestamp, *fill.key), reverse=True))

    def _every_fill(self, endpoint: str, filters: Query) -> Steps[tuple[Fill, ...]]:
        def get_page(cursor: str | None) -> Steps[Page[Fill]]:
            return self._fills(endpoint, {**page(MAX_LIMIT, cursor), **filters})

        return all_pages(get_page, identity=lambda fill: "/".join(fill.key), endpoint=endpoint)

    def _fills(self, endpoint: str, query: Query) -> Steps[Page[Fill]]:
        def read(body: wire.FillsDocument) -> Page[Fill]:
            return page_of(body.fills, lambda row: parse.fill_from(row, endpoint=f"GET {endpoint}"), body.cursor)

        received = yield from self._get(endpoint, wire.FillsDocument, read, query=query, limit=RateLimit.READ)
        numbers = {fill.subaccount for fill in received.items}
        if query.get("subaccount") is None and self._conditions.subaccounts.undecided(numbers):
            yield from self._find_own_subaccount(numbers)
        own = self._conditions.subaccounts.own
        return Page(tuple(fill for fill in received.items if own(fill.subaccount)), received.cursor)

    def _find_own_subaccount(self, numbers: Iterable[int]) -> Steps[None]:
        """Whether the key is locked to one subaccount: then the exchange refuses it the positions of subaccount 0."""
        query: Query = {"limit": 1, "subaccount": PRIMARY}
        path = "/portfolio/positions"
        try:
            yield from self._get(path, wire.PositionsDocument, lambda _: None, query=query, limit=RateLimit.READ)
        except SourceRefused as error:
            if error.status != FORBIDDEN:
                raise
            self._conditions.subaccounts.locked()
        else:
            self._conditions.subaccounts.keep_primary(numbers)

    def settlements(self, **filters: Unpack[AccountPage]) -> Steps[Page[Settlement]]:
        """One page of settled positions, newest first. The historical tier has none."""
        query: Query = self._own_page(filters)

        def read(body: wire.SettlementsDocument) -> Page[Settlement]:
            return page_of(body.settlements, parse.settlement_from, body.cursor)

        return self._get("/portfolio/settlements", wire.SettlementsDocument, read, query=query, limit=RateLimit.READ)

    def all_settlements(
        self, *, since: int | None = None, subaccount: int | None = None
    ) -> Steps[tuple[Settlement, ...]]:
        """Every settlement of the window, newest first. A market whose result was amended has several."""

        def get_page(cursor: str | None) -> Steps[Page[Settlement]]:
            return self.settlements(since=since, limit=MAX_LIMIT, cursor=cursor, subaccount=subaccount)

        def identity(row: Settlement) -> str:
            return f"{row.ticker} {row.settled_at.isoformat()} {row.result} {row.revenue}"

        return all_pages(get_page, identity=identity, endpoint="/portfolio/settlements")

    def resting_orders(
        self, *, ticker: str | None = None, subaccount: int | None = None
    ) -> Steps[tuple[RestingOrder, ...]]:
        """Every order that waits in the book, newest first."""
        filters: Query = {**self._own({"ticker": ticker, "subaccount": subaccount}), "status": "resting"}

        def get_page(cursor: str | None) -> Steps[Page[RestingOrder]]:
            return self._orders({**page(MAX_LIMIT, cursor), **filters})

        return all_pages(get_page, identity=lambda order: order.order_id, endpoint="/portfolio/orders")

    def _orders(self, query: Query) -> Steps[Page[RestingOrder]]:
        def read(body: wire.OrdersDocument) -> wire.OrdersDocument:
            return body

        body = yield from self._get("/portfolio/orders", wire.OrdersDocument, read, query=query, limit=RateLimit.READ)
        rows = [(row, row.subaccount_number or PRIMARY) for row in body.orders or ()]
        numbers = {number for _, number in rows}
        if query.get("subaccount") is None and self._conditions.subaccounts.undecided(numbers):
            yield from self._find_own_subaccount(numbers)
        own = self._conditions.subaccounts.own
        # An order that was filled since the exchange chose the rows no longer rests.
        resting = [row for row, number in rows if own(number) and row.status == "resting"]
        return page_of(resting, parse.order_from, body.cursor)

    def deposits(self) -> Steps[tuple[Transfer, ...]]:
        """All deposits, newest first, of every status. They belong to the member, not to a subaccount."""

        def read(body: wire.DepositsDocument) -> Page[Transfer]:
            return page_of(body.deposits, lambda row: parse.transfer_from(row, TransferKind.DEPOSIT), body.cursor)

        def get_page(cursor: str | None) -> Steps[Page[Transfer]]:
            query: Query = page(MAX_TRANSFERS, cursor)
            return self._get("/portfolio/deposits", wire.DepositsDocument, read, query=query, limit=RateLimit.READ)

        return all_pages(get_page, identity=lambda row: row.transfer_id, endpoint="/portfolio/deposits")

    def withdrawals(self) -> Steps[tuple[Transfer, ...]]:
        """All withdrawals, newest first, of every status."""

        def read(body: wire.WithdrawalsDocument) -> Page[Transfer]:
            return page_of(body.withdrawals, lambda row: parse.transfer_from(row, TransferKind.WITHDRAWAL), body.cursor)

        def get_page(cursor: str | None) -> Steps[Page[Transfer]]:
            query: Query = page(MAX_TRANSFERS, cursor)
            return self._get(
                "/portfolio/withdrawals", wire.WithdrawalsDocument, read, query=query, limit=RateLimit.READ
            )

        return all_pages(get_page, identity=lambda row: row.transfer_id, endpoint="/portfolio/withdrawals")

    def _own(self, filters: AccountRange) -> Query:
        ticker = maybe_ticker("ticker", filters.get("ticker"))
        return {**window(filters), **ticker, "subaccount": self._subaccount(filters.get("subaccount"))}

    def _own_page(self, filters: AccountPage) -> Query:
        return {**page_range_query(filters, form=AccountPage), **self._own(filters)}

    def _subaccount(self, wanted: int | None) -> int | None:
        return self._conditions.subaccounts.number if wanted is None else wanted
