"""Paper accounts: their books, their worth over time, why they traded or did not, and where the profit comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from coliseum.arena.api.accounts.answers import (
    AccountAnswer,
    AccountData,
    AccountsAnswer,
    AttributionAnswer,
    AttributionData,
    FiguresData,
    LedgerAnswer,
    LedgerData,
    MarkData,
    MarksAnswer,
    PaperDecisionData,
    PaperDecisionsAnswer,
    PositionData,
)
from coliseum.arena.api.accounts.attribution import AttributedOrder, waterfall
from coliseum.arena.api.public.queries import SOURCE, PageRequest, PublicQueries, Shape
from coliseum.arena.calendar import season_of
from coliseum.arena.paper.account import Account, Row, replay
from coliseum.arena.paper.records import row_from
from coliseum.arena.records import public as records
from coliseum.arena.records.public import Table
from coliseum.arena.scoring.money import AccountValue, money_figures
from coliseum.errors import InvalidInput, SourceMalformed
from coliseum.http.field_types import utc_from
from coliseum.store.client import Condition
from coliseum.trading.money import ZERO
from coliseum.trading.trades import Outcome

CURVE_POINTS = 200
RECENT_DECISIONS = 500


class AccountQueries:
    """The paper accounts as the public sees them."""

    def __init__(self, shelf: PublicQueries) -> None:
        self._shelf = shelf

    def accounts(self, filters: Mapping[str, str | None], paging: PageRequest) -> AccountsAnswer:
        """`filters` by column: season, agent_id, policy."""
        page = self._shelf.page("accounts", records.ACCOUNTS, filters, paging)
        return AccountsAnswer(**self._shelf.listed(AccountData, page))

    def account(self, account_id: str) -> AccountAnswer:
        """The books, replayed from the ledger's public rows."""
        mine: list[Condition] = [("account_id", "eq", account_id)]
        row = self._shelf.found("account", account_id, records.ACCOUNTS, mine)
        rows = [row_from(one) for one in self._shelf.rows.every(records.LEDGER, mine)]
        state = _replayed(rows)
        newest = Table(records.MARKS.view, records.MARKS.columns, ("at.desc",))
        curve = self._shelf.rows.page(newest, where=mine, limit=CURVE_POINTS)[::-1]
        decisions = self._shelf.rows.page(records.PAPER_DECISIONS, where=mine, limit=RECENT_DECISIONS)
        return AccountAnswer(
            **self._shelf.stamp(),
            **row,
            ledger_cash=state.cash,
            positions=_positions(state),
            figures=self._figures(mine, rows),
            curve=[MarkData(**mark) for mark in curve],
            reasons=dict(Counter(one["reason"] for one in decisions).most_common()),
        )

    def _figures(self, mine: Sequence[Condition], rows: Sequence[Row]) -> FiguresData:
        hours = [
            AccountValue(datetime.fromisoformat(one["at"]), Decimal(one["cash"]), Decimal(one["equity"]))
            for one in self._shelf.rows.every(records.HOURS, mine)
        ]
        cost = self._shelf.rows.one(records.ACCOUNT_COSTS, mine)
        found = money_figures(rows, hours, model_cost=ZERO if cost is None else Decimal(cost["cost_usd"]))
        return FiguresData(**{name: getattr(found, name) for name in FiguresData.model_fields})

    def ledger(self, account_id: str, paging: PageRequest) -> LedgerAnswer:
        return LedgerAnswer(**self._of_account(LedgerData, "ledger", records.LEDGER, account_id, paging))

    def curve(self, account_id: str, *, since: float | None, paging: PageRequest) -> MarksAnswer:
        where: list[Condition] = [] if since is None else [("at", "gte", utc_from(since))]
        found = self._of_account(MarkData, "curve", records.MARKS, account_id, paging, where=where, since=since)
        return MarksAnswer(**found)

    def paper_decisions(self, account_id: str, *, action: str | None, paging: PageRequest) -> PaperDecisionsAnswer:
        table, where = records.PAPER_DECISIONS, [] if action is None else [_equal("action", action)]
        found = self._of_account(PaperDecisionData, "paper", table, account_id, paging, where=where, action=action)
        return PaperDecisionsAnswer(**found)

    def attribution(self, *, season: str | None, agent: str | None, policy: str | None) -> AttributionAnswer:
        """The waterfall of every account that has traded."""
        kept = {"season": season or season_of(utc_from(self._shelf.clock())), "agent_id": agent, "policy": policy}
        where = [_equal(name, value) for name, value in kept.items() if value is not None]
        orders = self._shelf.rows.every(records.ORDERS, where)
        items = [_explained(list(rows)) for _, rows in groupby(orders, lambda row: row["account_id"])]
        return AttributionAnswer(items=items, count=len(items), next_cursor=None, **self._shelf.stamp())

    def _of_account(
        self,
        shape: type[Shape],
        kind: str,
        table: Table,
        account_id: str,
        paging: PageRequest,
        *,
        where: Sequence[Condition] = (),
        **scope: object,
    ) -> dict[str, Any]:
        self._shelf.found("account", account_id, records.ACCOUNTS, [("account_id", "eq", account_id)])
        page = self._shelf.page(kind, table, {"account_id": account_id}, paging, where=where, scope=scope)
        return self._shelf.listed(shape, page)


def _equal(column: str, value: object) -> Condition:
    return (column, "eq", value)


def _replayed(rows: Sequence[Row]) -> Account:
    """The state behind the last public row. Raises SourceMalformed for books that contradict themselves."""
    try:
        return replay(rows)
    except InvalidInput as error:
        raise SourceMalformed(SOURCE, f"a ledger that cannot be replayed: {error}", field=error.field) from error


def _positions(state: Account) -> list[PositionData]:
    return [
        PositionData(
            ticker=ticker,
            side=held.side.value,
            contracts=held.contracts,
            cost=held.basis,
            average_cost=held.average.quantize(Decimal("0.000001")),
        )
        for ticker, held in sorted(state.positions.items())
    ]


def _explained(rows: Sequence[records.Row]) -> AttributionData:
    """The parts of one account's profit."""
    parts = waterfall(
        AttributedOrder(
            side=Outcome(row["side"]),
            contracts=Decimal(row["contracts"]),
            cost=Decimal(row["cost"]),
            fee=Decimal(row["fee"]),
            mid=_decimal(row["q"]),
            yes_bid=_decimal(row["yes_bid"]),
            yes_ask=_decimal(row["yes_ask"]),
            forecast=_decimal(row["p"]),
            value=_decimal(row["value"]),
        )
        for row in rows
    )
    names = {name: rows[0][name] for name in ("account_id", "agent_id", "policy")}
    return AttributionData(**names, **asdict(parts))


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
