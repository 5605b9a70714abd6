"""The exchange's answers as recorded, quirks named. Unknown keys are ignored and words of the exchange stay open text.

A field is required here where our words would lie without it: identity, direction, money, time. The rest may vanish,
as the exchange edits its interface without notice. Fixed-point numbers are strings; a JSON number in their place could
be the cents of old and is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Price = Annotated[str, StringConstraints(pattern=r"^(0(\.[0-9]{1,12})?|1(\.0{1,12})?)$")]
"""Dollars per contract, 0 to 1, "0.5600"; up to 6 decimals seen."""
Dollars = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,12})?$")]
Count = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,15}(\.[0-9]{1,12})?$")]
"""Contracts, "10.50": fractions of 0.01 exist on every market."""
SignedCount = Dollars
"""Contracts with direction: above 0 YES, below 0 NO."""
Cents = int
UnixSeconds = int
Time = AwareDatetime
"""RFC 3339 with Z and 0 to 6 decimals."""
MaybeTime = Annotated[AwareDatetime | None, BeforeValidator(lambda value: value or None)]
"""Null, absent or "" where there is none."""
Level = tuple[Price, Count]
Row = TypeVar("Row")
Rows = Annotated[list[Row], BeforeValidator(lambda value: [] if value is None else value)]
"""An empty list is sometimes null."""
Cursor = str | None
"""Null, absent or "" on the last page. A cursor the exchange cannot read gives the first page again, without a word."""


class Wire(BaseModel):
    """What all answers share."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Market(Wire):
    """An empty side is quoted with a sentinel: bid "0.0000", ask "1.0000", size "0.00"."""

    ticker: str
    event_ticker: str
    market_type: str
    status: str
    """initialized, inactive, active, closed, determined, disputed, amended, finalized: not the words of the filter."""
    title: str = ""
    """Deprecated, still sent."""
    subtitle: str = ""
    yes_sub_title: str = ""
    yes_bid_dollars: Price
    yes_ask_dollars: Price
    no_bid_dollars: Price
    no_ask_dollars: Price
    yes_bid_size_fp: Count | None = None
    yes_ask_size_fp: Count | None = None
    last_price_dollars: Price
    """"0.0000" where nothing ever traded."""
    previous_price_dollars: Price | None = None
    volume_fp: Count
    volume_24h_fp: Count
    open_interest_fp: Count
    open_time: Time
    close_time: Time
    expected_expiration_time: MaybeTime = None
    updated_time: MaybeTime = None
    """Of the metadata; trading does not move it."""
    result: str
    """yes, no, scalar, or "" before the determination."""
    settlement_value_dollars: Price | None = None
    settlement_ts: MaybeTime = None
    rules_primary: str = ""
    rules_secondary: str = ""
    price_level_structure: str = ""
    can_close_early: bool | None = None


class MarketDocument(Wire):
    market: Market


class MarketsDocument(Wire):
    markets: Rows[Market]
    cursor: Cursor = None


class Book(Wire):
    """Bids only, each side in its own price; sent worst first, whatever the interface's text says."""

    yes_dollars: Rows[Level]
    no_dollars: Rows[Level]


class BookDocument(Wire):
    orderbook_fp: Book


class TickerBook(Wire):
    ticker: str
    orderbook_fp: Book


class BooksDocument(Wire):
    orderbooks: Rows[TickerBook]


class Event(Wire):
    """`markets` is absent, not empty, where none lives."""

    event_ticker: str
    series_ticker: str
    title: str
    sub_title: str = ""
    category: str | None = None
    mutually_exclusive: bool
    strike_date: MaybeTime = None
    fee_type_override: str | None = None
    fee_multiplier_override: float | None = None
    markets: Rows[Market] = []


class EventDocument(Wire):
    event: Event
    markets: Rows[Market] = []


class EventsDocument(Wire):
    events: Rows[Event]
    cursor: Cursor = None


class SettlementSource(Wire):
    name: str = ""
    url: str = ""


class Series(Wire):
    ticker: str
    title: str
    category: str
    categories: Rows[str] = []
    tags: Rows[str] = []
    frequency: str = ""
    fee_type: str
    fee_multiplier: float
    settlement_sources: Rows[SettlementSource] = []
    contract_url: str = ""


class SeriesDocument(Wire):
    series: Series


class SeriesListDocument(Wire):
    series: Rows[Series]


class PublicTrade(Wire):
    trade_id: str
    ticker: str
    count_fp: Count
    yes_price_dollars: Price
    no_price_dollars: Price
    taker_outcome_side: Literal["yes", "no"]
    created_time: Time
    is_block_trade: bool = False


class PublicTradesDocument(Wire):
    """Newest first; `min_ts` includes its second."""

    trades: Rows[PublicTrade]
    cursor: Cursor = None


