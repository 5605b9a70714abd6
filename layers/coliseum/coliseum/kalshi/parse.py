"""The exchange's answers in our words. Pure and total: words, or one of our errors that says why not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from coliseum.errors import SourceError, SourceMalformed, SourceRateLimited, SourceRefused, SourceUnavailable
from coliseum.kalshi import wire
from coliseum.trading.events import Event, Series
from coliseum.trading.exchange import AccountLimits, ExchangeStatus, HistoricalCutoff
from coliseum.trading.markets import (
    Balance,
    Candle,
    ExchangePosition,
    Level,
    Market,
    OrderBook,
    PublicTrade,
    Settlement,
)
from coliseum.trading.money import CENT, ONE, ZERO, optional_decimal
from coliseum.trading.orders import Order
from coliseum.trading.trades import BookSide, Fill, Outcome

SOURCE = "kalshi"
Document = TypeVar("Document", bound=wire.Wire)


def document(model: type[Document], body: bytes, *, endpoint: str) -> Document:
    """The answer's parts, checked. Raises SourceMalformed that names the endpoint, the field and its ticker."""
    return checked(model, json_from(body, endpoint=endpoint), endpoint=endpoint)


def json_from(body: bytes, *, endpoint: str) -> Any:
    """Read first and checked later: pydantic's way to do both in one takes twice as long on large documents."""
    try:
        return from_json(body, cache_strings="keys")
    except ValueError as error:
        raise SourceMalformed(SOURCE, f"{endpoint}: body: no JSON: {error}", field="body") from None


def checked(model: type[Document], parts: Any, *, endpoint: str) -> Document:
    """The document with every field in its form, or SourceMalformed."""
    try:
        return model.model_validate(parts)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = _path(first["loc"])
        told = f"{endpoint}: {field or 'body'}: {first['msg']}{_whose(first['input'])}"
        raise SourceMalformed(SOURCE, told, field=field) from None


