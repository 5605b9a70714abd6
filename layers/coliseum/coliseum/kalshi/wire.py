"""The exchange's JSON, as its OpenAPI document describes it and as recorded answers show it.

`parse.document` reads an answer into these classes. Unknown fields are ignored, and text fields such as `status` take
any value. A field is required where our own types would be wrong without it: identity, direction, money, time. The
others may be missing, because the exchange changes its interface without notice. Fixed-point numbers are texts: a JSON
number in such a field could be an old price in cents, so it is refused.

Why msgspec and not pydantic: markets and fills come a thousand at a time, and pydantic alone is slower there than the
other clients that `python -m bench.kalshi_client` measures.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from coliseum.trading.trades import BookSide, Outcome

Name = Annotated[str, Meta(min_length=1)]
"""Of a market, event or series, or an id: never empty."""
AccountName = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,200}\Z")]
"""The same in a row of the account, which is kept in Postgres: it stores no NUL."""
Price = Annotated[str, Meta(pattern=r"^(0(\.[0-9]{1,12})?|1(\.0{1,12})?)\Z")]
"""Dollars per contract, 0 to 1: "0.5600". Up to 6 decimals were seen."""
Dollars = Annotated[str, Meta(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,12})?\Z")]
Count = Annotated[str, Meta(pattern=r"^[0-9]{1,15}(\.[0-9]{1,12})?\Z")]
"""Contracts: "10.50". Every market trades fractions of 0.01."""
FilledCount = Annotated[str, Meta(pattern=r"^(?=[0-9.]*[1-9])[0-9]{1,15}(\.[0-9]{1,12})?\Z")]
"""Contracts of a fill, above 0."""
SignedCount = Dollars
"""Contracts with a direction: above 0 YES, below 0 NO."""
Cents = Annotated[int, Meta(ge=-(10**15), le=10**15)] | Annotated[float, Meta(ge=-(10**15), le=10**15)]
"""A whole number. `parse` refuses 10.0, which could be dollars; without the second type it would be read as 10."""
UnixSeconds = (
    Annotated[int, Meta(ge=946_684_800, lt=4_102_444_800)] | Annotated[float, Meta(ge=946_684_800, lt=4_102_444_800)]
)
"""Of the years 2000 to 2100: a time in another unit lies far outside and is refused."""
UnixSecondsOrZero = Annotated[int, Meta(ge=0, lt=4_102_444_800)] | Annotated[float, Meta(ge=0, lt=4_102_444_800)]
"""0 where nothing has happened yet."""
Multiplier = Annotated[float, Meta(ge=0, le=1000)]
Time = Annotated[datetime, Meta(tz=True)]
"""RFC 3339 with its offset."""
OptionalTime = Time | None
"""Null, missing or "" where there is none; `parse.document` removes the empty texts."""
WireLevel = tuple[Price, Count]
Cursor = str | None
"""Null, missing or "" on the last page. For a cursor that it cannot read, the exchange sends the first page again."""


class WireObject(Struct, gc=False):
    """Base of all classes here. They refer to each other in no circle, so the garbage collector need not track them."""


class WireMarket(WireObject):
    """An empty side is quoted as bid "0.0000" or ask "1.0000" with size "0.00"."""

    ticker: Name
    event_ticker: Name
    market_type: str
    status: str
    """initialized, inactive, active, closed, determined, disputed, amended, finalized: not the values of the filter."""
    yes_bid_dollars: Price
    yes_ask_dollars: Price
    no_bid_dollars: Price
    no_ask_dollars: Price
    last_price_dollars: Price
    """"0.0000" where nothing was ever traded."""
    volume_fp: Count
    volume_24h_fp: Count
    open_interest_fp: Count
    open_time: Time
    close_time: Time
    result: str
    """yes, no, scalar, or "" before the determination."""
    title: str = ""
    """Deprecated, still sent."""
    subtitle: str = ""
    yes_sub_title: str = ""
    no_sub_title: str = ""
    """Often the same text as `yes_sub_title`."""
    yes_bid_size_fp: Count | None = None
    yes_ask_size_fp: Count | None = None
    previous_price_dollars: Price | None = None
    expected_expiration_time: OptionalTime = None
    updated_time: OptionalTime = None
    """Of the metadata: trading does not change it."""
    settlement_value_dollars: Price | None = None
    settlement_ts: OptionalTime = None
    rules_primary: str = ""
    rules_secondary: str = ""
    price_level_structure: str = ""
    can_close_early: bool | None = None


class MarketDocument(WireObject):
    market: WireMarket


class MarketsDocument(WireObject):
    markets: list[WireMarket] | None
    cursor: Cursor = None


class WireOrderBook(WireObject):
    """Bids only, each outcome in its own prices. The worst price comes first; the documentation says the best."""

    yes_dollars: list[WireLevel] | None
    no_dollars: list[WireLevel] | None


class BookDocument(WireObject):
    orderbook_fp: WireOrderBook


class WireTickerBook(WireObject):
    ticker: Name
    orderbook_fp: WireOrderBook


class BooksDocument(WireObject):
    orderbooks: list[WireTickerBook] | None


class WireEvent(WireObject):
    """`markets` is missing, not empty, where there are none."""

    event_ticker: Name
    series_ticker: Name
    title: str
    mutually_exclusive: bool
    sub_title: str = ""
    category: str | None = None
    strike_date: OptionalTime = None
    fee_type_override: str | None = None
    fee_multiplier_override: Multiplier | None = None
    markets: list[WireMarket] | None = None


class EventDocument(WireObject):
    event: WireEvent
    markets: list[WireMarket] | None = None


class EventsDocument(WireObject):
    events: list[WireEvent] | None
    cursor: Cursor = None


class WireSettlementSource(WireObject):
    name: str = ""
    url: str = ""


class WireSeries(WireObject):
    ticker: Name
    title: str
    category: str
    fee_type: str
    fee_multiplier: Multiplier
    categories: list[str] | None = None
    tags: list[str] | None = None
    frequency: str = ""
    settlement_sources: list[WireSettlementSource] | None = None
    contract_url: str = ""


class SeriesDocument(WireObject):
    series: WireSeries


class WireOhlc(WireObject, rename=lambda name: f"{name}_dollars"):
    """Prices of a live candle: `close_dollars` in JSON. Where nothing was traded they are missing or null."""

    open: Price | None = None
    high: Price | None = None
    low: Price | None = None
    close: Price | None = None
    previous: Price | None = None


class WireCandle(WireObject, rename={"volume": "volume_fp", "open_interest": "open_interest_fp"}):
    end_period_ts: UnixSeconds
    yes_bid: WireOhlc
    yes_ask: WireOhlc
    price: WireOhlc
    volume: Count
    open_interest: Count


class CandlesDocument(WireObject):
    candlesticks: list[WireCandle] | None


class WireHistoricalOhlc(WireObject):
    """The same prices in the historical tier, which adds no suffix to the names."""

    open: Price | None = None
    high: Price | None = None
    low: Price | None = None
    close: Price | None = None
    previous: Price | None = None


class WireHistoricalCandle(WireObject):
    end_period_ts: UnixSeconds
    yes_bid: WireHistoricalOhlc
    yes_ask: WireHistoricalOhlc
    price: WireHistoricalOhlc
    volume: Count
    open_interest: Count


class HistoricalCandlesDocument(WireObject):
    candlesticks: list[WireHistoricalCandle] | None


class WireShardCash(WireObject):
    exchange_index: int
    balance: Dollars


class WireBalance(WireObject):
    """`balance` drops fractions of a cent. `balance_dollars` does not; the exchange added it in May 2026.

    `balance_breakdown` is missing where the key is locked to a subaccount.
    """

    balance: Cents
    portfolio_value: Cents
    updated_ts: UnixSecondsOrZero
    balance_dollars: Dollars | None = None
    balance_breakdown: list[WireShardCash] | None = None


class WirePosition(WireObject):
    ticker: AccountName
    position_fp: SignedCount
    total_traded_dollars: Dollars
    market_exposure_dollars: Dollars
    realized_pnl_dollars: Dollars
    fees_paid_dollars: Dollars
    last_updated_ts: OptionalTime = None


class PositionsDocument(WireObject):
    market_positions: list[WirePosition] | None
    cursor: Cursor = None


class WireFill(WireObject):
    """`book_side` is the direction. The deprecated `side` has different meanings on fills and orders: never use it."""

    fill_id: AccountName
    order_id: AccountName
    ticker: AccountName
    book_side: BookSide
    outcome_side: Outcome
    count_fp: FilledCount
    yes_price_dollars: Price
    no_price_dollars: Price
    fee_cost: Dollars
    """Dollars, although the name has no suffix."""
    is_taker: bool
    action: str | None = None
    """Deprecated: buy or sell. Says whether the order sold, never the direction."""
    created_time: OptionalTime = None
    ts: UnixSeconds | None = None
    subaccount_number: int | None = None
    """None on accounts without numbered subaccounts, which is subaccount 0."""


class FillsDocument(WireObject):
    """Newest first. A cursor does not carry the filters of its page."""

    fills: list[WireFill] | None
    cursor: Cursor = None


class WireSettlement(WireObject):
    """The end of one market in which the account ever traded, whether or not it held anything then.

    Counts and costs are gross: everything bought on each side, although pairs were paid out when they met.
    """

    ticker: AccountName
    event_ticker: AccountName
    market_result: str
    yes_count_fp: Count
    yes_total_cost_dollars: Dollars
    no_count_fp: Count
    no_total_cost_dollars: Dollars
    revenue: Cents
    """Paid for what was held at the end. The only field that says what was paid."""
    fee_cost: Dollars
    settled_time: Time
    value: Cents | None = None
    """100 or 0 on yes and no. On a scalar row it equals `revenue`: recordings contradict the document, which says
    cents per YES contract. Never derive a payment from it."""


class SettlementsDocument(WireObject):
    settlements: list[WireSettlement] | None
    cursor: Cursor = None


class WireTransfer(WireObject):
    """A deposit or a withdrawal: both have the same fields."""

    id: AccountName
    status: str
    """pending, applied, failed or returned. Only applied ones are in the balance."""
    type: str
    amount_cents: Cents
    fee_cents: Cents
    created_ts: UnixSeconds
    finalized_ts: UnixSeconds | None = None


class DepositsDocument(WireObject):
    deposits: list[WireTransfer] | None
    cursor: Cursor = None


class WithdrawalsDocument(WireObject):
    withdrawals: list[WireTransfer] | None
    cursor: Cursor = None


class WireExchangeStatus(WireObject):
    """Also the body of a 500, 503 or 504 in an outage."""

    exchange_active: bool
    trading_active: bool
    exchange_estimated_resume_time: OptionalTime = None


class CutoffDocument(WireObject):
    market_settled_ts: Time
    trades_created_ts: Time
    orders_updated_ts: Time


class WireOrder(WireObject):
    """An order. The deprecated `side` and `action` mean other things than on fills: never use them."""

    order_id: AccountName
    ticker: AccountName
    book_side: BookSide
    outcome_side: Outcome
    status: str
    yes_price_dollars: Price
    no_price_dollars: Price
    fill_count_fp: Count
    remaining_count_fp: Count
    initial_count_fp: Count
    client_order_id: str = ""
    created_time: OptionalTime = None
    last_update_time: OptionalTime = None
    expiration_time: OptionalTime = None
    subaccount_number: int | None = None


class OrdersDocument(WireObject):
    orders: list[WireOrder] | None
    cursor: Cursor = None
