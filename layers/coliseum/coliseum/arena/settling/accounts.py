"""Results into the paper accounts: pay-outs, marks, stops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from coliseum.arena.paper.account import LedgerRow, PaperLedgerState, replay, reverse, settle
from coliseum.arena.paper.records import (
    AccountSnapshot,
    AccountStop,
    DueSettlement,
    EquityMark,
    PaperRecords,
    WriteOutcome,
)
from coliseum.arena.paper.trading import liquidation_values, stop_reason


def settle_accounts(records: PaperRecords, *, now: datetime) -> dict[str, int]:
    """Pay every account for the newest results. Returns how many ledger rows were written, by account id.

    An account that another process writes at the same time is left to the next run.
    """
    due = records.due_settlements()
    written: dict[str, int] = {}
    for snapshot in records.accounts(account_ids=sorted(due)):
        account_id = snapshot.account.account_id
        rows = settlement_rows(snapshot.state, due[account_id])
        if not rows:
            continue
        if records.append_rows(account_id, rows, after=snapshot.state.seq, at=now) is WriteOutcome.WRITTEN:
            written[account_id] = len(rows)
    return written


def settlement_rows(state: PaperLedgerState, due: Sequence[DueSettlement]) -> tuple[LedgerRow, ...]:
    """Pay-outs; for an amended result the reversal of the old pay-out and the new one. Pure.

    The key of a pay-out carries the version of the result, so that no version is paid twice.
    """
    rows: list[LedgerRow] = []
    for settlement in due:
        if settlement.paid is not None:
            reversal = reverse(settlement.paid, state)
            rows += reversal
            state = replay(reversal, state)
        pay_out = settle(state, ticker=settlement.ticker, yes_value=settlement.value, version=settlement.version)
        rows += pay_out
        state = replay(pay_out, state)
    return tuple(rows)


def mark_accounts(records: PaperRecords, *, season: str, also: Iterable[str], now: datetime, exchange: str) -> int:
    """Store what accounts are worth, and stop those that lost too much. Returns how many were stopped.

    Covers the season's accounts and the account ids in `also`: a late result may pay accounts of an earlier season.
    There is one mark an hour, and one a minute on the sandbox, where markets live for minutes.
    """
    snapshots = {snapshot.account.account_id: snapshot for snapshot in records.accounts(season=season)}
    earlier = sorted(set(also) - set(snapshots))
    snapshots |= {snapshot.account.account_id: snapshot for snapshot in records.accounts(account_ids=earlier)}
    equity = {
        account_id: snapshot.state.equity(liquidation_values(snapshot)) for account_id, snapshot in snapshots.items()
    }
    minute = now.astimezone(UTC).replace(second=0, microsecond=0)
    at = minute if exchange == "sandbox" else minute.replace(minute=0)
    records.record_marks(
        {
            account_id: EquityMark(at, snapshot.state.cash, equity[account_id])
            for account_id, snapshot in snapshots.items()
        }
    )
    stops = [_stop(snapshot, equity[account_id], now) for account_id, snapshot in snapshots.items()]
    new_stops = [stop for stop in stops if stop is not None]
    records.record_stops(new_stops)
    return len(new_stops)


def _stop(snapshot: AccountSnapshot, equity: Decimal, now: datetime) -> AccountStop | None:
    stop = None if snapshot.stopped else stop_reason(snapshot, equity)
    if stop is None:
        return None
    reason, reference = stop
    return AccountStop(
        account_id=snapshot.account.account_id,
        day=now.astimezone(UTC).date(),
        reason=reason,
        equity=equity,
        reference=reference,
    )
