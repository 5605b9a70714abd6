"""The answers about profit: by group, and as lots."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from coliseum.http.answers import Answer, Failure, Listing
from coliseum.http.field_types import Contracts, Dollars, Price, UtcTime, utc_from
from coliseum.portfolio.lots import Lot, Unmatched
from coliseum.portfolio.pnl_rows import PnlRow

NOTICE = (
    "First-in-first-out lots of this account's own fills and settlements, for your records. This is no tax advice: "
    "what must be declared, and by which method, depends on where you live."
)


class PnlData(Answer):
    """Profit of one group."""

    group: str = Field(
        description="The market, event, series, category, day or strategy. `unknown` where it is not known, `several` "
        "for settlements of markets that several strategies traded.",
        examples=["KXRAIN-26NOV21"],
    )
    realized_pnl: Dollars | None = Field(
        description="Profit of contracts that were closed by trades or settled, at average cost, before fees. Null "
        "where a part is unknown."
    )
    settled_pnl: Dollars | None = Field(description="The part of `realized_pnl` that settlements made.")
    fees: Dollars | None
    closed_pnl: Dollars | None = Field(description="`realized_pnl` less fees.")
    unrealized_pnl: Dollars | None = Field(description="Of the positions that are open now, at the bid.")
    unrealized_low: Dollars | None = Field(
        description="A bound where `unrealized_pnl` is null for want of a bid: a contract without one counts 0."
    )
    unrealized_high: Dollars | None = Field(description="The same with a dollar for each contract without a bid.")
    net_pnl: Dollars | None = Field(description="`closed_pnl` plus `unrealized_pnl`.")
    open_cost: Dollars | None = Field(description="Paid for the contracts that are open now, without fees.")
    fills: int
    markets: int = Field(description="Markets with a fill, a settlement or an open position.")
    first_at: UtcTime | None = Field(description="The first fill or settlement.")
    last_at: UtcTime | None
    reasons: list[str] = Field(description="Why a number is null.")


class PnlAnswer(Listing[PnlData]):
    """Profit by group, days newest first, everything else in alphabetical order."""

    by: Literal["market", "event", "series", "category", "day", "strategy"]
    time_zone: str = Field(description="In which the days are.")
    totals: PnlData = Field(description="All groups of all pages together.")
    failures: list[Failure] = Field(description="Sources that did not answer.")


class LotData(Answer):
    """Contracts that were bought together, and what closed them."""

    ticker: str
    outcome: Literal["yes", "no"]
    contracts: Contracts
    status: Literal["closed", "open"]
    opened_at: UtcTime | None
    open_price: Price | None = Field(description="Dollars per contract.")
    cost: Dollars | None = Field(description="Contracts times price, without fees.")
    open_fees: Dollars | None = Field(description="This lot's part of the fees of the fill that opened it.")
    closed_at: UtcTime | None
    close_price: Price | None = Field(
        description="A sale's price, which is a dollar less the price of the other outcome that was bought; or what "
        "the settlement paid per contract."
    )
    proceeds: Dollars | None = Field(description="Without fees.")
    close_fees: Dollars | None
    closed_by: Literal["trade", "settlement"] | None
    result: str | None = Field(description="The market's result, where a settlement closed the lot.")
    gain: Dollars | None = Field(description="Proceeds less cost and both fees.")
    held_seconds: float | None = Field(description="From opening to closing.")
    opening_fill_id: str | None
    closing_fill_id: str | None
    reason: str | None = Field(description="Why the opening and the gain are null.")


class UnmatchedData(Answer):
    """Money of a settlement for contracts that are in no fill that we know."""

    ticker: str
    at: UtcTime
    cash: Dollars


class LotsAnswer(Listing[LotData]):
    """Closed lots in the order of their closing, then the open ones in the order of their opening."""

    notice: str = Field(examples=[NOTICE])
    total_lots: int = Field(description="Of all pages.")
    total_gain: Dollars | None = Field(
        description="Of the closed lots of all pages. Null where one of them has no known gain."
    )
    total_open_cost: Dollars = Field(description="Cost and fees of the open lots of all pages.")
    unmatched: list[UnmatchedData]
    reasons: list[str] = Field(description="What is not known of the account's history; lots may be missing.")
    failures: list[Failure] = Field(description="Sources that did not answer.")


def pnl_data(row: PnlRow) -> PnlData:
    return PnlData(
        group=row.group,
        realized_pnl=row.realized,
        settled_pnl=row.settled,
        fees=row.fees,
        closed_pnl=row.closed,
        unrealized_pnl=row.unrealized,
        unrealized_low=row.unrealized_low,
        unrealized_high=row.unrealized_high,
        net_pnl=row.net,
        open_cost=row.open_cost,
        fills=row.fills,
        markets=row.markets,
        first_at=_time(row.first_at),
        last_at=_time(row.last_at),
        reasons=list(row.reasons),
    )


def lot_data(lot: Lot) -> LotData:
    opening, closing = lot.opening, lot.closing
    return LotData(
        ticker=lot.ticker,
        outcome=lot.outcome.value,
        contracts=lot.contracts,
        status="open" if closing is None else "closed",
        opened_at=None if opening is None else utc_from(opening.at),
        open_price=None if opening is None else opening.price,
        cost=None if opening is None else opening.cost,
        open_fees=None if opening is None else opening.fees,
        closed_at=None if closing is None else utc_from(closing.at),
        close_price=None if closing is None else closing.price,
        proceeds=None if closing is None else closing.proceeds,
        close_fees=None if closing is None else closing.fees,
        closed_by=None if closing is None else closing.by.value,
        result=None if closing is None else closing.result,
        gain=lot.gain,
        held_seconds=None if lot.held_seconds is None else round(lot.held_seconds, 3),
        opening_fill_id=None if opening is None else opening.fill_id,
        closing_fill_id=None if closing is None else closing.fill_id,
        reason=None if opening is not None else "the purchase of these contracts is in no fill that we know",
    )


def unmatched_data(each: Unmatched) -> UnmatchedData:
    return UnmatchedData(ticker=each.ticker, at=utc_from(each.at), cash=each.cash)


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else utc_from(seconds)
