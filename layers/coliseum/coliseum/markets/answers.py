"""What the market routes answer. Prices are exact text in dollars per contract, unknown is null."""

from __future__ import annotations

from pydantic import Field

from coliseum.http.answers import Answer, Failure, Listing, Sourced
from coliseum.http.field_types import Contracts, Dollars, Price, UtcTime
from coliseum.markets.history import Sparkline
from coliseum.trading.markets import Candle, Level, Market, OrderBook


class MarketData(Answer):
    """One market. A side without orders has no quote: null, never 0 or 1."""

    ticker: str = Field(examples=["PRES24-GOP"])
    event_ticker: str
    title: str
    subtitle: str
    category: str | None = Field(description="Of the market's event; null where it was not asked for.")
    status: str = Field(
        description="initialized, active, inactive, closed, determined, disputed, amended or finalized."
    )
    market_type: str = Field(description="binary or scalar.")
    yes_bid: Price | None
    yes_ask: Price | None
    no_bid: Price | None
    no_ask: Price | None
    spread: Price | None = Field(description="YES ask less YES bid. Below 0 in a crossed book.")
    crossed: bool = Field(
        description="True where the bid is not below the ask: a quote is out of date or wrong, and there is no price."
    )
    last_price: Price | None
    previous_price: Price | None = Field(description="The last price 24 hours ago.")
    volume: Contracts
    volume_24h: Contracts
    open_interest: Contracts
    open_time: UtcTime
    close_time: UtcTime
    expected_expiration_time: UtcTime | None
    result: str | None = Field(description="yes, no or scalar once determined.")
    settlement_value: Dollars | None = Field(description="Per YES contract, once settled.")


class MarketsAnswer(Listing[MarketData]):
    """Markets, in the exchange's order."""

    failures: list[Failure] = Field(description="Markets and events that could not be read and were left out.")


class LevelData(Answer):
    """What one price offers."""

    price: Price
    contracts: Contracts


class BookData(Answer):
    """The top of the order book, best first. An ask is the other outcome's bid seen from here."""

    yes_bids: list[LevelData]
    yes_asks: list[LevelData]
    no_bids: list[LevelData]
    no_asks: list[LevelData]


class PointData(Answer):
    """A YES price at a moment."""

    at: UtcTime
    price: Price


class SparklineData(Answer):
    """The YES price of the last 24 hours, by the hour, oldest first."""

    points: list[PointData]
    low: Price | None
    high: Price | None
    change: Price | None = Field(description="The last price less the first.")


class MarketAnswer(Sourced, MarketData):
    """One market with its order book and its last day."""

    event_title: str | None
    series_ticker: str | None
    rules_primary: str
    rules_secondary: str
    order_book: BookData | None = Field(description="Null where it did not answer.")
    history_24h: SparklineData | None = Field(description="Null where it did not answer.")
    failures: list[Failure] = Field(description="What did not answer, or is older than it should be.")


class CandleData(Answer):
    """One period of a market. Prices are of YES; those of trades are null where nothing was traded."""

    end: UtcTime = Field(description="The end of the period.")
    yes_bid: Price | None = Field(description="At the end of the period.")
    yes_ask: Price | None
    open: Price | None
    high: Price | None
    low: Price | None
    close: Price | None
    previous: Price | None = Field(description="The last price before the period.")
    volume: Contracts
    open_interest: Contracts


class CandlesAnswer(Listing[CandleData]):
    """Candlesticks, oldest first."""

    ticker: str
    period_minutes: int
    failures: list[Failure] = Field(
        description="Sources that were asked first and did not answer, and candlesticks that could not be read."
    )


def market_data(market: Market, category: str | None) -> MarketData:
    return MarketData(
        ticker=market.ticker,
        event_ticker=market.event_ticker,
        title=market.title,
        subtitle=market.subtitle,
        category=category,
        status=market.status,
        market_type=market.market_type,
        yes_bid=market.yes_bid,
        yes_ask=market.yes_ask,
        no_bid=market.no_bid,
        no_ask=market.no_ask,
        spread=market.spread,
        crossed=market.crossed,
        last_price=market.last_price,
        previous_price=market.previous_price,
        volume=market.volume,
        volume_24h=market.volume_24h,
        open_interest=market.open_interest,
        open_time=market.open_time,
        close_time=market.close_time,
        expected_expiration_time=market.expected_expiration_time,
        result=market.result,
        settlement_value=market.settlement_value,
    )


def book_data(book: OrderBook, depth: int) -> BookData:
    return BookData(
        yes_bids=_levels(book.yes_bids, depth),
        yes_asks=_levels(book.yes_asks, depth),
        no_bids=_levels(book.no_bids, depth),
        no_asks=_levels(book.no_asks, depth),
    )


def _levels(levels: tuple[Level, ...], depth: int) -> list[LevelData]:
    return [LevelData(price=level.price, contracts=level.count) for level in levels[:depth]]


def sparkline_data(line: Sparkline) -> SparklineData:
    points = [PointData(at=point.at, price=point.price) for point in line.points]
    return SparklineData(points=points, low=line.low, high=line.high, change=line.change)


def candle_data(candle: Candle) -> CandleData:
    return CandleData(
        end=candle.end,
        yes_bid=candle.yes_bid_close,
        yes_ask=candle.yes_ask_close,
        open=candle.price_open,
        high=candle.price_high,
        low=candle.price_low,
        close=candle.price_close,
        previous=candle.price_previous,
        volume=candle.volume,
        open_interest=candle.open_interest,
    )
