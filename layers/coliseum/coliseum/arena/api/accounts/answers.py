"""Answers of the routes for paper accounts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coliseum.arena.api.public.answers import TrackName
from coliseum.http.answers import Answer, Listing, Sourced
from coliseum.http.field_types import Contracts, Dollars, Price, UtcTime


class AccountData(Answer):
    """A paper account with the value of its last mark."""

    account_id: str = Field(examples=["2026Q4/market/flat"])
    season: str
    agent_id: str
    track: TrackName = Field(description="It trades on the forecasts of this track.")
    policy: Literal["flat", "quarter_kelly", "self_sized"]
    deposit: Dollars
    marked_at: UtcTime | None
    cash: Dollars | None
    equity: Dollars | None = Field(description="Cash plus the positions at the bid price, after fees.")
    realized: Dollars = Field(description="Profit of closed and settled contracts, before fees.")
    fees: Dollars
    entries: int = Field(description="Number of public ledger rows.")


class AccountsAnswer(Listing[AccountData]):
    """Paper accounts by id."""


class PositionData(Answer):
    """Contracts that an account holds."""

    ticker: str
    side: Literal["yes", "no"]
    contracts: Contracts
    cost: Dollars = Field(description="Paid for the contracts, without fees.")
    average_cost: Price


class MarkData(Answer):
    """The value of an account at one time."""

    at: UtcTime
    cash: Dollars
    equity: Dollars


class FiguresData(Answer):
    """Figures of an account, from its public ledger rows and hourly marks. Null where there is too little data."""

    value: Dollars = Field(
        description="Account value at liquidation: cash plus the positions at the bid price, after fees."
    )
    net_of_models: Dollars = Field(description="`value` minus the cost of the agent's model calls in this season.")
    unrealized: Dollars
    turnover: Dollars = Field(description="Dollars of contracts bought, and of contracts sold before settlement.")
    exposure: Dollars = Field(description="Cost of the open positions.")
    roi: float | None
    bets: int = Field(description="Markets that are settled or closed in full.")
    win_rate: float | None = Field(description="Share of the bets with a profit after fees.")
    win_interval: tuple[float, float] | None = Field(description="95 % Wilson interval.")
    profit_factor: float | None = Field(
        description="Profit of the winning bets divided by the loss of the losing ones."
    )
    max_drawdown: float | None = Field(description="Largest fall from a peak, as a share of the peak, on hourly marks.")
    drawdown_hours: float | None = Field(description="Longest time below an earlier peak.")
    daily_volatility: float | None
    sharpe: float | None = Field(
        description="Annualised with 365 days and a zero rate. Needs 30 daily returns. The same holds for Sortino."
    )
    sortino: float | None
    per_bet_sharpe: float | None = Field(
        description="Mean of the returns of the bets divided by their standard deviation; not annualised."
    )
    log_growth_per_bet: float | None


class AccountAnswer(Sourced, AccountData):
    """A paper account with its positions, figures and newest marks."""

    ledger_cash: Dollars = Field(description="Cash according to the public ledger rows.")
    positions: list[PositionData] = Field(description="According to the public ledger rows.")
    figures: FiguresData
    curve: list[MarkData] = Field(description="The newest marks, oldest first. `/curve` has all of them.")
    reasons: dict[str, int] = Field(
        description="Number of the newest decisions by reason: why it traded or did not trade."
    )


class MarksAnswer(Listing[MarkData]):
    """The equity curve of an account, oldest first."""


class LedgerData(Answer):
    """One row of an account's ledger. Rows are only added, never changed."""

    account_id: str
    seq: int
    key: str = Field(description="What caused the row. An account has at most one row with this key.")
    kind: Literal["deposit", "buy", "close", "fee", "settle", "reverse"]
    ticker: str | None
    side: Literal["yes", "no"] | None
    contracts: Contracts | None
    price: Price | None = Field(description="Per contract of `side`.")
    cash: Dollars = Field(description="Signed change of cash.")
    realized: Dollars
    round_id: str | None
    at: UtcTime


class LedgerAnswer(Listing[LedgerData]):
    """The ledger of an account, oldest first. It ends before the first trade of a round that is still open."""


class PaperDecisionData(Answer):
    """What an account did with a forecast, and why."""

    decision_id: str
    account_id: str
    round_id: str
    ticker: str
    track: TrackName
    action: Literal["trade", "none"]
    reason: str
    side: Literal["yes", "no"] | None
    contracts: Contracts | None
    average_price: Price | None
    fee: Dollars | None
    at: UtcTime


class PaperDecisionsAnswer(Listing[PaperDecisionData]):
    """An account's decisions in closed rounds, newest first."""


class AttributionData(Answer):
    """Sources of the profit of an account's settled orders. The parts add up to `net` exactly."""

    account_id: str
    agent_id: str
    policy: str
    orders: int = Field(description="Settled orders that the parts cover.")
    staked: Dollars = Field(description="Paid for the contracts, without fees.")
    edge: Dollars = Field(description="Profit that the forecasts promised compared with the mid, at equal stakes.")
    sizing: Dollars = Field(description="What unequal stakes added to that promise.")
    spread: Dollars = Field(description="From the mid to the best ask; a cost is negative.")
    depth: Dollars = Field(description="From the best ask to the price that was paid.")
    fees: Dollars
    luck: Dollars = Field(
        description="Outcomes compared with the agent's own forecasts. A lasting loss here is overconfidence."
    )
    net: Dollars = Field(description="Profit of these orders after fees.")
    waiting: int = Field(description="Orders whose market has no result yet. They are not in the parts.")
    unexplained: int = Field(description="Settled orders without a frozen mid or forecast. They are not in the parts.")


class AttributionAnswer(Listing[AttributionData]):
    """Attribution of profit, by account."""
