"""What people read: the title and text of a message, and the daily digest. Pure.

Every text names the alert's id. A message may arrive twice, and the id says that it is the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from coliseum.alerts.outbox import Delivery, Message
from coliseum.alerts.rules import RuleName
from coliseum.feed.timestamps import rfc3339

MAX_SUMMARY = 1500
"""Characters: the shortest limit of a service is 2,000 (Discord)."""
_MAX_LINE = 220
TITLES: Mapping[RuleName, str] = {
    RuleName.BOT_OFFLINE: "Bot offline",
    RuleName.BOT_IDLE: "Bot idle",
    RuleName.NO_POLLER: "No poller",
    RuleName.TRADES_LOST: "Trades lost",
    RuleName.FILLS_DIFFER: "Trades and fills differ",
    RuleName.BOOKS_DIFFER: "Books differ from the exchange",
    RuleName.DAY_LOSS: "Loss of the day",
    RuleName.DRAWDOWN: "Drawdown",
    RuleName.EXPOSURE: "Exposure",
    RuleName.EVENT_EXPOSURE: "Exposure to one event",
    RuleName.CLOSING: "Market closes soon",
    RuleName.EXCHANGE_CHANGED: "Exchange changed its interface",
    RuleName.EXCHANGE_PAUSED: "Exchange paused",
    RuleName.KEY_REFUSED: "API key refused",
    RuleName.BUDGET: "Model budget",
    RuleName.SILENT_MODEL: "Model without answers",
    RuleName.BOARD_RANK: "New leader",
    RuleName.DIGEST: "Daily digest",
    RuleName.TEST: "Test",
}
_BEFORE = {"raised": "", "noted": "", "cleared": "Over: ", "repeated": "Still: "}


@dataclass(frozen=True, slots=True)
class WrittenMessage:
    """What a service gets."""

    title: str
    body: str


def write(message: Message) -> WrittenMessage:
    """One alert, or a summary whose title counts them."""
    if not message.is_summary:
        (row,) = message.deliveries
        return WrittenMessage(_title(row), f"{row.text}\n{_when(row)}\nid {row.alert_id} ({row.phase})")
    lines: list[str] = []
    for number, row in enumerate(message.deliveries):
        line = f"- {_title(row)}: {row.text}"[:_MAX_LINE] + f" [id {row.alert_id} ({row.phase})]"
        if sum(map(len, lines)) + len(line) > MAX_SUMMARY:
            lines.append(f"... and {len(message.deliveries) - number} more: GET /api/python/alerts lists them.")
            break
        lines.append(line)
    return WrittenMessage(f"Coliseum: {len(message.deliveries)} more alerts", "\n".join(lines))


def _title(row: Delivery) -> str:
    rule = row.alert_id.partition(":")[0]
    name = TITLES[RuleName(rule)] if rule in {each.value for each in RuleName} else rule
    return f"Coliseum: {_BEFORE[row.phase.partition('-')[0]]}{name}"


def _when(row: Delivery) -> str:
    return f"{row.severity.value}, {rfc3339(int(row.at * 1000))}"


def digest_text(figures: Mapping[str, Any]) -> str:
    """The last 24 hours in a few sentences. An unknown figure is left out."""
    parts: list[str] = []
    equity, before = figures.get("equity"), figures.get("equity_before")
    if equity is not None:
        parts.append(f"Equity is ${Decimal(equity):.2f}")
        if before is not None:
            change = Decimal(equity) - Decimal(before)
            parts[-1] += f" ({change:+.2f} in 24 hours, deposits included)"
        parts[-1] += "."
    realized, fees = Decimal(str(figures.get("realized", "0"))), Decimal(str(figures.get("fees", "0")))
    parts.append(f"Realized ${realized:.2f}, fees ${fees:.2f}, {figures.get('trades', 0)} trades.")
    lost = int(figures.get("lost", 0))
    parts.append(f"{lost} trades of the bot are lost." if lost else "No trade was lost.")
    cost = Decimal(str(figures.get("model_cost", "0")))
    parts.append(f"The arena opened {figures.get('rounds', 0)} rounds, and its models cost ${cost:.4f}.")
    return " ".join(parts)
