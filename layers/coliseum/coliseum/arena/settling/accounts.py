"""Results into the paper accounts: pay-outs, marks, stops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from coliseum.arena.paper.account import Account, Row, replay, reverse, settle
from coliseum.arena.paper.records import Book, Due, Mark, PaperRecords, Stop, Written
from coliseum.arena.paper.trading import liquidation_values, stop_reason


def settle_accounts(records: PaperRecords, *, now: datetime) -> dict[str, int]:
    """Bring every account up to the newest results; rows written by account.

    An account that somebody else writes at the same time is left to the next run.
    """
    due = records.due_settlements()
    written: dict[str, int] = {}
    for book in records.books(accounts=sorted(due)):
        account = book.account.account_id
        rows = settlement_rows(book.state, due[account])
        if rows and records.write(account, rows, after=book.state.seq, at=now) is Written.WRITTEN:
            written[account] = len(rows)
    return written


def settlement_rows(state: Account, due: Sequence[Due]) -> tuple[Row, ...]:
    """Pay-outs, and for amended results reversal and new pay-out. Pure.

    A pay-out's key carries the version that it paid, so an account that knows a version gets no row for it.
    """
    found: list[Row] = []
    for one in due:
        if one.paid is not None:
            back = reverse(one.paid, state)
            found += back
            state = replay(back, state)
        rows = settle(state, ticker=one.ticker, yes_value=one.value, version=one.version)
        found += rows
        state = replay(rows, state)
    return tuple(found)


def mark_accounts(records: PaperRecords, *, season: str, touched: Iterable[str], now: datetime, exchange: str) -> int:
    """Write down what accounts are worth, and stop those that lost too much; how many were stopped.

    The season's accounts, and those of earlier ones that were `touched` by a late result. One mark an hour, as the
    equity curve has it; on the sandbox one a minute, since all happens faster there.
    """
    books = {book.account.account_id: book for book in records.books(season=season)}
    late = sorted(set(touched) - set(books))
    books |= {book.account.account_id: book for book in records.books(accounts=late)}
    worth = {account: book.state.equity(liquidation_values(book)) for account, book in books.items()}
    minute = now.astimezone(UTC).replace(second=0, microsecond=0)
    at = minute if exchange == "sandbox" else minute.replace(minute=0)
    records.mark({account: Mark(at, book.state.cash, worth[account]) for account, book in books.items()})
    stops = [stop for account, book in books.items() if (stop := _stop(book, worth[account], now)) is not None]
    records.stop(stops)
    return len(stops)


def _stop(book: Book, equity: Decimal, now: datetime) -> Stop | None:
    found = None if book.stopped else stop_reason(book, equity)
    if found is None:
        return None
    reason, reference = found
    day = now.astimezone(UTC).date()
    return Stop(account_id=book.account.account_id, day=day, reason=reason, equity=equity, reference=reference)
