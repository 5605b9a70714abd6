"""The paper accounts' rows and what they mean: books, positions, notes, marks, stops, quotes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from coliseum.arena.forecasts import Track
from coliseum.arena.paper.account import Account, Position, Row, RowKind
from coliseum.arena.paper.sizing import Policy
from coliseum.arena.records.batches import StoreRecords
from coliseum.store.client import Condition
from coliseum.trading.money import decimal_text
from coliseum.trading.trades import Outcome

PRICED_FEES = frozenset({"quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees"})
"""Fee types whose taker formula is published."""


class Written(StrEnum):
    """What became of an attempt to write books."""

    WRITTEN = "written"
    REPEATED = "repeated"
    """It was there before."""
    MOVED = "moved"
    """Another writer was faster: read the book again."""
    SETTLED = "settled"
    """The market has its result."""


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
class Holding:
    """An open position, with its market as it was last seen: limits and marks go by it."""

    position: Position
    event_ticker: str
    category: str
    bid: Decimal | None
    """For the side that is held; None where nobody bids."""
    multiplier: Decimal | None
    """Of the fee; None where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """An account and all that a decision about it needs. Dollars."""

    account: PaperAccount
    state: Account
    holdings: Mapping[str, Holding]
    peak: Decimal | None
    """The highest equity that a drawdown is measured from; None where that count begins anew."""
    day_start: Decimal | None
    """The last equity before today; None on the first day."""
    stopped: bool
    """Today it may only reduce."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A ledger row with the time of its happening."""

    row: Row
    at: datetime
    round_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A position whose market has a result, or (`paid`) a settlement that paid an older version of it."""

    account_id: str
    ticker: str
    version: int
    value: Decimal
    """Dollars per YES contract."""
    paid: Row | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Why an account traded or did not."""

    decision_id: str
    account_id: str
    reason: str
    side: Outcome | None
    contracts: Decimal | None
    average_price: Decimal | None
    fee: Decimal | None


@dataclass(frozen=True, slots=True)
class Mark:
    """What an account was worth, in dollars: cash, and cash plus positions at the bid after fee."""

    at: datetime
    cash: Decimal
    equity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A UTC day on which an account may only reduce. `reason` is daily_loss or drawdown."""

    account_id: str
    day: date
    reason: str
    equity: Decimal
    reference: Decimal


_BOOK = (
    "account_id,season,agent_id,policy,track,deposit::text,seq,cash::text,deposits::text,realized::text,fees::text,"
    "peak::text,day_start::text,stopped"
)
_HELD = "account_id,ticker,side,contracts::text,basis::text,event_ticker,category,terms,yes_bid::text,yes_ask::text"
_ROW = "seq,key,kind,ticker,side,contracts::text,price::text,cash::text,realized::text"
_DUE = "account_id,ticker,version,value::text,seq,key,side,contracts::text,price::text,cash::text,realized::text"
_NOTE = "decision_id,account_id,reason,side,contracts::text,average_price::text,fee::text"


class PaperRecords(StoreRecords):
    """Reads and writes of the paper accounts' tables."""

    def books(
        self,
        *,
        season: str | None = None,
        agent_id: str | None = None,
        track: Track | None = None,
        accounts: Sequence[str] | None = None,
    ) -> tuple[Book, ...]:
        """The books of those accounts, in two reads however many they are."""
        where = _conditions(season=season, agent_id=agent_id, track=None if track is None else track.value)
        rows = self._by_accounts("arena_account_books", _BOOK, where, accounts, order=("account_id",))
        ids = [row["account_id"] for row in rows]
        held: dict[str, dict[str, Holding]] = {}
        for row in self._by_accounts("arena_held", _HELD, [], ids, order=("account_id", "ticker")):
            held.setdefault(row["account_id"], {})[row["ticker"]] = _holding(row)
        return tuple(_book(row, held.get(row["account_id"], {})) for row in rows)

    def write(
        self,
        account_id: str,
        rows: Sequence[Row],
        *,
        after: int,
        at: datetime,
        round_id: str | None = None,
        note: Note | None = None,
    ) -> Written:
        """Append rows that were computed from the book at `after`, with the note that explains them, or nothing."""
        body = [{**_row_json(row), "at": at.isoformat(), "round_id": round_id} for row in rows]
        args = {
            "p_account": account_id,
            "p_after": after,
            "p_rows": body,
            "p_note": None if note is None else _note_json(note),
        }
        return Written(self._store.rpc("arena_write_books", args))

    def ledger(self, account_id: str, *, after: int = 0) -> tuple[LedgerEntry, ...]:
        rows = self._store.select(
            "arena_ledger",
            f"{_ROW},round_id,at",
            where=[("account_id", "eq", account_id), ("seq", "gt", after)],
            order=("seq",),
        )
        return tuple(LedgerEntry(row_from(row), datetime.fromisoformat(row["at"]), row["round_id"]) for row in rows)

    def due_settlements(self) -> dict[str, tuple[Due, ...]]:
        """What is to be settled or paid anew, by account."""
        found: dict[str, list[Due]] = {}
        for row in self._store.select("arena_due_settlements", _DUE, order=("account_id", "ticker", "seq")):
            paid = None if row["key"] is None else row_from({**row, "kind": RowKind.SETTLE})
            due = Due(
                account_id=row["account_id"],
                ticker=row["ticker"],
                version=row["version"],
                value=Decimal(row["value"]),
                paid=paid,
            )
            found.setdefault(due.account_id, []).append(due)
        return {account_id: tuple(dues) for account_id, dues in found.items()}

    def untraded(self) -> tuple[str, ...]:
        """Forecasts, oldest first, whose worker was stopped before every account had decided."""
        rows = self._store.select("arena_untraded", "forecast_id", order=("created_at", "forecast_id"))
        return tuple(row["forecast_id"] for row in rows)

    def notes(self, decision_ids: Iterable[str]) -> tuple[Note, ...]:
        found: list[Note] = []
        wanted = sorted(set(decision_ids))
        if wanted:
            rows = self._store.select("arena_paper_decisions", _NOTE, where=[("decision_id", "in", wanted)])
            found += [_note(row) for row in rows]
        return tuple(sorted(found, key=lambda note: (note.decision_id, note.account_id)))

    def quote(self, quotes: Mapping[str, tuple[Decimal | None, Decimal | None]], *, at: datetime) -> None:
        """Keep (YES bid, YES ask) of markets that were active at `at`."""
        rows = [
            {"ticker": ticker, "yes_bid": bid, "yes_ask": ask, "at": at.isoformat()}
            for ticker, (bid, ask) in sorted(quotes.items())
        ]
        self._store.upsert("arena_quotes", rows, on_conflict="ticker")

    def mark(self, marks: Mapping[str, Mark]) -> None:
        """Write down what accounts were worth; a second mark of an account and instant is dropped."""
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

    def marks(self, account_id: str, *, since: datetime | None = None) -> tuple[Mark, ...]:
        """Oldest first."""
        where: list[Condition] = [("account_id", "eq", account_id)]
        if since is not None:
            where.append(("at", "gte", since.isoformat()))
        rows = self._store.select("arena_marks", "at,cash::text,equity::text", where=where, order=("at",))
        return tuple(
            Mark(datetime.fromisoformat(row["at"]), Decimal(row["cash"]), Decimal(row["equity"])) for row in rows
        )

    def stop(self, stops: Sequence[Stop]) -> None:
        """The first stop of an account and day stays."""
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
        accounts: Sequence[str] | None,
        *,
        order: Sequence[str],
    ) -> list[dict[str, Any]]:
        """Rows of these accounts, or of all."""
        if accounts is None:
            return self._store.select(table, columns, where=where, order=order)
        return self._select_by_ids(table, columns, column="account_id", ids=accounts, where=where, order=order)


