"""Rows of the table `market_snapshots` as our own types. The only file of this package that knows its columns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from coliseum.markets.history import Snapshot
from coliseum.store.client import Condition, Store
from coliseum.store.replies import SOURCE, parse_row
from coliseum.trading.money import optional_decimal

POSTGRES = SOURCE
_COLUMNS = "taken_at,yes_bid::text,yes_ask::text,last_price::text,volume::text,open_interest::text"


def snapshots_between(store: Store, ticker: str, start: datetime, end: datetime) -> tuple[Snapshot, ...]:
    """The stored snapshots of a market from `start` to `end`, oldest first. Only watched markets have any."""
    where: list[Condition] = [("ticker", "eq", ticker), ("taken_at", "gte", start), ("taken_at", "lte", end)]
    rows = store.select("market_snapshots", _COLUMNS, where=where, order=("taken_at",))
    return tuple(parse_row("market_snapshots", _snapshot, row) for row in rows)


def _snapshot(row: Mapping[str, Any]) -> Snapshot:
    return Snapshot(
        at=datetime.fromisoformat(row["taken_at"]),
        yes_bid=optional_decimal(row["yes_bid"]),
        yes_ask=optional_decimal(row["yes_ask"]),
        last_price=optional_decimal(row["last_price"]),
        volume=Decimal(row["volume"]),
        open_interest=Decimal(row["open_interest"]),
    )
