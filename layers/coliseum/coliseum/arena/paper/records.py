"""Reads and writes of the paper accounts' tables: accounts, positions, ledgers, decisions, marks, stops, quotes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from coliseum.arena.forecasts import Track
from coliseum.arena.paper.account import LedgerRow, LedgerRowKind, PaperLedgerState, PaperPosition
from coliseum.arena.paper.sizing import Policy
from coliseum.arena.records.batches import StoreRecords
from coliseum.store.client import Condition
from coliseum.trading.money import decimal_text, optional_decimal, optional_text
from coliseum.trading.trades import Outcome

PRICED_FEES = frozenset({"quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees"})
"""Fee types whose taker formula is published."""


class WriteOutcome(StrEnum):
    """How an attempt to append rows to a ledger ended."""

    WRITTEN = "written"
    REPEATED = "repeated"
    """The same decision had been written before."""
    MOVED = "moved"
    """Another writer was faster: read the account again."""
    SETTLED = "settled"
    """The market has a result, so no position is opened there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperAccount:
    """One contestant's account for a season: it follows the forecasts of one track under one policy."""

    account_id: str
    season: str
    agent_id: str
    policy: Policy
    track: Track
    deposit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPaperPosition:
    """An open position and the last known state of its market, from which limits and marks are computed."""

    position: PaperPosition
    event_ticker: str
    category: str
    bid: Decimal | None
    """The best bid for the held side; None without a bid."""
    multiplier: Decimal | None
    """Factor of the taker fee; None where the fee is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSnapshot:
    """An account with everything that a trading decision needs. All money in dollars."""

    account: PaperAccount
    state: PaperLedgerState
    open_positions: Mapping[str, OpenPaperPosition]
    """By ticker."""
    peak: Decimal | None
    """The highest equity since the last drawdown stop; None where there is no mark since."""
    day_start: Decimal | None
    """The last equity before today; None on the first day."""
    stopped: bool
    """The account may only reduce its positions today."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A ledger row, when it happened, and the round that caused it."""

    row: LedgerRow
    at: datetime
    round_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSettlement:
    """A position whose market has a result that the account has not been paid for.

    `paid` is the settlement row of an older version of the result, which is to be reversed first.
    """

    account_id: str
    ticker: str
    version: int
    value: Decimal
    """Dollars per YES contract."""
    paid: LedgerRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperDecision:
    """What an account did with a forecast, and why. Without a trade `side` and the numbers are None."""

    decision_id: str
    account_id: str
    reason: str
    side: Outcome | None
    contracts: Decimal | None
    average_price: Decimal | None
    fee: Decimal | None


@dataclass(frozen=True, slots=True)
class EquityMark:
    """An account's value at one time, in dollars. `equity` is cash plus positions at their bid after the fee."""

    at: datetime
    cash: Decimal
    equity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStop:
    """A UTC day on which an account may only reduce. `reason` is daily_loss or drawdown.

    `equity` was compared with `reference`: the equity at the day's start, or the highest equity.
    """

    account_id: str
    day: date
    reason: str
    equity: Decimal
    reference: Decimal


_ACCOUNT = (
    "account_id,season,agent_id,policy,track,deposit::text,seq,cash::text,deposits::text,realized::text,fees::text,"
    "peak::text,day_start::text,stopped"
)
_POSITION = "account_id,ticker,side,contracts::text,basis::text,event_ticker,category,terms,yes_bid::text,yes_ask::text"
_ROW = "seq,key,kind,ticker,side,contracts::text,price::text,cash::text,realized::text"
_DUE = "account_id,ticker,version,value::text,seq,key,side,contracts::text,price::text,cash::text,realized::text"
_DECISION = "decision_id,account_id,reason,side,contracts::text,average_price::text,fee::text"


