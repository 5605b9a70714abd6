"""Reads paper accounts: ledger, equity curve, decisions with their reasons, and the sources of profit."""

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
from coliseum.arena.paper.account import LedgerRow, PaperLedgerState, replay
from coliseum.arena.paper.records import ledger_row_from
from coliseum.arena.records import public as records
from coliseum.arena.records.public import Table
from coliseum.arena.scoring.money import AccountValue, money_figures
from coliseum.errors import InvalidInput, SourceMalformed
from coliseum.http.field_types import utc_from
from coliseum.store.client import Condition
from coliseum.trading.money import ZERO, optional_decimal
from coliseum.trading.trades import Outcome

CURVE_POINTS = 200
RECENT_DECISIONS = 500


class AccountQueries:
    """Answers about paper accounts, from the public views of the database."""

    def __init__(self, queries: PublicQueries) -> None:
        self._queries = queries

    def accounts(self, filters: Mapping[str, str | None], paging: PageRequest) -> AccountsAnswer:
        """A page of accounts. `filters` by column: season, agent_id, policy."""
        page = self._queries.page("accounts", records.ACCOUNTS, filters, paging)
        return AccountsAnswer(**self._queries.listing(AccountData, page))

    def account(self, account_id: str) -> AccountAnswer:
        """One account; its positions come from replaying the public rows of its ledger.

        Raises NotFound for an unknown account and SourceMalformed for a ledger that contradicts itself.
        """
        where: list[Condition] = [("account_id", "eq", account_id)]
        row = self._queries.one("account", account_id, records.ACCOUNTS, where)
        rows = [ledger_row_from(entry) for entry in self._queries.rows.every(records.LEDGER, where)]
        state = _replayed(rows)
        newest = Table(records.MARKS.view, records.MARKS.columns, ("at.desc",))
        curve = self._queries.rows.page(newest, where=where, limit=CURVE_POINTS)[::-1]
        decisions = self._queries.rows.page(records.PAPER_DECISIONS, where=where, limit=RECENT_DECISIONS)
        return AccountAnswer(
            **self._queries.source_fields(),
            **row,
            ledger_cash=state.cash,
            positions=_positions(state),
            figures=self._figures(where, rows),
            curve=[MarkData(**mark) for mark in curve],
            reasons=dict(Counter(decision["reason"] for decision in decisions).most_common()),
        )

    def _figures(self, where: Sequence[Condition], rows: Sequence[LedgerRow]) -> FiguresData:
        hours = [
            AccountValue(datetime.fromisoformat(mark["at"]), Decimal(mark["cash"]), Decimal(mark["equity"]))
            for mark in self._queries.rows.every(records.HOURS, where)
        ]
        cost = self._queries.rows.one(records.ACCOUNT_COSTS, where)
        figures = money_figures(rows, hours, model_cost=ZERO if cost is None else Decimal(cost["cost_usd"]))
        return FiguresData(**{name: getattr(figures, name) for name in FiguresData.model_fields})

    def ledger(self, account_id: str, paging: PageRequest) -> LedgerAnswer:
        return LedgerAnswer(**self._of_account(LedgerData, "ledger", records.LEDGER, account_id, paging))

    def curve(self, account_id: str, *, since: float | None, paging: PageRequest) -> MarksAnswer:
        where: list[Condition] = [] if since is None else [("at", "gte", utc_from(since))]
        page = self._of_account(MarkData, "curve", records.MARKS, account_id, paging, where=where, since=since)
        return MarksAnswer(**page)

    def paper_decisions(self, account_id: str, *, action: str | None, paging: PageRequest) -> PaperDecisionsAnswer:
        table, where = records.PAPER_DECISIONS, [] if action is None else [_equal("action", action)]
        page = self._of_account(PaperDecisionData, "paper", table, account_id, paging, where=where, action=action)
        return PaperDecisionsAnswer(**page)

    def attribution(self, *, season: str | None, agent: str | None, policy: str | None) -> AttributionAnswer:
        """The attribution of every account that has traded. `season` None: the present one."""
        filters = {"season": season or season_of(utc_from(self._queries.clock())), "agent_id": agent, "policy": policy}
        where = [_equal(name, value) for name, value in filters.items() if value is not None]
        orders = self._queries.rows.every(records.ORDERS, where)
        items = [_attribution(list(rows)) for _, rows in groupby(orders, lambda row: row["account_id"])]
        return AttributionAnswer(items=items, count=len(items), next_cursor=None, **self._queries.source_fields())

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
        self._queries.one("account", account_id, records.ACCOUNTS, [("account_id", "eq", account_id)])
        page = self._queries.page(kind, table, {"account_id": account_id}, paging, where=where, scope=scope)
        return self._queries.listing(shape, page)


def _equal(column: str, value: object) -> Condition:
    return (column, "eq", value)


def _replayed(rows: Sequence[LedgerRow]) -> PaperLedgerState:
    """The state after the last public row. Raises SourceMalformed for a ledger that contradicts itself."""
    try:
        return replay(rows)
    except InvalidInput as error:
        raise SourceMalformed(SOURCE, f"a ledger that cannot be replayed: {error}", field=error.field) from error


def _positions(state: PaperLedgerState) -> list[PositionData]:
    return [
        PositionData(
            ticker=ticker,
            side=position.side.value,
            contracts=position.contracts,
            cost=position.basis,
            average_cost=position.average.quantize(Decimal("0.000001")),
        )
        for ticker, position in sorted(state.positions.items())
    ]


def _attribution(rows: Sequence[records.Row]) -> AttributionData:
    """The parts of the profit of one account, from all its orders."""
    parts = waterfall(
        AttributedOrder(
            side=Outcome(row["side"]),
            contracts=Decimal(row["contracts"]),
            cost=Decimal(row["cost"]),
            fee=Decimal(row["fee"]),
            mid=optional_decimal(row["q"]),
            yes_bid=optional_decimal(row["yes_bid"]),
            yes_ask=optional_decimal(row["yes_ask"]),
            forecast=optional_decimal(row["p"]),
            value=optional_decimal(row["value"]),
        )
        for row in rows
    )
    names = {name: rows[0][name] for name in ("account_id", "agent_id", "policy")}
    return AttributionData(**names, **asdict(parts))
