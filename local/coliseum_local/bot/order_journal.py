"""The orders that the bot sent, on disk: after a kill it still knows which of the account's fills are its own."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from coliseum.trading.trades import Outcome, Side
from coliseum_local.bot.models import OrderIntent

KEPT_ORDERS = 1_000
RECENT_SECONDS = 600.0
"""Orders that were sent so long before the newest one have been looked for often enough. None rests longer."""


class OrderJournal:
    """One line of JSON for each order, written before the order is sent."""

    def __init__(self, path: Path) -> None:
        """Shortens the file to its newest orders. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        self._rows = deque((row for line in lines if (row := _row_from(line)) is not None), maxlen=KEPT_ORDERS)
        new = path.with_suffix(".new")
        new.write_text("".join(json.dumps(row) + "\n" for row in self._rows))
        new.replace(path)
        self._path = path

    def note(self, client_order_id: str, intent: OrderIntent, *, at: float) -> None:
        """An order is about to be sent, at the exchange's unix second `at`. Raises OSError."""
        row = {
            "client_order_id": client_order_id,
            "at": at,
            "strategy": intent.strategy,
            "ticker": intent.ticker,
            "side": intent.side.value,
            "outcome": intent.outcome.value,
            "count": str(intent.count),
            "price": str(intent.price),
            "rests": intent.rests,
            "why": intent.why,
        }
        self._rows.append(row)
        with self._path.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def recent(self) -> tuple[float | None, Mapping[str, OrderIntent]]:
        """Since when orders may have fills that were not learnt, and these orders by client order id."""
        if not self._rows:
            return None, {}
        since = self._rows[-1]["at"] - RECENT_SECONDS
        rows = [row for row in self._rows if row["at"] >= since]
        return rows[0]["at"], {row["client_order_id"]: _intent_from(row) for row in rows}


def _row_from(line: str) -> dict[str, Any] | None:
    """None for a line that a kill or a full disk cut."""
    try:
        row: dict[str, Any] = json.loads(line)
        _intent_from(row)
        return row if isinstance(row["at"], float) and row["client_order_id"] else None
    except (ValueError, KeyError, TypeError, ArithmeticError):
        return None


def _intent_from(row: Mapping[str, Any]) -> OrderIntent:
    return OrderIntent(
        strategy=row["strategy"],
        ticker=row["ticker"],
        side=Side(row["side"]),
        outcome=Outcome(row["outcome"]),
        count=Decimal(row["count"]),
        price=Decimal(row["price"]),
        rests=row["rests"],
        why=row["why"],
    )
