"""The exchange's state on disk: one SQLite file, one row per object, written in whole transactions.

A member's fill is on disk before the member gets the answer (`synchronous=FULL`). What concerns only simulated traders
is written every few seconds. The file is locked while an exchange uses it, so that two never share one state.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from coliseum.errors import ConfigurationError
from coliseum.trading.trades import BookSide
from coliseum_local.exchange.candles import SandboxCandle
from coliseum_local.exchange.change_log import RecordKind
from coliseum_local.exchange.ledger import NO_PURCHASES, AccountPosition, Purchases, TradingAccount
from coliseum_local.exchange.listing import SandboxMarket
from coliseum_local.exchange.market_lifecycle import EventOrigin, restore_event
from coliseum_local.exchange.orders import AccountFill, SandboxOrder
from coliseum_local.exchange.outcome_process import ChoiceProcess, NumberProcess
from coliseum_local.exchange.transfers import AccountTransfer
from coliseum_local.exchange.venue import AccountSettlement, Venue


@dataclass(slots=True, kw_only=True)
class VenueRow:
    """The venue's own values, apart from its accounts and markets."""

    seed: str
    generation: int
    now: float
    next_index: dict[str, int]
    members: list[str]
    fees_collected: Decimal
    trading_active: bool
    """False while the operator pauses trading."""


@dataclass(slots=True, kw_only=True)
class AccountRow:
    """An account without its positions, which are rows of their own."""

    account_id: str
    cash: Decimal
    precision: Decimal
    updated: float


@dataclass(slots=True)
class StoredState:
    """Everything the file held, by kind and key."""

    rows: dict[RecordKind, dict[str, Any]] = field(default_factory=lambda: {kind: {} for kind in RecordKind})


ADAPTERS: Mapping[RecordKind, TypeAdapter[Any]] = {
    RecordKind.VENUE: TypeAdapter(VenueRow),
    RecordKind.ACCOUNT: TypeAdapter(AccountRow),
    RecordKind.POSITION: TypeAdapter(AccountPosition),
    RecordKind.EVENT: TypeAdapter(EventOrigin),
    RecordKind.MARKET: TypeAdapter(SandboxMarket),
    RecordKind.OUTCOME_PROCESS: TypeAdapter(NumberProcess | ChoiceProcess),
    RecordKind.ORDER: TypeAdapter(SandboxOrder),
    RecordKind.FILL: TypeAdapter(AccountFill),
    RecordKind.SETTLEMENT: TypeAdapter(AccountSettlement),
    RecordKind.TRANSFER: TypeAdapter(AccountTransfer),
    RecordKind.CANDLE: TypeAdapter(SandboxCandle),
}


class Journal:
    """The state file. Raises ConfigurationError if another process uses it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=0.5, isolation_level=None)
        try:
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS row (kind TEXT, key TEXT, body BLOB NOT NULL, PRIMARY KEY (kind, key))"
            )
        except sqlite3.OperationalError as error:
            self._database.close()
            raise ConfigurationError("--state", f"{path} is in use by another exchange ({error})") from None

    def write(self, venue: Venue) -> None:
        """Write everything that changed since the last call, in one transaction."""
        changed = venue.changes.take()
        rows = {key: value for key, value in changed.items() if value is not None}
        rows[RecordKind.VENUE, ""] = _venue_row(venue)
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.executemany(
                "INSERT INTO row VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
                [(kind, key, ADAPTERS[kind].dump_json(_storable(value))) for (kind, key), value in rows.items()],
            )
            self._database.executemany(
                "DELETE FROM row WHERE kind = ? AND key = ?", [key for key, value in changed.items() if value is None]
            )
        except BaseException:  # also KeyboardInterrupt: half a transaction must not stay open
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def read(self) -> StoredState:
        """All rows of the file."""
        stored = StoredState()
        for kind, key, body in self._database.execute("SELECT kind, key, body FROM row ORDER BY rowid"):
            stored.rows[RecordKind(kind)][key] = ADAPTERS[RecordKind(kind)].validate_json(body)
        return stored

    def close(self) -> None:
        self._database.close()


def restore(stored: StoredState, *, now: float) -> Venue | None:
    """The exchange as it was stored, at `now` or at its own last moment, whichever is later. None for an empty file."""
    rows = stored.rows
    facts: VenueRow | None = rows[RecordKind.VENUE].get("")
    if facts is None:
        return None
    venue = Venue(seed=facts.seed, now=max(now, facts.now), generation=facts.generation + 1)
    venue.stepped = facts.now
    venue.next_index = facts.next_index
    venue.fees_collected = facts.fees_collected
    venue.paused = not facts.trading_active
    for row in rows[RecordKind.ACCOUNT].values():
        account = venue.open_account(row.account_id, cash=row.cash, member=row.account_id in facts.members)
        account.precision, account.updated = row.precision, row.updated
    for key, position in rows[RecordKind.POSITION].items():
        venue.accounts[key.split("|")[0]].positions[position.ticker] = position
    for event_ticker, origin in rows[RecordKind.EVENT].items():
        restore_event(venue, origin, rows[RecordKind.MARKET], rows[RecordKind.OUTCOME_PROCESS].get(event_ticker))
    for key, candle in sorted(rows[RecordKind.CANDLE].items(), key=lambda row: row[1].end):
        venue.recorders[key.split("|")[0]].past.append(candle)
    for order in sorted(rows[RecordKind.ORDER].values(), key=lambda each: each.created):
        venue.restore(order)
    for fill in rows[RecordKind.FILL].values():
        venue.fills[fill.account_id].append(fill)
    for settlement in rows[RecordKind.SETTLEMENT].values():
        venue.settlements[settlement.account_id].append(settlement)
    for transfer in rows[RecordKind.TRANSFER].values():
        venue.transfers[transfer.account_id].append(transfer)
    for fills in venue.fills.values():
        fills.sort(key=lambda each: each.time)
    _restore_purchases(venue)
    venue.changes.take()  # restoring is no change: nothing of it must be written again
    return venue


def _restore_purchases(venue: Venue) -> None:
    """Count the members' purchases again from their fills: state files of earlier versions have none."""
    for account_id in venue.members:
        bought: dict[str, Purchases] = {}
        for fill in venue.fills[account_id]:
            delta = fill.count if fill.side is BookSide.BID else -fill.count
            bought[fill.ticker] = bought.get(fill.ticker, NO_PURCHASES).with_fill(delta, fill.price)
        for ticker, position in venue.accounts[account_id].positions.items():
            position.purchases = bought.get(ticker, NO_PURCHASES)
        venue.settlements[account_id] = [
            replace(each, purchases=bought.get(each.ticker, NO_PURCHASES)) for each in venue.settlements[account_id]
        ]


def _venue_row(venue: Venue) -> VenueRow:
    return VenueRow(
        seed=venue.seed,
        generation=venue.generation,
        now=venue.stepped,
        next_index=venue.next_index,
        members=sorted(venue.members),
        fees_collected=venue.fees_collected,
        trading_active=not venue.paused,
    )


def _storable(value: object) -> object:
    if isinstance(value, TradingAccount):
        return AccountRow(
            account_id=value.account_id, cash=value.cash, precision=value.precision, updated=value.updated
        )
    return value