class PaperRecords(StoreRecords):
    """Reads and writes of the paper accounts' tables."""

    def accounts(
        self,
        *,
        season: str | None = None,
        agent_id: str | None = None,
        track: Track | None = None,
        account_ids: Sequence[str] | None = None,
    ) -> tuple[AccountSnapshot, ...]:
        """Accounts that match all given conditions. Positions of all accounts come in a second read, not one each."""
        where = _conditions(season=season, agent_id=agent_id, track=None if track is None else track.value)
        rows = self._by_accounts("arena_account_books", _ACCOUNT, where, account_ids, order=("account_id",))
        ids = [row["account_id"] for row in rows]
        positions: dict[str, dict[str, OpenPaperPosition]] = {}
        for row in self._by_accounts("arena_held", _POSITION, [], ids, order=("account_id", "ticker")):
            positions.setdefault(row["account_id"], {})[row["ticker"]] = _open_position(row)
        return tuple(_account(row, positions.get(row["account_id"], {})) for row in rows)

    def append_rows(
        self,
        account_id: str,
        rows: Sequence[LedgerRow],
        *,
        after: int,
        at: datetime,
        round_id: str | None = None,
        decision: PaperDecision | None = None,
    ) -> WriteOutcome:
        """Append rows and the decision that explains them in one transaction.

        The rows were computed from the account's state at sequence number `after`. Where the account has moved on,
        nothing is written and the outcome says so.
        """
        body = [{**_row_json(row), "at": at.isoformat(), "round_id": round_id} for row in rows]
        args = {
            "p_account": account_id,
            "p_after": after,
            "p_rows": body,
            "p_note": None if decision is None else _decision_json(decision),
        }
        return WriteOutcome(self._store.rpc("arena_write_books", args))

    def ledger(self, account_id: str, *, after: int = 0) -> tuple[LedgerEntry, ...]:
        """Rows of an account with a sequence number above `after`, in order."""
        rows = self._store.select(
            "arena_ledger",
            f"{_ROW},round_id,at",
            where=[("account_id", "eq", account_id), ("seq", "gt", after)],
            order=("seq",),
        )
        return tuple(
            LedgerEntry(ledger_row_from(row), datetime.fromisoformat(row["at"]), row["round_id"]) for row in rows
        )

    def due_settlements(self) -> dict[str, tuple[DueSettlement, ...]]:
        """Positions to settle and settlements to correct, by account id."""
        by_account: dict[str, list[DueSettlement]] = {}
        for row in self._store.select("arena_due_settlements", _DUE, order=("account_id", "ticker", "seq")):
            paid = None if row["key"] is None else ledger_row_from({**row, "kind": LedgerRowKind.SETTLE})
            due = DueSettlement(
                account_id=row["account_id"],
                ticker=row["ticker"],
                version=row["version"],
                value=Decimal(row["value"]),
                paid=paid,
            )
            by_account.setdefault(due.account_id, []).append(due)
        return {account_id: tuple(dues) for account_id, dues in by_account.items()}

    def untraded_forecasts(self) -> tuple[str, ...]:
        """Ids of forecasts, oldest first, whose worker stopped before every account had decided."""
        rows = self._store.select("arena_untraded", "forecast_id", order=("created_at", "forecast_id"))
        return tuple(row["forecast_id"] for row in rows)

    def decisions(self, decision_ids: Iterable[str]) -> tuple[PaperDecision, ...]:
        """What the accounts did with these forecasts, by decision and account id."""
        rows = self._select_by_ids(
            "arena_paper_decisions",
            _DECISION,
            column="decision_id",
            ids=decision_ids,
            order=("decision_id", "account_id"),
        )
        # Postgres orders texts by its collation; callers rely on the order of Python.
        return tuple(sorted(map(_decision, rows), key=lambda made: (made.decision_id, made.account_id)))

    def record_quotes(self, quotes: Mapping[str, tuple[Decimal | None, Decimal | None]], *, at: datetime) -> None:
        """Store the last (YES bid, YES ask) of markets that were active at `at`, in dollars by ticker."""
        rows = [
            {"ticker": ticker, "yes_bid": bid, "yes_ask": ask, "at": at.isoformat()}
            for ticker, (bid, ask) in sorted(quotes.items())
        ]
        self._store.upsert("arena_quotes", rows, on_conflict="ticker")

    def record_marks(self, marks: Mapping[str, EquityMark]) -> None:
        """Store marks by account id. A second mark of the same account and time is ignored."""
        rows = [
            {
                "account_id": account_id,
                "at": mark.at.isoformat(),
                "cash": decimal_text(mark.cash),
                "equity": decimal_text(mark.equity),
            }
            for account_id, mark in sorted(marks.items())
        ]
        self._store.insert("arena_marks", rows, ignore_duplicates_on="account_id,at")

    def marks(self, account_id: str, *, since: datetime | None = None) -> tuple[EquityMark, ...]:
        """Marks of an account, oldest first."""
        where: list[Condition] = [("account_id", "eq", account_id)]
        if since is not None:
            where.append(("at", "gte", since.isoformat()))
        rows = self._store.select("arena_marks", "at,cash::text,equity::text", where=where, order=("at",))
        return tuple(
            EquityMark(datetime.fromisoformat(row["at"]), Decimal(row["cash"]), Decimal(row["equity"])) for row in rows
        )

    def record_stops(self, stops: Sequence[AccountStop]) -> None:
        """Store stops. A second stop of the same account and day is ignored."""
        rows = [
            {
                "account_id": stop.account_id,
                "day": stop.day.isoformat(),
                "reason": stop.reason,
                "equity": decimal_text(stop.equity),
                "reference": decimal_text(stop.reference),
            }
            for stop in stops
        ]
        self._store.insert("arena_stops", rows, ignore_duplicates_on="account_id,day")

    def _by_accounts(
        self,
        table: str,
        columns: str,
        where: Sequence[Condition],
        account_ids: Sequence[str] | None,
        *,
        order: Sequence[str],
    ) -> list[dict[str, Any]]:
        """Rows of these accounts, or of all."""
        if account_ids is None:
            return self._store.select(table, columns, where=where, order=order)
        return self._select_by_ids(table, columns, column="account_id", ids=account_ids, where=where, order=order)


