"""What the routes of the paper accounts answer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coliseum.arena.api.public.answers import TrackName
from coliseum.http.answers import Answer, Listing, Sourced
from coliseum.http.field_types import Contracts, Dollars, Price, UtcTime


class AccountData(Answer):
    """A paper account as its last mark shows it."""

    account_id: str = Field(examples=["2026Q4/market/flat"])
    season: str
    agent_id: str
    track: TrackName = Field(description="The forecasts that it trades on.")
    policy: Literal["flat", "quarter_kelly", "self_sized"]
    deposit: Dollars
    marked_at: UtcTime | None
    cash: Dollars | None
    equity: Dollars | None = Field(description="Cash plus positions at the bid after fee.")
    realized: Dollars = Field(description="Profit of closed and settled contracts, before fees.")
    fees: Dollars
    entries: int = Field(description="Rows of the ledger that are public.")


class AccountsAnswer(Listing[AccountData]):
    """Paper accounts by id."""


class PositionData(Answer):
    """Contracts that an account holds."""

    ticker: str
    side: Literal["yes", "no"]
    contracts: Contracts
    cost: Dollars = Field(description="Paid for them, without fees.")
    average_cost: Price


class MarkData(Answer):
    """What an account was worth at one moment."""

    at: UtcTime
    cash: Dollars
    equity: Dollars


class FiguresData(Answer):
    """What an account made of its forecasts, from its public books and hourly marks. Null where there is too little."""

    value: Dollars = Field(description="Account value at liquidation: positions at the bid after fees.")
    net_of_models: Dollars = Field(description="`value` less what the agent's model calls of the season cost.")
    unrealized: Dollars
    turnover: Dollars = Field(description="Of contracts bought, and sold before settlement.")
    exposure: Dollars = Field(description="Cost of the open positions.")
    roi: float | None
    bets: int = Field(description="Markets that are over.")
    win_rate: float | None = Field(description="Share of the bets with a profit after fees.")
    win_interval: tuple[float, float] | None = Field(description="95 % Wilson interval.")
    profit_factor: float | None = Field(description="Winners' profit over losers' loss.")
    max_drawdown: float | None = Field(description="Largest fall from a peak, as a share of it, on hourly marks.")
    drawdown_hours: float | None = Field(description="Longest time below an earlier peak.")
    daily_volatility: float | None
    sharpe: float | None = Field(description="365 days, zero rate, from 30 daily returns; likewise Sortino.")
    sortino: float | None
    per_bet_sharpe: float | None = Field(description="Mean over deviation of the bets' returns, not annualised.")
    log_growth_per_bet: float | None


class AccountAnswer(Sourced, AccountData):
    """A paper account, its books replayed."""

    ledger_cash: Dollars = Field(description="Cash by the ledger's public rows.")
    positions: list[PositionData] = Field(description="By the ledger's public rows.")
    figures: FiguresData
    curve: list[MarkData] = Field(description="The newest marks, oldest first; `/curve` has them all.")
    reasons: dict[str, int] = Field(description="The newest decisions by reason: why it traded or did not.")


class MarksAnswer(Listing[MarkData]):
    """An account's equity curve, oldest first."""


class LedgerData(Answer):
    """One row of an account's ledger, which only grows."""

    account_id: str
    seq: int
    key: str = Field(description="The happening; no account has it twice.")
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
    """An account's ledger, oldest first. It stops before the first trade of a round that is still open."""


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
    """Where an account's profit on settled orders comes from; the parts add up to `net` exactly."""

    account_id: str
    agent_id: str
    policy: str
    orders: int = Field(description="Settled orders that are explained here.")
    staked: Dollars = Field(description="Paid for them, without fees.")
    edge: Dollars = Field(description="What the forecasts promised over the mid, at equal stakes.")
    sizing: Dollars = Field(description="What staking more on some than on others added to that promise.")
    spread: Dollars = Field(description="From the mid to the best ask; a cost is negative.")
    depth: Dollars = Field(description="From the best ask to the price really paid.")
    fees: Dollars
    luck: Dollars = Field(description="Outcomes against the own forecasts; a lasting loss here is overconfidence.")
    net: Dollars = Field(description="Profit of these orders after fees.")
    waiting: int = Field(description="Orders whose market has no result yet; they are not in the parts.")
    unexplained: int = Field(description="Settled orders without a frozen mid or forecast; not in the parts.")


class AttributionAnswer(Listing[AttributionData]):
    """The waterfall by account."""
