"""The books in Postgres. Exact numbers are read as texts; every write is one call of one SQL function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from coliseum.errors import SourceRefused
from coliseum.portfolio.books import AccountBooks
from coliseum.portfolio.books_progress import BooksProgress
from coliseum.portfolio.books_storage import BooksEntry, BooksMoved, BooksSnapshot, KeptSettlement
from coliseum.portfolio.ledger import Booking, BookingKind, Holding, LedgerTotals
from coliseum.portfolio.pnl import Gains, NamedGains, by_day, named_gains
from coliseum.portfolio.records import SETTLEMENT_COLUMNS, settlement_from, settlement_row
from coliseum.store.client import Condition, Store
from coliseum.store.replies import parse_row
from coliseum.trading.markets import Settlement
from coliseum.trading.money import ONE, optional_decimal
from coliseum.trading.trades import BookSide, Fill, Outcome

_MOVED = "PT409"
"""The code with which the SQL function refuses a writer whose view is outdated."""
_NO_SUCH_ZONE = "22023"
"""Postgres' code for a time zone that its release of the zones does not have."""
_PROGRESS = TypeAdapter(BooksProgress)
_BOOKING_COLUMNS = (
    "seq,key,kind,ticker,event_ticker,at,contracts::text,basis::text,realized::text,fees::text,fill_id,order_id,outcome,"
    "price::text,opened::text,closed::text,result,reverses"
)
_HOLDING_COLUMNS = "ticker,contracts::text,basis::text,realized::text,fees::text,settled,last_fill_at,reversals"
_KEPT_COLUMNS = f"{SETTLEMENT_COLUMNS},source,held::text,agrees"
_FILL_COLUMNS = "fill_id,order_id,ticker,book_side,count::text,yes_price::text,fee::text,at"
_PAGE = 1000


