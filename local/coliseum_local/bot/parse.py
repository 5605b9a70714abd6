"""The exchange's JSON rows as the bot's types. A missing or malformed field raises SourceMalformed that names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from coliseum.errors import InvalidInput, SourceMalformed
from coliseum.trading.money import ONE, ZERO, decimal_from
from coliseum_local.bot.models import BotPosition, Quote

SOURCE = "exchange"


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRow:
    """One fill of the account."""

    fill_id: str
    order_id: str
    ticker: str
    outcome_side: str
    action: str
    """buy or sell; empty where the exchange does not say."""
    count: Decimal
    yes_price: Decimal
    no_price: Decimal
    fee: Decimal
    time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One order of the account."""

    order_id: str
    client_order_id: str
    remaining: Decimal
    status: str


def quote_from(row: Mapping[str, Any]) -> Quote:
    bid, ask = number(row, "yes_bid_dollars"), number(row, "yes_ask_dollars")
    steps = [number(each, "step") for each in field(row, "price_ranges")]
    return Quote(
        ticker=str(field(row, "ticker")),
        bid=bid if bid > ZERO else None,
        ask=ask if ask < ONE else None,
        bid_size=number(row, "yes_bid_size_fp"),
        ask_size=number(row, "yes_ask_size_fp"),
        step=max(steps, default=Decimal("0.01")),
        close_time=time_from(row, "close_time"),
    )


def holding_from(row: Mapping[str, Any]) -> BotPosition:
    return BotPosition(
        ticker=str(field(row, "ticker")),
        contracts=number(row, "position_fp"),
        cost=number(row, "market_exposure_dollars"),
        realized=number(row, "realized_pnl_dollars"),
        fees=number(row, "fees_paid_dollars"),
    )


def fill_from(row: Mapping[str, Any]) -> FillRow:
    return FillRow(
        fill_id=str(field(row, "fill_id")),
        order_id=str(field(row, "order_id")),
        ticker=str(field(row, "ticker")),
        outcome_side=str(field(row, "outcome_side")),
        action=str(row.get("action") or ""),
        count=number(row, "count_fp"),
        yes_price=number(row, "yes_price_dollars"),
        no_price=number(row, "no_price_dollars"),
        fee=number(row, "fee_cost"),
        time=time_from(row, "created_time"),
    )


def order_from(row: Mapping[str, Any]) -> OrderRow:
    return OrderRow(
        order_id=str(field(row, "order_id")),
        client_order_id=str(row.get("client_order_id") or ""),
        remaining=number(row, "remaining_count_fp"),
        status=str(field(row, "status")),
    )


def field(row: Mapping[str, Any], name: str) -> Any:
    if row.get(name) is None:
        raise SourceMalformed(SOURCE, f"{name}: expected a value, got none", field=name)
    return row[name]


def number(row: Mapping[str, Any], name: str) -> Decimal:
    try:
        return decimal_from(field(row, name), field=name)
    except InvalidInput as error:
        raise SourceMalformed(SOURCE, str(error), field=name) from None


def time_from(row: Mapping[str, Any], name: str) -> float:
    try:
        return datetime.fromisoformat(str(field(row, name))).timestamp()
    except ValueError:
        raise SourceMalformed(SOURCE, f"{name}: expected an RFC 3339 time, got {row[name]!r}", field=name) from None
