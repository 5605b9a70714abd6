"""The answers of the portfolio routes. Money is exact text, unknown is null, every part has its source and age."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from pydantic import Field

from coliseum.http.answers import Answer, Failure, IdentityData, Listing, Sourced
from coliseum.http.field_types import Contracts, Dollars, Price, UtcTime, utc_from
from coliseum.portfolio.positions import PortfolioPosition
from coliseum.portfolio.reconciliation import Discrepancy
from coliseum.portfolio.records import BalanceSnapshot
from coliseum.trading.trades import Trade

Data = TypeVar("Data")


class ShardCashData(Answer):
    """The cash on one of the exchange's shards."""

    exchange_index: int = Field(description="0 is the default shard.")
    cash: Dollars


class BalanceData(Answer):
    """The account's money."""

    cash: Dollars = Field(description="Dollars that can be spent.")
    portfolio_value: Dollars = Field(description="The exchange's value of the open positions.")
    equity: Dollars = Field(description="Cash plus portfolio value.")
    updated_at: UtcTime = Field(description="When the exchange last changed the balance.")
    balance_breakdown: list[ShardCashData] | None = Field(
        description="The cash on each shard; null where the exchange does not send it, as for a key of one subaccount."
    )


class BalanceAnswer(Sourced, BalanceData):
    """The account's money, with its source and age."""

    failures: list[Failure] = Field(description="Why it is stale; empty where the exchange answered.")


class PositionData(Answer):
    """One open position."""

    ticker: str
    side: Literal["yes", "no"] = Field(description="The outcome that the contracts pay on.")
    contracts: Contracts
    average_cost: Price = Field(description="Paid per contract, without fees.")
    exposure: Dollars = Field(description="Dollars paid for the open contracts: the most that can still be lost.")
    realized_pnl: Dollars = Field(description="Profit of contracts already closed, before fees.")
    fees: Dollars
    mark: Price | None = Field(
        description="Best bid for this side; null without a bid, or where the market data does not answer."
    )
    market_value: Dollars | None = Field(description="Contracts times mark.")
    unrealized_pnl: Dollars | None = Field(description="Market value less exposure.")
    event_ticker: str | None = Field(description="Null where the market data did not answer, like the fields below.")
    title: str | None = Field(description="The market's question.")
    side_meaning: str | None = Field(
        description="What `side` stands for, in words: the contracts pay a dollar each if this comes true.",
        examples=["not: 50° or above"],
    )
    close_time: UtcTime | None = Field(description="When trading ends. A market may close earlier.")
    closes_in_seconds: float | None = Field(
        ge=0, description="Seconds from this answer to `close_time`; 0 once it is over.", examples=[5400.0]
    )
    crossed: bool | None = Field(
        description="True where the market's bid is not below its ask: one of the two is out of date, so `mark` is "
        "doubtful."
    )


class PositionsAnswer(Listing[PositionData]):
    """Open positions, largest exposure first."""

    failures: list[Failure] = Field(
        description="Sources that did not answer; the numbers that need them are null or older."
    )


class TradeData(Answer):
    """One execution."""

    trade_id: str
    ticker: str
    side: Literal["BUY", "SELL"] = Field(description="What was done with contracts of `outcome`.")
    outcome: Literal["yes", "no"] | None = Field(description="Null where the bot does not say.")
    quantity: Contracts
    price: Price = Field(description="Dollars per contract of `outcome`.")
    timestamp: UtcTime
    fee: Dollars | None = Field(description="Null is unknown, not zero.")
    order_id: str | None
    source: str = Field(description="Where this trade was read from: `bot_live` or `kalshi`.")
    backfilled: bool = Field(description="Read later from the exchange, because the bot no longer listed it.")
    clock_ahead_seconds: float | None = Field(
        description="By how much `timestamp`, the bot's own time, was ahead of our clock; null where it was not."
    )
    strategy: str | None = Field(description="The strategy that the bot named with it. Null on the exchange's fills.")


class FillsAnswer(Listing[TradeData]):
    """Trade history, newest first."""

    failures: list[Failure] = Field(description="Sources that were asked first and did not answer.")


class Refusal(Answer):
    """A row of the bot's list that is not a valid trade."""

    trade_id: str | None
    problem: str