def fee_multiplier(terms: Mapping[str, Any] | None) -> Decimal | None:
    """The frozen fee multiplier; None where the series' formula is unpublished or could not be read."""
    text = (terms or {}).get("fee_multiplier")
    return Decimal(text) if text is not None and (terms or {}).get("fee_type") in PRICED_FEES else None


def _conditions(**equal: str | None) -> list[Condition]:
    return [(name, "eq", value) for name, value in equal.items() if value is not None]


def _account(row: Mapping[str, Any], positions: Mapping[str, OpenPaperPosition]) -> AccountSnapshot:
    return AccountSnapshot(
        account=PaperAccount(
            account_id=row["account_id"],
            season=row["season"],
            agent_id=row["agent_id"],
            policy=Policy(row["policy"]),
            track=Track(row["track"]),
            deposit=Decimal(row["deposit"]),
        ),
        state=PaperLedgerState(
            seq=row["seq"],
            cash=Decimal(row["cash"]),
            deposits=Decimal(row["deposits"]),
            realized=Decimal(row["realized"]),
            fees=Decimal(row["fees"]),
            positions={ticker: held.position for ticker, held in positions.items()},
        ),
        open_positions=positions,
        peak=optional_decimal(row["peak"]),
        day_start=optional_decimal(row["day_start"]),
        stopped=row["stopped"],
    )


def _open_position(row: Mapping[str, Any]) -> OpenPaperPosition:
    side = Outcome(row["side"])
    ask = optional_decimal(row["yes_ask"])
    no_bid = None if ask is None else 1 - ask
    return OpenPaperPosition(
        position=PaperPosition(side, Decimal(row["contracts"]), Decimal(row["basis"])),
        event_ticker=row["event_ticker"],
        category=row["category"],
        bid=optional_decimal(row["yes_bid"]) if side is Outcome.YES else no_bid,
        multiplier=fee_multiplier(row["terms"]),
    )


def ledger_row_from(row: Mapping[str, Any]) -> LedgerRow:
    """A ledger row from a row of the ledger table or its public view."""
    return LedgerRow(
        seq=row["seq"],
        key=row["key"],
        kind=LedgerRowKind(row["kind"]),
        cash=Decimal(row["cash"]),
        realized=Decimal(row["realized"]),
        ticker=row["ticker"],
        side=None if row["side"] is None else Outcome(row["side"]),
        contracts=optional_decimal(row["contracts"]),
        price=optional_decimal(row["price"]),
    )


def _row_json(row: LedgerRow) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "key": row.key,
        "kind": row.kind.value,
        "ticker": row.ticker,
        "side": None if row.side is None else row.side.value,
        "contracts": optional_text(row.contracts),
        "price": optional_text(row.price),
        "cash": decimal_text(row.cash),
        "realized": decimal_text(row.realized),
    }


def _decision(row: Mapping[str, Any]) -> PaperDecision:
    return PaperDecision(
        decision_id=row["decision_id"],
        account_id=row["account_id"],
        reason=row["reason"],
        side=None if row["side"] is None else Outcome(row["side"]),
        contracts=optional_decimal(row["contracts"]),
        average_price=optional_decimal(row["average_price"]),
        fee=optional_decimal(row["fee"]),
    )


def _decision_json(decision: PaperDecision) -> dict[str, Any]:
    return {
        "decision_id": decision.decision_id,
        "action": "none" if decision.side is None else "trade",
        "reason": decision.reason,
        "side": None if decision.side is None else decision.side.value,
        "contracts": optional_text(decision.contracts),
        "average_price": optional_text(decision.average_price),
        "fee": optional_text(decision.fee),
    }
