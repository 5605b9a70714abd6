"""The answers of the account's lists: settlements, stored trades, resting orders, deposits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coliseum.http.answers import Answer, Failure, Listing
from coliseum.http.field_types import Contracts, Dollars, Price, UtcTime
from coliseum.portfolio.answers import TradeData, trade_data
from coliseum.portfolio.orders import BoundOrder
from coliseum.portfolio.records import StoredTrade
from coliseum.trading.markets import Settlement
from coliseum.trading.money import ZERO
from coliseum.trading.transfers import Transfer


class SettlementData(Answer):
    """The end of one market in which the account traded."""

    ticker: str
    event_ticker: str
    result: str = Field(description="`yes`, `no` or `scalar`, as the exchange says it.", examples=["yes"])
    yes_bought: Contracts = Field(
        description="Every YES contract that was bought. A sale of NO counts: it is a purchase of YES."
    )
    yes_cost: Dollars = Field(description="Dollars paid for them, without fees.")
    no_bought: Contracts = Field(description="Every NO contract that was bought.")
    no_cost: Dollars
    held: Contracts = Field(description="Held at the end: YES above 0, NO below. Pairs of both were paid out before.")
    revenue: Dollars = Field(description="Dollars paid at settlement, for what was held.")
    fees: Dollars = Field(description="The sum of the fees of all fills in this market.")
    settled_at: UtcTime
    source: Literal["kalshi", "postgres"] = Field(
        description="`postgres`: kept earlier; the exchange no longer lists it, or does not answer."
    )


class SettlementsAnswer(Listing[SettlementData]):
    """Settlements, newest first."""

    failures: list[Failure] = Field(description="Sources that were asked and did not answer.")


class StoredTradeData(TradeData):
    """One stored execution."""

    correction: bool = Field(description="True where the bot corrected an earlier report; this is the corrected one.")
    recorded_at: UtcTime = Field(description="When it was written to Postgres.")


class StoredTradesAnswer(Listing[StoredTradeData]):
    """The bot's stored trades, newest first."""


class OrderData(Answer):
    """One order that waits in the exchange's book."""

    order_id: str
    client_order_id: str | None
    ticker: str
    outcome: Literal["yes", "no"] = Field(
        description="What a fill buys. A sale of YES rests as a purchase of NO, which pays the same."
    )
    price: Price = Field(description="Dollars per contract of `outcome`: the most that it pays.")
    yes_price: Price = Field(description="The same as a price of YES, as the order book shows it.")
    remaining: Contracts = Field(description="Contracts that are not filled yet.")
    filled: Contracts
    initial: Contracts
    closing: Contracts = Field(
        description="Contracts of `remaining` that would close an open position. They bind nothing."
    )
    collateral: Dollars = Field(description="Bound while it rests: the other contracts times price, without fees.")
    created_at: UtcTime | None
    updated_at: UtcTime | None
    expires_at: UtcTime | None = Field(description="Null: it stays until it is filled or canceled.")


class OrdersAnswer(Listing[OrderData]):
    """Resting orders, newest first."""

    total_orders: int = Field(description="Of all pages.")
    total_collateral: Dollars = Field(description="Bound by the orders of all pages together.")
    failures: list[Failure] = Field(description="Why older data is served.")


class TransferData(Answer):
    """One deposit or withdrawal."""

    id: str
    kind: Literal["deposit", "withdrawal"]
    status: str = Field(description="`pending`, `applied`, `failed` or `returned`. Only `applied` is in the balance.")
    method: str = Field(description="`ach`, `wire`, `crypto`, `debit` or `apm`.")
    amount: Dollars = Field(description="Above 0 in both directions.")
    fee: Dollars = Field(description="Charged for the transfer itself.")
    created_at: UtcTime
    finalized_at: UtcTime | None


class DepositsAnswer(Listing[TransferData]):
    """Deposits and withdrawals, newest first."""

    deposited: Dollars = Field(description="The applied deposits of all pages.")
    withdrawn: Dollars = Field(description="The applied withdrawals of all pages.")
    net: Dollars = Field(description="`deposited` less `withdrawn`.")
    failures: list[Failure] = Field(description="Why older data is served.")


def settlement_data(settlement: Settlement, source: str) -> SettlementData:
    return SettlementData(
        ticker=settlement.ticker,
        event_ticker=settlement.event_ticker,
        result=settlement.result,
        yes_bought=settlement.yes_count,
        yes_cost=settlement.yes_cost,
        no_bought=settlement.no_count,
        no_cost=settlement.no_cost,
        held=settlement.yes_count - settlement.no_count,
        revenue=settlement.revenue,
        fees=settlement.fee,
        settled_at=settlement.settled_at,
        source="kalshi" if source == "kalshi" else "postgres",
    )


def stored_trade_data(row: StoredTrade) -> StoredTradeData:
    return StoredTradeData(**trade_data(row.trade).model_dump(), correction=row.correction, recorded_at=row.recorded_at)


def order_data(bound: BoundOrder) -> OrderData:
    order = bound.order
    return OrderData(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        ticker=order.ticker,
        outcome=order.outcome.value,
        price=order.price,
        yes_price=order.yes_price,
        remaining=order.remaining,
        filled=order.filled,
        initial=order.initial,
        closing=bound.closing,
        collateral=bound.collateral,
        created_at=order.created_at,
        updated_at=order.updated_at,
        expires_at=order.expires_at,
    )


def transfer_data(transfer: Transfer) -> TransferData:
    return TransferData(
        id=transfer.transfer_id,
        kind=transfer.kind.value,
        status=transfer.status,
        method=transfer.method,
        amount=transfer.amount,
        fee=transfer.fee,
        created_at=transfer.created_at,
        finalized_at=transfer.finalized_at,
    )


def collateral_of(orders: tuple[BoundOrder, ...]) -> Dollars:
    return sum((bound.collateral for bound in orders), ZERO)