class LiveTradesAnswer(Listing[TradeData]):
    """The bot's trades, newest first."""

    rejected: list[Refusal] = Field(
        description="Rows of the bot's list that are not valid trades, each with the reason."
    )
    failures: list[Failure] = Field(description="Sources that were asked first and did not answer.")


class SnapshotData(Answer):
    """The account at one moment."""

    taken_at: UtcTime
    cash: Dollars
    portfolio_value: Dollars
    equity: Dollars
    source: str


class HistoryAnswer(Listing[SnapshotData]):
    """The equity curve, oldest first."""


class Part(Answer, Generic[Data]):
    """A part of the summary. Each part can fail alone; `data` is null where nothing is known."""

    data: Data | None
    source: str | None
    as_of: UtcTime | None
    stale: bool
    age_seconds: float | None
    error: str | None = Field(description="Why there is no data, or why it is stale.")


class IdleData(Answer):
    """Why the bot trades nothing in some markets."""

    reason: str
    markets: int | None = Field(description="Markets it holds for; null where the bot does not count them.")


class BotData(Answer):
    """The bot's status from the bot itself, or the last one that the poller received."""

    status: Literal["online", "offline", "unknown"]
    mode: str | None = Field(
        description="`paper` or `live`, as the bot reported it last. Null means unknown, not paper."
    )
    mode_as_of: UtcTime | None = Field(description="When the bot reported the mode.")
    mode_stale: bool = Field(description="True where the bot did not report the mode just now.")
    mode_warning: str | None = Field(
        description="Why the mode does not fit the exchange: `live` on the sandbox or the demo, or `paper` while real "
        "money trades."
    )
    clock_ahead_seconds: float | None = Field(
        description="By how much the bot's clock is ahead of ours, as its trades showed it; null where they did not."
    )
    unconfirmed: int | None = Field(
        description="Trades that a live bot listed in the last day and that have no fill on the exchange; null where "
        "that is not compared. `/portfolio/reconciliation` lists them."
    )
    strategy: str | None
    last_error: str | None
    trade_count: int | None
    started_at: UtcTime | None = Field(
        description="When the bot's run began. Null where the bot does not say it, or not as a time with its zone."
    )
    idle_reasons: list[IdleData] = Field(description="Why the bot traded nothing in its last round, in its own words.")


class TotalsData(Answer):
    """Sums. Null where a part of the sum is unknown: a partial sum would be taken for the whole."""

    equity: Dollars | None
    equity_less_deposits: Dollars | None = Field(
        description="Equity less deposits plus withdrawals, by the exchange's own lists: all that was ever gained, "
        "with the open positions at the exchange's value. Known also where a position has no bid. Where the exchange "
        "takes the collateral of resting orders out of the cash, that is missing here too: `/portfolio/orders` has it "
        "as `total_collateral`. Null where the lists failed."
    )
    cash: Dollars | None
    open_positions: int | None
    contracts: Contracts | None
    exposure: Dollars | None
    market_value: Dollars | None = Field(description="Of the open positions, at the bid.")
    market_value_low: Dollars | None = Field(
        description="A bound where `market_value` is null: a contract without a mark counts 0. Else the same."
    )
    market_value_high: Dollars | None = Field(description="The same with a dollar for each contract without a mark.")
    unmarked: int | None = Field(description="Open positions without a bid.")
    realized_pnl: Dollars | None = Field(description="From our ledger: all markets ever traded, before fees.")
    unrealized_pnl: Dollars | None
    unrealized_low: Dollars | None = Field(description="`market_value_low` less exposure.")
    unrealized_high: Dollars | None = Field(description="`market_value_high` less exposure.")
    fees: Dollars | None = Field(description="From our ledger: all fees ever paid.")
    net_pnl: Dollars | None = Field(description="Realised plus unrealised, less fees.")


class ChangeData(Answer):
    """What happened to the equity since today began. Deposits and withdrawals of today are part of it."""

    change: Dollars | None = Field(description="Equity now less equity at the last snapshot before today began.")
    equity_before: Dollars | None
    snapshot_at: UtcTime | None = Field(
        description="When that snapshot was taken: long before today where the poller did not run."
    )
    day_started_at: UtcTime = Field(description="The start of today in `time_zone`.")
    time_zone: str = Field(description="As the parameter `tz` named it.", examples=["UTC"])
    error: str | None = Field(description="Why `change` is null.")


