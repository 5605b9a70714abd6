"""The answer of the reconciliation route: our books, and the bot's trades, held against the exchange. Pure."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coliseum.http.answers import Answer, Failure, Listing
from coliseum.http.field_types import Contracts, Price, UtcTime, utc_from
from coliseum.portfolio.answers import ReconciliationData
from coliseum.trading.bot_check import ReportedTrade, TradeDifference
from coliseum.trading.trades import Fill


class UnconfirmedData(Answer):
    """A trade of the bot without a fill."""

    trade_id: str
    order_id: str | None
    ticker: str
    side: Literal["BUY", "SELL"]
    outcome: Literal["yes", "no"] | None
    quantity: Contracts
    price: Price
    timestamp: UtcTime = Field(description="By the bot's clock.")
    seen_at: UtcTime | None = Field(description="When we stored it, by our clock; null where Postgres does not answer.")


class UnreportedFillData(Answer):
    """A fill of the account that is no trade of the bot."""

    fill_id: str
    order_id: str
    ticker: str
    side: Literal["BUY", "SELL"]
    outcome: Literal["yes", "no"]
    quantity: Contracts
    price: Price
    timestamp: UtcTime = Field(description="By the exchange's clock.")


class TradeDifferenceData(Answer):
    """Trades and fills of one execution, or of one order, that say different things."""

    trade_ids: list[str]
    fill_ids: list[str]
    order_id: str
    ticker: str
    field: Literal["ticker", "side", "quantity", "price"]
    bot: str = Field(description="The bot's value: contracts, or dollars per YES contract.", examples=["5.00"])
    exchange: str = Field(description="The exchange's value.", examples=["4.00"])
    timestamp: UtcTime = Field(description="Of the newest fill, by the exchange's clock.")


class BotReconciliationAnswer(Answer):
    """What our books and the exchange, and what the bot and the exchange have differently."""

    as_of: UtcTime
    since: UtcTime
    until: UtcTime
    books: ReconciliationData
    status: Literal["agrees", "differs", "unknown"] = Field(
        description="The bot against the exchange. `unknown`: not compared, for the reason in `error`."
    )
    mode: str | None = Field(description="The bot's mode. The trades of a bot on paper need no fill.")
    mode_warning: str | None
    source: Literal["postgres", "bot_live"] | None = Field(
        description="Where the bot's trades are from. `bot_live`: Postgres does not answer, so only the trades that "
        "the bot lists now are compared, and no fill is called unreported."
    )
    matched: int = Field(ge=0, description="Trades that have their fill, whether or not it differs.")
    unconfirmed: list[UnconfirmedData] = Field(description="Trades without a fill, newest first.")
    unreported_fills: list[UnreportedFillData] = Field(description="Fills without a trade, newest first.")
    different: list[TradeDifferenceData] = Field(description="Trades that differ from their fills, newest first.")
    error: str | None = Field(description="Why the bot was not compared.")
    failures: list[Failure] = Field(description="Sources that were asked first and did not answer.")


class ReconciliationRow(Answer):
    """One row of the table: a trade without a fill, a fill without a trade, or a difference."""

    kind: Literal["unconfirmed", "unreported_fill", "different"]
    ticker: str
    trade_id: str | None = Field(description="Several ids are joined by spaces.")
    fill_id: str | None
    order_id: str | None
    side: Literal["BUY", "SELL"] | None
    outcome: Literal["yes", "no"] | None
    quantity: Contracts | None
    price: Price | None
    timestamp: UtcTime
    seen_at: UtcTime | None
    field: str | None
    bot: str | None
    exchange: str | None


def unconfirmed_data(row: ReportedTrade) -> UnconfirmedData:
    trade = row.trade
    return UnconfirmedData(
        trade_id=trade.trade_id,
        order_id=trade.order_id,
        ticker=trade.ticker,
        side=trade.side.value,
        outcome=None if trade.outcome is None else trade.outcome.value,
        quantity=trade.quantity,
        price=trade.price,
        timestamp=utc_from(trade.timestamp),
        seen_at=utc_from(row.seen_at) if row.seen_at > 0 else None,
    )


def unreported_data(fill: Fill) -> UnreportedFillData:
    trade = fill.as_trade()
    outcome: Literal["yes", "no"] = (trade.outcome or fill.outcome).value
    return UnreportedFillData(
        fill_id=fill.fill_id,
        order_id=fill.order_id,
        ticker=fill.ticker,
        side=trade.side.value,
        outcome=outcome,
        quantity=trade.quantity,
        price=trade.price,
        timestamp=utc_from(fill.timestamp),
    )


def trade_difference_data(difference: TradeDifference) -> TradeDifferenceData:
    newest = max(difference.fills, key=lambda fill: fill.timestamp)
    return TradeDifferenceData(
        trade_ids=[trade.trade_id for trade in difference.trades],
        fill_ids=[fill.fill_id for fill in difference.fills],
        order_id=newest.order_id,
        ticker=newest.ticker,
        field=difference.field,
        bot=difference.bot,
        exchange=difference.exchange,
        timestamp=utc_from(newest.timestamp),
    )


def reconciliation_table(answer: BotReconciliationAnswer) -> Listing[ReconciliationRow]:
    """The three lists as one, in the answer's order."""
    empty = dict.fromkeys(ReconciliationRow.model_fields)
    rows = [ReconciliationRow(**{**empty, **row.model_dump(), "kind": "unconfirmed"}) for row in answer.unconfirmed]
    rows += [
        ReconciliationRow(**{**empty, **row.model_dump(), "kind": "unreported_fill"}) for row in answer.unreported_fills
    ]
    for row in answer.different:
        ids = {"trade_id": " ".join(row.trade_ids), "fill_id": " ".join(row.fill_ids)}
        fields = row.model_dump(exclude={"trade_ids", "fill_ids"})
        rows.append(ReconciliationRow(**{**empty, **fields, **ids, "kind": "different"}))
    return Listing[ReconciliationRow](
        items=rows,
        count=len(rows),
        next_cursor=None,
        source=answer.source or "none",
        as_of=answer.as_of,
        stale=bool(answer.failures),
        age_seconds=0.0,
    )