class Distribution(Wire):
    """Live candles call them `close_dollars`, historical ones `close`; without a trade they are absent or null."""

    open: Price | None = Field(default=None, validation_alias="open_dollars")
    high: Price | None = Field(default=None, validation_alias="high_dollars")
    low: Price | None = Field(default=None, validation_alias="low_dollars")
    close: Price | None = Field(default=None, validation_alias="close_dollars")
    previous: Price | None = Field(default=None, validation_alias="previous_dollars")


class Candle(Wire):
    end_period_ts: UnixSeconds
    yes_bid: Distribution
    yes_ask: Distribution
    price: Distribution
    volume: Count = Field(validation_alias="volume_fp")
    open_interest: Count = Field(validation_alias="open_interest_fp")


class CandlesDocument(Wire):
    ticker: str = ""
    candlesticks: Rows[Candle]


class HistoricalDistribution(Wire):
    open: Price | None = None
    high: Price | None = None
    low: Price | None = None
    close: Price | None = None
    previous: Price | None = None


class HistoricalCandle(Wire):
    end_period_ts: UnixSeconds
    yes_bid: HistoricalDistribution
    yes_ask: HistoricalDistribution
    price: HistoricalDistribution
    volume: Count
    open_interest: Count


class HistoricalCandlesDocument(Wire):
    ticker: str = ""
    candlesticks: Rows[HistoricalCandle]


class Balance(Wire):
    """`balance` cuts off fractions of a cent; `balance_dollars` does not, and came in May 2026."""

    balance: Cents
    balance_dollars: Dollars | None = None
    portfolio_value: Cents
    updated_ts: UnixSeconds


class MarketPosition(Wire):
    ticker: str
    position_fp: SignedCount
    total_traded_dollars: Dollars
    market_exposure_dollars: Dollars
    realized_pnl_dollars: Dollars
    fees_paid_dollars: Dollars
    last_updated_ts: MaybeTime = None


class PositionsDocument(Wire):
    market_positions: Rows[MarketPosition]
    cursor: Cursor = None


class Fill(Wire):
    """Direction is `book_side`. On fills the old `side` repeats `outcome_side`; on orders it does not: never use it."""

    fill_id: str
    order_id: str
    ticker: str
    book_side: Literal["bid", "ask"]
    outcome_side: Literal["yes", "no"]
    action: str | None = None
    """Deprecated: buy or sell. Says whether the order sold, never the direction."""
    count_fp: Count
    yes_price_dollars: Price
    no_price_dollars: Price
    fee_cost: Dollars
    """Dollars, although the suffix is missing."""
    is_taker: bool
    created_time: MaybeTime = None
    ts: UnixSeconds | None = None


class FillsDocument(Wire):
    """Newest first. A cursor does not carry the filters of its page."""

    fills: Rows[Fill]
    cursor: Cursor = None


class Settlement(Wire):
    ticker: str
    event_ticker: str
    market_result: str
    yes_count_fp: Count
    yes_total_cost_dollars: Dollars
    no_count_fp: Count
    no_total_cost_dollars: Dollars
    revenue: Cents
    value: Cents | None = None
    """Cents per YES contract."""
    fee_cost: Dollars
    settled_time: Time


class SettlementsDocument(Wire):
    settlements: Rows[Settlement]
    cursor: Cursor = None


class Order(Wire):
    order_id: str
    client_order_id: str = ""
    ticker: str
    book_side: Literal["bid", "ask"]
    outcome_side: Literal["yes", "no"]
    status: str
    yes_price_dollars: Price
    no_price_dollars: Price
    fill_count_fp: Count
    remaining_count_fp: Count
    initial_count_fp: Count
    taker_fill_cost_dollars: Dollars
    maker_fill_cost_dollars: Dollars
    taker_fees_dollars: Dollars
    maker_fees_dollars: Dollars
    created_time: MaybeTime = None
    last_update_time: MaybeTime = None


class OrdersDocument(Wire):
    orders: Rows[Order]
    cursor: Cursor = None


class ExchangeStatus(Wire):
    """Also the body of a 500, 503 or 504 in an outage. The top level speaks of shard 0 only."""

    exchange_active: bool
    trading_active: bool
    exchange_estimated_resume_time: MaybeTime = None


class CutoffDocument(Wire):
    market_settled_ts: Time
    trades_created_ts: Time
    orders_updated_ts: Time


class Bucket(Wire):
    refill_rate: int
    bucket_capacity: int


class LimitsDocument(Wire):
    usage_tier: str
    read: Bucket
    write: Bucket


class UserDataTimestamp(Wire):
    as_of_time: Time


ErrorBody = dict[str, Any]
"""Four shapes: {"error": {code, message, details?}} · {code, message, details} · {"msg": …} · {"error": "…"}."""