def _path(location: Sequence[int | str]) -> str:
    """`markets[3].yes_bid_dollars`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def _whose(row: object) -> str:
    ticker = row.get("ticker", row.get("event_ticker")) if isinstance(row, dict) else None
    return f" (in {ticker[:100]!r})" if isinstance(ticker, str) else ""


def market_from(row: wire.Market) -> Market:
    return Market(
        ticker=row.ticker,
        event_ticker=row.event_ticker,
        title=row.title,
        subtitle=row.yes_sub_title or row.subtitle,
        status=row.status,
        market_type=row.market_type,
        yes_bid=_bid(row.yes_bid_dollars, row.yes_bid_size_fp),
        yes_ask=_ask(row.yes_ask_dollars, row.yes_ask_size_fp),
        no_bid=_bid(row.no_bid_dollars, row.yes_ask_size_fp),
        no_ask=_ask(row.no_ask_dollars, row.yes_bid_size_fp),
        last_price=_traded(row.last_price_dollars),
        previous_price=_traded(row.previous_price_dollars),
        volume=Decimal(row.volume_fp),
        volume_24h=Decimal(row.volume_24h_fp),
        open_interest=Decimal(row.open_interest_fp),
        open_time=row.open_time,
        close_time=row.close_time,
        expected_expiration_time=row.expected_expiration_time,
        updated_time=row.updated_time,
        result=row.result or None,
        settlement_value=optional_decimal(row.settlement_value_dollars),
        settled_at=row.settlement_ts,
        rules_primary=row.rules_primary,
        rules_secondary=row.rules_secondary,
        price_level_structure=row.price_level_structure,
        can_close_early=row.can_close_early,
    )


def _bid(price: str, size: str | None) -> Decimal | None:
    """None for the sentinel of an empty side: 0 with no size. An order at 0 cannot exist."""
    value = Decimal(price)
    return None if value == ZERO and not _sized(size) else value


def _ask(price: str, size: str | None) -> Decimal | None:
    """None for the sentinel of an empty side: 1 with no size."""
    value = Decimal(price)
    return None if value == ONE and not _sized(size) else value


def _sized(size: str | None) -> bool:
    return size is not None and Decimal(size) > ZERO


def _traded(price: str | None) -> Decimal | None:
    """None where nothing traded, which the exchange writes as 0."""
    return None if price is None else Decimal(price) or None


def book_from(row: wire.Book) -> OrderBook:
    return OrderBook(yes_bids=_levels(row.yes_dollars), no_bids=_levels(row.no_dollars))


def _levels(rows: Sequence[wire.Level]) -> tuple[Level, ...]:
    """Best first, sorted by us: the exchange sends the best last and documents the opposite."""
    levels = (Level(Decimal(price), Decimal(count)) for price, count in rows)
    return tuple(sorted((level for level in levels if level.count), key=lambda level: level.price, reverse=True))


def event_from(row: wire.Event, markets: Sequence[wire.Market]) -> Event:
    return Event(
        ticker=row.event_ticker,
        series_ticker=row.series_ticker,
        title=row.title,
        subtitle=row.sub_title,
        category=row.category or None,
        mutually_exclusive=row.mutually_exclusive,
        strike_date=row.strike_date,
        fee_type_override=row.fee_type_override or None,
        fee_multiplier_override=_number(row.fee_multiplier_override),
        markets=tuple(market_from(market) for market in markets),
    )


def _number(value: float | None) -> Decimal | None:
    """A JSON number by its shortest decimal form."""
    return None if value is None else Decimal(repr(value))


def series_from(row: wire.Series) -> Series:
    return Series(
        ticker=row.ticker,
        title=row.title,
        category=row.category,
        categories=tuple(row.categories),
        tags=tuple(row.tags),
        frequency=row.frequency,
        fee_type=row.fee_type,
        fee_multiplier=Decimal(repr(row.fee_multiplier)),
        settlement_sources=tuple(source.name or source.url for source in row.settlement_sources),
        contract_url=row.contract_url,
    )


def public_trade_from(row: wire.PublicTrade) -> PublicTrade:
    return PublicTrade(
        trade_id=row.trade_id,
        ticker=row.ticker,
        taker_outcome=Outcome(row.taker_outcome_side),
        count=Decimal(row.count_fp),
        yes_price=Decimal(row.yes_price_dollars),
        no_price=Decimal(row.no_price_dollars),
        created_at=row.created_time,
        is_block_trade=row.is_block_trade,
    )


def candle_from(row: wire.Candle | wire.HistoricalCandle) -> Candle:
    bid, ask, price = row.yes_bid, row.yes_ask, row.price
    return Candle(
        end=datetime.fromtimestamp(row.end_period_ts, UTC),
        yes_bid_close=None if bid.close is None else _bid(bid.close, None),
        yes_ask_close=None if ask.close is None else _ask(ask.close, None),
        price_open=optional_decimal(price.open),
        price_high=optional_decimal(price.high),
        price_low=optional_decimal(price.low),
        price_close=optional_decimal(price.close),
        price_previous=optional_decimal(price.previous),
        volume=Decimal(row.volume),
        open_interest=Decimal(row.open_interest),
    )


def balance_from(row: wire.Balance) -> Balance:
    """Cash is what can be spent; whether the collateral of resting orders is still in it is not documented."""
    return Balance(
        cash=row.balance * CENT if row.balance_dollars is None else Decimal(row.balance_dollars),
        portfolio_value=row.portfolio_value * CENT,
        as_of=datetime.fromtimestamp(row.updated_ts, UTC),
    )


def position_from(row: wire.MarketPosition) -> ExchangePosition:
    return ExchangePosition(
        ticker=row.ticker,
        position=Decimal(row.position_fp),
        exposure=Decimal(row.market_exposure_dollars),
        realized_pnl=Decimal(row.realized_pnl_dollars),
        fees_paid=Decimal(row.fees_paid_dollars),
        total_traded=Decimal(row.total_traded_dollars),
        updated_at=row.last_updated_ts,
    )


def fill_from(row: wire.Fill, *, endpoint: str) -> Fill:
    """Direction from `book_side` alone: a bid is longer YES, an ask longer NO.

    `action` only says whether the order was a sale, which `Fill.as_trade` shows as SELL of the opposite outcome;
    where the exchange no longer sends it, a fill reads as a BUY of `outcome`, which is the same position.
    """
    book_side, outcome = BookSide(row.book_side), Outcome(row.outcome_side)
    _agree(book_side, outcome, f"{endpoint}: fill {row.fill_id}")
    return Fill(
        fill_id=row.fill_id,
        order_id=row.order_id,
        ticker=row.ticker,
        book_side=book_side,
        outcome=outcome,
        sold=row.action == "sell",
        count=Decimal(row.count_fp),
        yes_price=Decimal(row.yes_price_dollars),
        no_price=Decimal(row.no_price_dollars),
        fee=Decimal(row.fee_cost),
        is_taker=row.is_taker,
        timestamp=_seconds(row, endpoint),
    )


def _agree(book_side: BookSide, outcome: Outcome, whose: str) -> None:
    if (book_side is BookSide.BID) is not (outcome is Outcome.YES):
        told = f"{whose}: book_side {book_side.value} contradicts outcome_side {outcome.value}"
        raise SourceMalformed(SOURCE, told, field="book_side")


def _seconds(row: wire.Fill, endpoint: str) -> float:
    """`created_time` has microseconds, `ts` whole seconds."""
    if row.created_time is not None:
        return row.created_time.timestamp()
    if row.ts is None:
        told = f"{endpoint}: fill {row.fill_id} has neither created_time nor ts"
        raise SourceMalformed(SOURCE, told, field="created_time")
    return float(row.ts)


def order_from(row: wire.Order, *, endpoint: str) -> Order:
    book_side, outcome = BookSide(row.book_side), Outcome(row.outcome_side)
    _agree(book_side, outcome, f"{endpoint}: order {row.order_id}")
    return Order(
        order_id=row.order_id,
        client_order_id=row.client_order_id or None,
        ticker=row.ticker,
        book_side=book_side,
        outcome=outcome,
        status=row.status,
        yes_price=Decimal(row.yes_price_dollars),
        no_price=Decimal(row.no_price_dollars),
        filled=Decimal(row.fill_count_fp),
        remaining=Decimal(row.remaining_count_fp),
        initial=Decimal(row.initial_count_fp),
        fill_cost=Decimal(row.taker_fill_cost_dollars) + Decimal(row.maker_fill_cost_dollars),
        fees=Decimal(row.taker_fees_dollars) + Decimal(row.maker_fees_dollars),
        created_at=row.created_time,
        updated_at=row.last_update_time,
    )


def settlement_from(row: wire.Settlement) -> Settlement:
    return Settlement(
        ticker=row.ticker,
        event_ticker=row.event_ticker,
        result=row.market_result,
        yes_count=Decimal(row.yes_count_fp),
        yes_cost=Decimal(row.yes_total_cost_dollars),
        no_count=Decimal(row.no_count_fp),
        no_cost=Decimal(row.no_total_cost_dollars),
        revenue=row.revenue * CENT,
        value=None if row.value is None else row.value * CENT,
        fee=Decimal(row.fee_cost),
        settled_at=row.settled_time,
    )


def status_from(row: wire.ExchangeStatus) -> ExchangeStatus:
    return ExchangeStatus(
        exchange_active=row.exchange_active,
        trading_active=row.trading_active,
        estimated_resume=row.exchange_estimated_resume_time,
    )


def cutoff_from(row: wire.CutoffDocument) -> HistoricalCutoff:
    return HistoricalCutoff(
        markets_settled=row.market_settled_ts,
        trades_created=row.trades_created_ts,
        orders_updated=row.orders_updated_ts,
    )


def limits_from(row: wire.LimitsDocument) -> AccountLimits:
    return AccountLimits(
        usage_tier=row.usage_tier,
        read_tokens_per_second=row.read.refill_rate,
        read_capacity=row.read.bucket_capacity,
        write_tokens_per_second=row.write.refill_rate,
        write_capacity=row.write.bucket_capacity,
    )


def error_from(status: int, body: bytes, *, endpoint: str) -> SourceError:
    """One error, with the exchange's code, from any of the four shapes or from none of them (a proxy's HTML)."""
    code, told = _complaint(body)
    problem = f"{endpoint} answered {status}" + (f": {told}" if told else "")
    if status == 429:
        return SourceRateLimited(SOURCE, problem, status=status, code=code or "too_many_requests")
    if status >= 500 or status == 408:
        return SourceUnavailable(SOURCE, problem, status=status, code=code)
    return SourceRefused(SOURCE, problem, status=status, code=code)


def _complaint(body: bytes) -> tuple[str | None, str]:
    """The code, and code, message and details as one line."""
    try:
        outer: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None, ""
    if not isinstance(outer, dict):
        return None, ""
    inner = outer.get("error", outer)
    if isinstance(inner, str):
        return None, inner[:300]
    if not isinstance(inner, dict):
        return None, ""
    code = inner.get("code")
    words = [inner.get(name) for name in ("code", "message", "details", "msg")]
    told = ": ".join(dict.fromkeys(word for word in words if isinstance(word, str) and word))
    return (code if isinstance(code, str) else None), told[:300]