def fee_multiplier(terms: Mapping[str, Any] | None) -> Decimal | None:
    """The frozen fee multiplier; None where the exchange's formula is not published or was not to be had."""
    text = (terms or {}).get("fee_multiplier")
    return Decimal(text) if text is not None and (terms or {}).get("fee_type") in PRICED_FEES else None


def _conditions(**equal: str | None) -> list[Condition]:
    return [(name, "eq", value) for name, value in equal.items() if value is not None]


def _book(row: Mapping[str, Any], held: Mapping[str, Holding]) -> Book:
    return Book(
        account=PaperAccount(
            account_id=row["account_id"],
            season=row["season"],
            agent_id=row["agent_id"],
            policy=Policy(row["policy"]),
            track=Track(row["track"]),
            deposit=Decimal(row["deposit"]),
        ),
        state=Account(
            seq=row["seq"],
            cash=Decimal(row["cash"]),
            deposits=Decimal(row["deposits"]),
            realized=Decimal(row["realized"]),
            fees=Decimal(row["fees"]),
            positions={ticker: holding.position for ticker, holding in held.items()},
        ),
        holdings=held,
        peak=_number(row["peak"]),
        day_start=_number(row["day_start"]),
        stopped=row["stopped"],
    )


def _holding(row: Mapping[str, Any]) -> Holding:
    side = Outcome(row["side"])
    ask = _number(row["yes_ask"])
    no_bid = None if ask is None else 1 - ask
    return Holding(
        position=Position(side, Decimal(row["contracts"]), Decimal(row["basis"])),
        event_ticker=row["event_ticker"],
        category=row["category"],
        bid=_number(row["yes_bid"]) if side is Outcome.YES else no_bid,
        multiplier=fee_multiplier(row["terms"]),
    )


def row_from(row: Mapping[str, Any]) -> Row:
    """A ledger row as the tables and the public views hold it."""
    return Row(
        seq=row["seq"],
        key=row["key"],
        kind=RowKind(row["kind"]),
        cash=Decimal(row["cash"]),
        realized=Decimal(row["realized"]),
        ticker=row["ticker"],
        side=None if row["side"] is None else Outcome(row["side"]),
        contracts=_number(row["contracts"]),
        price=_number(row["price"]),
    )


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "key": row.key,
        "kind": row.kind.value,
        "ticker": row.ticker,
        "side": None if row.side is None else row.side.value,
        "contracts": _text(row.contracts),
        "price": _text(row.price),
        "cash": decimal_text(row.cash),
        "realized": decimal_text(row.realized),
    }


def _note(row: Mapping[str, Any]) -> Note:
    return Note(
        decision_id=row["decision_id"],
        account_id=row["account_id"],
        reason=row["reason"],
        side=None if row["side"] is None else Outcome(row["side"]),
        contracts=_number(row["contracts"]),
        average_price=_number(row["average_price"]),
        fee=_number(row["fee"]),
    )


def _note_json(note: Note) -> dict[str, Any]:
    return {
        "decision_id": note.decision_id,
        "action": "none" if note.side is None else "trade",
        "reason": note.reason,
        "side": None if note.side is None else note.side.value,
        "contracts": _text(note.contracts),
        "average_price": _text(note.average_price),
        "fee": _text(note.fee),
    }


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)