class BooksInPostgres:
    """The books of one account. `store` connects on its first call."""

    def __init__(self, store: Callable[[], Store], account: str) -> None:
        self._store = store
        self._account = account

    def read(self) -> BooksSnapshot:
        row = self._store().rpc("account_books_read", {"p_account": self._account})
        return parse_row("account_books_read", _snapshot_from, row or None)

    def holdings(self, tickers: Collection[str]) -> list[Holding]:
        if not tickers:
            return []
        rows = self._select("account_holdings", _HOLDING_COLUMNS, [("ticker", "in", sorted(tickers))])
        return [parse_row("account_holdings", holding_from, row) for row in rows]

    def known_tickers(self) -> set[str]:
        return {str(row["ticker"]) for row in self._select("account_holdings", "ticker", [], order=("ticker",))}

    def bookings(self, *, since: float | None, settled: Collection[str]) -> list[Booking]:
        rows = {} if since is None else {row["seq"]: row for row in self._recent_bookings(since)}
        for ticker in settled:
            of_ticker = self._select("account_bookings", _BOOKING_COLUMNS, [("ticker", "eq", ticker)], order=("seq",))
            rows |= {row["seq"]: row for row in of_ticker}
        return [parse_row("account_bookings", booking_from, rows[seq]) for seq in sorted(rows)]

    def all_bookings(
        self, *, since: float | None = None, until: float | None = None, ticker: str | None = None
    ) -> Iterator[Booking]:
        where: list[Condition] = [] if ticker is None else [("ticker", "eq", ticker)]
        where += [] if since is None else [("at", "gte", _time(since))]
        where += [] if until is None else [("at", "lt", _time(until))]
        seq = 0
        while True:
            # Each page begins behind the last seq: an offset would cost more with every page.
            rows = self._select(
                "account_bookings", _BOOKING_COLUMNS, [*where, ("seq", "gt", seq)], order=("seq",), limit=_PAGE
            )
            for row in rows:
                yield parse_row("account_bookings", booking_from, row)
            if len(rows) < _PAGE:
                return
            seq = rows[-1]["seq"]

    def gains(
        self, *, zone: ZoneInfo | None, since: float | None, until: float | None, ticker: str | None
    ) -> list[NamedGains]:
        if zone is not None and not _is_known_to_postgres(zone):
            return self._gains_by_day(zone, since=since, until=until, ticker=ticker)
        arguments = {
            "p_account": self._account,
            "p_zone": None if zone is None else zone.key,
            "p_since": None if since is None else _time(since),
            "p_until": None if until is None else _time(until),
            "p_ticker": ticker,
        }
        try:
            rows = self._store().rpc("account_gains", arguments)
        except SourceRefused as error:
            if zone is None or error.code != _NO_SUCH_ZONE:
                raise
            return self._gains_by_day(zone, since=since, until=until, ticker=ticker)
        return [parse_row("account_gains", gains_from, row) for row in rows]

    def _gains_by_day(
        self, zone: ZoneInfo, *, since: float | None, until: float | None, ticker: str | None
    ) -> list[NamedGains]:
        """The sums by day in a zone that Postgres does not know as we do. All bookings of the span are read."""
        return named_gains(self.all_bookings(since=since, until=until, ticker=ticker), by_day(zone))

    def reversed_keys(self, ticker: str | None = None) -> set[str]:
        where: list[Condition] = [("kind", "eq", BookingKind.REVERSAL.value)]
        where += [] if ticker is None else [("ticker", "eq", ticker)]
        rows = self._select("account_bookings", "reverses", where, order=("seq",))
        return {str(row["reverses"]) for row in rows}

    def _recent_bookings(self, since: float) -> list[dict[str, Any]]:
        where: list[Condition] = [("at", "gte", _time(since))]
        return self._select("account_bookings", _BOOKING_COLUMNS, where, order=("at", "seq"))

    def settlements(self, *, since: float | None = None, tickers: Collection[str] = ()) -> list[KeptSettlement]:
        rows: dict[str, dict[str, Any]] = {}
        if since is not None:
            where: list[Condition] = [("settled_at", "gte", _time(since))]
            recent = self._select("account_settlements", _KEPT_COLUMNS, where, order=("settled_at", "ticker"))
            rows |= {row["ticker"]: row for row in recent}
        missing = sorted(set(tickers) - set(rows))
        if missing:
            named = self._select("account_settlements", _KEPT_COLUMNS, [("ticker", "in", missing)])
            rows |= {row["ticker"]: row for row in named}
        return [parse_row("account_settlements", kept_from, rows[ticker]) for ticker in sorted(rows)]

    def disagreeing(self) -> list[KeptSettlement]:
        rows = self._select("account_settlements", _KEPT_COLUMNS, [("agrees", "is", False)], order=("ticker",))
        return [parse_row("account_settlements", kept_from, row) for row in rows]

    def staged(self, limit: int) -> list[Fill]:
        order = ("at", "order_id", "worse", "fill_id")
        rows = self._select("account_fills", _FILL_COLUMNS, [], order=order, limit=limit)
        return [parse_row("account_fills", staged_fill_from, row) for row in rows]

    def append(self, version: int, entry: BooksEntry) -> tuple[int, tuple[str, ...]]:
        arguments = {
            "p_account": self._account,
            "p_version": version,
            "p_progress": _PROGRESS.dump_python(entry.progress, mode="json"),
            "p_staged": [_staged_row(fill) for fill in entry.staged],
            "p_bookings": [_booking_row(booking, seq) for seq, booking in enumerate(entry.bookings, start=1)],
            "p_done": [{"fill_id": fill.fill_id, "order_id": fill.order_id} for fill in entry.done],
            "p_settlements": [_settlement_row(kept) for kept in entry.settlements],
        }
        try:
            answer = self._store().rpc("account_books_append", arguments)
        except SourceRefused as error:
            if error.code == _MOVED:
                raise BooksMoved from error
            raise
        return parse_row("account_books_append", _written, answer)

    def reset(self) -> None:
        self._store().rpc("account_books_reset", {"p_account": self._account})

    def _select(
        self,
        table: str,
        columns: str,
        where: Sequence[Condition],
        *,
        order: Sequence[str] = (),
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        own: list[Condition] = [("account", "eq", self._account), *where]
        return self._store().select(table, columns, where=own, order=order, limit=limit)


def stored_books(store: Callable[[], Store], account: str) -> AccountBooks:
    """The books of the account with this label, in Postgres."""

    def kept_records(tickers: Collection[str]) -> list[Settlement]:
        return select_kept_settlements(store(), tickers)

    return AccountBooks(BooksInPostgres(store, account), kept_records=kept_records)


def select_kept_settlements(store: Store, tickers: Collection[str]) -> list[Settlement]:
    """Settlement records that the poller stored before there were books. One that several accounts have is left out."""
    rows = store.select("settlements", SETTLEMENT_COLUMNS, where=[("ticker", "in", sorted(tickers))])
    times = Counter(row["ticker"] for row in rows)
    return [parse_row("settlements", settlement_from, row) for row in rows if times[row["ticker"]] == 1]


def _is_known_to_postgres(zone: ZoneInfo) -> bool:
    """Not a short name such as CET: Postgres reads it as an abbreviation of a fixed offset, without summer time."""
    return zone.key == "UTC" or "/" in zone.key


def _snapshot_from(row: Mapping[str, Any] | None) -> BooksSnapshot:
    if row is None:
        return BooksSnapshot(progress=BooksProgress(), totals=_totals({"basis": "0", "realized": "0", "fees": "0"}))
    return BooksSnapshot(
        version=row["version"],
        progress=_PROGRESS.validate_python(row["progress"]),
        fills=row["fills"],
        oldest=_optional_seconds(row["oldest"]),
        newest=_optional_seconds(row["newest"]),
        totals=_totals(row["totals"]),
        open=tuple(holding_from(holding) for holding in row["open"]),
    )


def _totals(row: Mapping[str, str]) -> LedgerTotals:
    basis, realized, fees = (Decimal(row[name]) for name in ("basis", "realized", "fees"))
    return LedgerTotals(cash=realized - basis - fees, basis=basis, realized=realized, fees=fees)


def _written(answer: Mapping[str, Any]) -> tuple[int, tuple[str, ...]]:
    conflicts = (
        f"fill {row['fill_id']} of order {row['order_id']} in {row['ticker']} was read with {row['booked']} "
        f"and came again with {row['sent']}"
        for row in answer["conflicts"]
    )
    return int(answer["version"]), tuple(conflicts)


def holding_from(row: Mapping[str, Any]) -> Holding:
    return Holding(
        ticker=row["ticker"],
        contracts=Decimal(row["contracts"]),
        basis=Decimal(row["basis"]),
        realized=Decimal(row["realized"]),
        fees=Decimal(row["fees"]),
        settled=row["settled"],
        last_fill_at=_optional_seconds(row["last_fill_at"]),
        reversals=row["reversals"],
    )


def booking_from(row: Mapping[str, Any]) -> Booking:
    """A row of `account_bookings`, with its numbers as texts."""
    return Booking(
        key=row["key"],
        kind=BookingKind(row["kind"]),
        ticker=row["ticker"],
        at=_seconds(row["at"]),
        contracts=Decimal(row["contracts"]),
        basis=Decimal(row["basis"]),
        realized=Decimal(row["realized"]),
        fees=Decimal(row["fees"]),
        fill_id=row["fill_id"],
        order_id=row["order_id"],
        outcome=None if row["outcome"] is None else Outcome(row["outcome"]),
        price=optional_decimal(row["price"]),
        opened=Decimal(row["opened"]),
        closed=Decimal(row["closed"]),
        event_ticker=row["event_ticker"],
        result=row["result"],
        reverses=row["reverses"],
    )


def gains_from(row: Mapping[str, Any]) -> NamedGains:
    """One of the sums that `account_gains` answers."""
    gains = Gains(
        realized=Decimal(row["realized"]),
        settled=Decimal(row["settled"]),
        fees=Decimal(row["fees"]),
        basis=Decimal(row["basis"]),
        fills=int(row["fills"]),
        tickers=set(row["tickers"]),
        first_at=_seconds(row["first_at"]),
        last_at=_seconds(row["last_at"]),
    )
    return NamedGains(str(row["group"]), gains, row["event_ticker"])


def _booking_row(booking: Booking, seq: int) -> dict[str, Any]:
    return {
        "seq": seq,
        "key": booking.key,
        "kind": booking.kind.value,
        "ticker": booking.ticker,
        "event_ticker": booking.event_ticker,
        "at": _time(booking.at),
        "contracts": booking.contracts,
        "basis": booking.basis,
        "realized": booking.realized,
        "fees": booking.fees,
        "fill_id": booking.fill_id,
        "order_id": booking.order_id,
        "outcome": None if booking.outcome is None else booking.outcome.value,
        "price": booking.price,
        "opened": booking.opened,
        "closed": booking.closed,
        "result": booking.result,
        "reverses": booking.reverses,
    }


def kept_from(row: Mapping[str, Any]) -> KeptSettlement:
    """A row of `account_settlements`, with its numbers as texts."""
    return KeptSettlement(
        settlement=settlement_from(row), source=row["source"], held=optional_decimal(row["held"]), agrees=row["agrees"]
    )


def _settlement_row(kept: KeptSettlement) -> dict[str, Any]:
    return {**settlement_row(kept.settlement), "source": kept.source, "held": kept.held, "agrees": kept.agrees}


def staged_fill_from(row: Mapping[str, Any]) -> Fill:
    """A row of `account_fills`: what the ledger needs of a fill."""
    bid = BookSide(row["book_side"]) is BookSide.BID
    price = Decimal(row["yes_price"])
    return Fill(
        fill_id=row["fill_id"],
        order_id=row["order_id"],
        ticker=row["ticker"],
        book_side=BookSide(row["book_side"]),
        outcome=Outcome.YES if bid else Outcome.NO,
        sold=False,
        count=Decimal(row["count"]),
        yes_price=price,
        no_price=ONE - price,
        fee=Decimal(row["fee"]),
        is_taker=False,
        timestamp=_seconds(row["at"]),
    )


def _staged_row(fill: Fill) -> dict[str, Any]:
    return {
        "fill_id": fill.fill_id,
        "order_id": fill.order_id,
        "ticker": fill.ticker,
        "book_side": fill.book_side.value,
        "count": fill.count,
        "yes_price": fill.yes_price,
        "fee": fill.fee,
        "at": _time(fill.timestamp),
    }


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _optional_seconds(text: str | None) -> float | None:
    return None if text is None else _seconds(text)