class DifferenceData(Answer):
    """One number that we and the exchange have differently."""

    ticker: str
    field: str = Field(examples=["contracts"])
    ours: Dollars
    exchange: Dollars
    difference: Dollars = Field(description="Ours less the exchange's.")


class ReconciliationData(Answer):
    """Our ledger, built from fills and settlements, compared with the exchange's own numbers."""

    status: Literal["agrees", "differs", "unknown"]
    differences: list[DifferenceData]
    checked_at: UtcTime | None
    deposits: Dollars | None = Field(description="Deposits less withdrawals that are in the balance.")
    deposits_source: Literal["exchange", "implied"] | None = Field(
        description="`exchange`: the sum of its lists of deposits and withdrawals. `implied`: those lists failed, or "
        "the account is a subaccount, for which the exchange lists none."
    )
    implied_deposits: Dollars | None = Field(
        description="Cash less the ledger's change of cash: deposits less withdrawals, less what rests in orders. "
        "Null where the exchange's own lists answered, or where the ledger's totals are not known."
    )
    error: str | None


class BooksData(Answer):
    """Our ledger of the account: how far it is loaded."""

    status: Literal["complete", "loading", "unavailable"] = Field(
        description="`loading`: a part of the account's history is not booked yet, so totals are null."
    )
    fills_loaded: int | None = Field(description="Fills that are known, booked or not.")
    oldest_loaded: UtcTime | None = Field(description="Time of the oldest known fill.")
    newest_loaded: UtcTime | None
    problem: str | None = Field(description="Why totals are null; null where they are known.")
    unknown: list[str] = Field(
        description="What cannot be known although the books are loaded, such as how an archived market ended. "
        "While it is not empty, totals over the account's life are null."
    )


class SummaryAnswer(Answer):
    """Everything in one call. Each part has its own source, age and error."""

    as_of: UtcTime
    stale: bool = Field(description="True where any part is stale or missing.")
    identity: IdentityData
    warnings: list[str] = Field(description="What to know about these data, each with its name in front of a colon.")
    balance: Part[BalanceData]
    positions: Part[list[PositionData]]
    recent_trades: Part[list[TradeData]]
    bot: Part[BotData]
    change_today: ChangeData
    totals: TotalsData
    reconciliation: ReconciliationData
    books: BooksData


def position_data(position: PortfolioPosition, *, now: float) -> PositionData:
    """`now` is unix seconds."""
    closes = position.close_time
    return PositionData(
        ticker=position.ticker,
        side=position.outcome.value,
        contracts=position.contracts,
        average_cost=position.average_cost,
        exposure=position.exposure,
        realized_pnl=position.realized_pnl,
        fees=position.fees_paid,
        mark=position.mark,
        market_value=position.market_value,
        unrealized_pnl=position.unrealized_pnl,
        event_ticker=position.event_ticker,
        title=position.title,
        side_meaning=position.meaning,
        close_time=closes,
        closes_in_seconds=None if closes is None else round(max(0.0, closes.timestamp() - now), 3),
        crossed=position.crossed,
    )


def trade_data(trade: Trade) -> TradeData:
    return TradeData(
        trade_id=trade.trade_id,
        ticker=trade.ticker,
        side=trade.side.value,
        outcome=None if trade.outcome is None else trade.outcome.value,
        quantity=trade.quantity,
        price=trade.price,
        timestamp=utc_from(trade.timestamp),
        fee=trade.fee,
        order_id=trade.order_id,
        source=trade.source.value,
        backfilled=trade.backfilled,
        clock_ahead_seconds=trade.clock_ahead_seconds,
        strategy=trade.strategy,
    )


def snapshot_data(snapshot: BalanceSnapshot) -> SnapshotData:
    return SnapshotData(
        taken_at=snapshot.taken_at,
        cash=snapshot.cash,
        portfolio_value=snapshot.portfolio_value,
        equity=snapshot.equity,
        source=snapshot.source,
    )


def difference_data(difference: Discrepancy) -> DifferenceData:
    return DifferenceData(
        ticker=difference.ticker,
        field=difference.field,
        ours=difference.ours,
        exchange=difference.exchange,
        difference=difference.difference,
    )
