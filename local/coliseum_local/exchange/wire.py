"""The exchange's objects as Kalshi's JSON, by its OpenAPI document 3.34 and by recorded answers.

Kalshi's quirks are copied: an empty side is bid 0 or ask 1; `balance` drops fractions of a cent; fills and orders have
the deprecated pair `side` and `action`, where a fill's `side` is the outcome gained and an order's is the outcome
traded; markets have `liquidity_dollars`. Without `legacy` the deprecated fields are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from coliseum.trading.money import CENT, ONE, ZERO
from coliseum.trading.trades import BookSide, Outcome
from coliseum_local.exchange.candles import OhlcPrices, SandboxCandle
from coliseum_local.exchange.ledger import AccountPosition
from coliseum_local.exchange.listing import MarketStatus, SandboxEvent, SandboxMarket, SandboxSeries
from coliseum_local.exchange.order_book import LimitOrderBook
from coliseum_local.exchange.orders import (
    BOUGHT_OUTCOME,
    AccountFill,
    Action,
    PublicTrade,
    SandboxOrder,
    SelfTradePrevention,
)
from coliseum_local.exchange.ticks import STRUCTURES
from coliseum_local.exchange.transfers import AccountTransfer
from coliseum_local.exchange.venue import AccountSettlement, Venue

Body = dict[str, Any]
DAY = 86_400


def dollars(value: Decimal, places: int = 4) -> str:
    """At least `places` decimals, six where the value needs them."""
    exact = value if value == value.quantize(Decimal(1).scaleb(-places)) else None
    return f"{value:.{places}f}" if exact is not None else f"{value:.6f}"


def contracts(value: Decimal) -> str:
    return f"{value:.2f}"


def cents(value: Decimal) -> int:
    """Whole cents; fractions are dropped."""
    return int((value / CENT).to_integral_value(ROUND_FLOOR))


def rfc3339(time: float) -> str:
    """UTC with microseconds, without them on a whole second."""
    moment = datetime.fromtimestamp(round(time, 6), UTC)
    return moment.isoformat(timespec="microseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")


def market(venue: Venue, each: SandboxMarket, *, legacy: bool) -> Body:
    book = venue.books.get(each.ticker)
    best_bid, best_ask = (book.best_bid, book.best_ask) if book else (None, None)
    bid = best_bid.price if best_bid else ZERO
    ask = best_ask.price if best_ask else ONE
    before, volume_24h = yesterday(venue, each)
    body: Body = {
        "ticker": each.ticker,
        "event_ticker": each.event_ticker,
        "exchange_index": each.exchange_index,
        "market_type": "binary",
        "title": each.title,
        "subtitle": "",
        "yes_sub_title": each.yes_sub_title,
        "no_sub_title": each.no_sub_title,
        "created_time": rfc3339(each.created),
        "updated_time": rfc3339(max(each.updated, each.created)),
        "open_time": rfc3339(each.open_time),
        "close_time": rfc3339(each.close_time),
        "expected_expiration_time": rfc3339(each.close_time),
        "expiration_time": rfc3339(each.close_time + DAY),
        "latest_expiration_time": rfc3339(each.close_time + DAY),
        "settlement_timer_seconds": each.settlement_seconds,
        "status": each.status.value,
        "yes_bid_dollars": dollars(bid),
        "yes_bid_size_fp": contracts(best_bid.count if best_bid else ZERO),
        "yes_ask_dollars": dollars(ask),
        "yes_ask_size_fp": contracts(best_ask.count if best_ask else ZERO),
        "no_bid_dollars": dollars(ONE - ask),
        "no_ask_dollars": dollars(ONE - bid),
        "last_price_dollars": dollars(each.last_price),
        "previous_yes_bid_dollars": dollars(before.bid.close if before else ZERO),
        "previous_yes_ask_dollars": dollars(before.ask.close if before else ZERO),
        "previous_price_dollars": dollars((_last(before) if before else None) or ZERO),
        "volume_fp": contracts(each.base_volume + each.volume),
        "volume_24h_fp": contracts(volume_24h),
        "open_interest_fp": contracts(_interest(each)),
        "notional_value_dollars": "1.0000",
        "result": each.result,
        "settlement_bounds_type": "default",
        "expiration_value": each.expiration_value,
        "can_close_early": True,
        "early_close_condition": "This market closes early once its outcome is certain.",
        "rules_primary": each.rules,
        "rules_secondary": "A market of the sandbox exchange: its outcome is drawn by the simulation.",
        "price_level_structure": each.structure,
        "price_ranges": [
            {"start": dollars(row.start), "end": dollars(row.end), "step": dollars(row.step)}
            for row in STRUCTURES[each.structure]
        ],
    }
    if each.strike_type is not None:
        body["strike_type"] = each.strike_type
    body |= {
        name: strike
        for name, strike in (("floor_strike", each.floor_strike), ("cap_strike", each.cap_strike))
        if strike is not None
    }
    if each.yes_value is not None:
        body["settlement_value_dollars"] = dollars(each.yes_value)
    if each.settled is not None:
        body["settlement_ts"] = rfc3339(each.settled)
    if legacy:
        body["liquidity_dollars"] = "0.0000"
    return body


def yesterday(venue: Venue, each: SandboxMarket) -> tuple[SandboxCandle | None, Decimal]:
    """The last candle that ended at least 24 hours ago, and the contracts traded since."""
    before: SandboxCandle | None = None
    volume = ZERO
    for candle in reversed(venue.recorders[each.ticker].all()):
        if candle.end <= venue.now - DAY:
            before = candle
            break
        volume += candle.volume
    return before, volume


def _interest(each: SandboxMarket) -> Decimal:
    return ZERO if each.status is MarketStatus.FINALIZED else each.base_interest + each.open_interest


def _last(candle: SandboxCandle) -> Decimal | None:
    return candle.price.close if candle.price else candle.previous


def event(each: SandboxEvent, series: SandboxSeries, *, markets: Sequence[Body] | None) -> Body:
    """One event. Where there are no markets the key is missing: Kalshi sends no empty list."""
    body: Body = {
        "event_ticker": each.event_ticker,
        "series_ticker": each.series_ticker,
        "title": each.title,
        "sub_title": each.sub_title,
        "collateral_return_type": "MECNET" if each.mutually_exclusive else "",
        "mutually_exclusive": each.mutually_exclusive,
        "category": series.category,
        "strike_date": rfc3339(each.strike_time),
        "settlement_sources": _sources(series),
        "last_updated_ts": rfc3339(each.created),
        "exchange_index": series.exchange_index,
    }
    if markets:
        body["markets"] = list(markets)
    return body


def series(each: SandboxSeries, *, volume: Decimal | None = None) -> Body:
    body: Body = {
        "ticker": each.ticker,
        "title": each.title,
        "category": each.category,
        "categories": [each.category],
        "tags": list(each.tags),
        "frequency": each.frequency,
        "fee_type": each.fee_type.value,
        "fee_multiplier": float(each.fee_multiplier),
        "settlement_sources": _sources(each),
        "contract_url": each.source_url,
        "contract_terms_url": each.source_url,
        "additional_prohibitions": [],
        "exchange_index": each.exchange_index,
    }
    if volume is not None:
        body["volume_fp"] = contracts(volume)
    return body


def _sources(each: SandboxSeries) -> list[Body]:
    return [{"name": each.source_name, "url": each.source_url}]


def order_book(book: LimitOrderBook | None, depth: int) -> Body:
    """Bids only, each outcome in its own prices, best last. Depth 0 is the whole book."""

    def leg(side: BookSide) -> list[list[str]]:
        levels = book.leg(side) if book else []
        return [[dollars(level.price), contracts(level.count)] for level in levels[-depth if depth else 0 :]]

    return {"yes_dollars": leg(BookSide.BID), "no_dollars": leg(BookSide.ASK)}


def trade(each: PublicTrade, *, legacy: bool) -> Body:
    outcome = BOUGHT_OUTCOME[each.taker_side].value
    body: Body = {
        "trade_id": each.trade_id,
        "ticker": each.ticker,
        "count_fp": contracts(each.count),
        "yes_price_dollars": dollars(each.price),
        "no_price_dollars": dollars(ONE - each.price),
        "taker_outcome_side": outcome,
        "taker_book_side": each.taker_side.value,
        "created_time": rfc3339(each.time),
        "is_block_trade": False,
    }
    return body | ({"taker_side": outcome} if legacy else {})


def candle(each: SandboxCandle) -> Body:
    """A candle of the live tier. Prices end in `_dollars`; a period without trades has only `previous_dollars`."""
    price: Body = {}
    if each.price is not None:
        price = _span(each.price, "_dollars") | {"mean_dollars": dollars(each.turnover / each.volume)}
    if each.previous is not None:
        price["previous_dollars"] = dollars(each.previous)
    return {
        "end_period_ts": each.end,
        "yes_bid": _span(each.bid, "_dollars"),
        "yes_ask": _span(each.ask, "_dollars"),
        "price": price,
        "volume_fp": contracts(each.volume),
        "open_interest_fp": contracts(each.interest),
    }


def projected_candle(each: SandboxCandle, end: int) -> Body:
    """The last candle before a range as the range's first one: its closing quotes and the last traded price."""
    last = _last(each)
    return {
        "end_period_ts": end,
        "yes_bid": _span(OhlcPrices.flat(each.bid.close), "_dollars"),
        "yes_ask": _span(OhlcPrices.flat(each.ask.close), "_dollars"),
        "price": {} if last is None else {"previous_dollars": dollars(last)},
        "volume_fp": "0.00",
        "open_interest_fp": contracts(each.interest),
    }


def historical_candle(each: SandboxCandle) -> Body:
    """A candle of the historical tier: no suffixes, and null where nothing traded."""
    price: Body = dict.fromkeys(("open", "high", "low", "close", "mean"))
    if each.price is not None:
        price = _span(each.price, "") | {"mean": dollars(each.turnover / each.volume)}
    price["previous"] = None if each.previous is None else dollars(each.previous)
    return {
        "end_period_ts": each.end,
        "yes_bid": _span(each.bid, ""),
        "yes_ask": _span(each.ask, ""),
        "price": price,
        "volume": contracts(each.volume),
        "open_interest": contracts(each.interest),
    }


def _span(span: OhlcPrices, suffix: str) -> Body:
    parts = {"open": span.open, "high": span.high, "low": span.low, "close": span.close}
    return {f"{name}{suffix}": dollars(price) for name, price in parts.items()}


def fill(each: AccountFill, *, exchange_index: int, legacy: bool) -> Body:
    outcome = BOUGHT_OUTCOME[each.side].value
    body: Body = {
        "fill_id": each.fill_id,
        "trade_id": each.fill_id,
        "order_id": each.order_id,
        "ticker": each.ticker,
        "market_ticker": each.ticker,
        "exchange_index": exchange_index,
        "outcome_side": outcome,
        "book_side": each.side.value,
        "count_fp": contracts(each.count),
        "yes_price_dollars": dollars(each.price),
        "no_price_dollars": dollars(ONE - each.price),
        "is_taker": each.is_taker,
        "created_time": rfc3339(each.time),
        "ts": int(each.time),
        "fee_cost": dollars(each.fee, 6),
        "subaccount_number": 0,
    }
    return body | ({"side": outcome, "action": each.action.value} if legacy else {})


def order(each: SandboxOrder, *, exchange_index: int, legacy: bool) -> Body:
    body: Body = {
        "order_id": each.order_id,
        "user_id": each.account_id,
        "client_order_id": each.client_order_id,
        "ticker": each.ticker,
        "outcome_side": BOUGHT_OUTCOME[each.side].value,
        "book_side": each.side.value,
        "type": "limit",
        "status": each.status.value,
        "yes_price_dollars": dollars(each.price),
        "no_price_dollars": dollars(ONE - each.price),
        "fill_count_fp": contracts(each.filled),
        "remaining_count_fp": contracts(each.remaining),
        "initial_count_fp": contracts(each.initial),
        "taker_fill_cost_dollars": dollars(each.taker_cost, 6),
        "maker_fill_cost_dollars": dollars(each.maker_cost, 6),
        "taker_fees_dollars": dollars(each.taker_fees, 6),
        "maker_fees_dollars": dollars(each.maker_fees, 6),
        "created_time": rfc3339(each.created),
        "last_update_time": rfc3339(each.updated),
        "expiration_time": None if each.expires is None else rfc3339(each.expires),
        "self_trade_prevention_type": SelfTradePrevention(each.self_trade_prevention).value,
        "cancel_order_on_pause": each.cancel_on_pause,
        "subaccount_number": 0,
        "exchange_index": exchange_index,
    }
    if legacy:
        gained = BOUGHT_OUTCOME[each.side]
        leg: Outcome = gained if each.action is Action.BUY else gained.opposite
        body |= {"side": leg.value, "action": each.action.value}
    return body


def position(each: AccountPosition, *, exchange_index: int) -> Body:
    return {
        "ticker": each.ticker,
        "exchange_index": exchange_index,
        "total_traded_dollars": dollars(each.traded, 6),
        "position_fp": contracts(each.contracts),
        "market_exposure_dollars": dollars(each.cost, 6),
        "realized_pnl_dollars": dollars(each.realized, 6),
        "fees_paid_dollars": dollars(each.fees, 6),
        "last_updated_ts": rfc3339(each.updated),
    }


def event_position(event_ticker: str, rows: Iterable[AccountPosition]) -> Body:
    parts = list(rows)
    return {
        "event_ticker": event_ticker,
        "total_cost_dollars": dollars(sum((row.traded for row in parts), ZERO), 6),
        "total_cost_shares_fp": contracts(sum((row.shares for row in parts), ZERO)),
        "event_exposure_dollars": dollars(sum((row.cost for row in parts), ZERO), 6),
        "realized_pnl_dollars": dollars(sum((row.realized for row in parts), ZERO), 6),
        "fees_paid_dollars": dollars(sum((row.fees for row in parts), ZERO), 6),
    }


def transfer(each: AccountTransfer) -> Body:
    """A deposit or a withdrawal. Money is in whole cents here, times are unix seconds."""
    return {
        "id": each.transfer_id,
        "status": each.request.status,
        "type": each.request.method,
        "amount_cents": cents(each.request.amount),
        "fee_cents": cents(each.request.fee),
        "created_ts": int(each.created),
        "finalized_ts": None if each.finalized is None else int(each.finalized),
    }


def settlement(each: AccountSettlement) -> Body:
    """One settled market as recorded rows show it, which differs from the document.

    Counts and costs are everything that was bought on each side, not what was held. A scalar row's `value` is its
    `revenue`, not cents per YES contract.
    """
    bought, revenue = each.purchases, cents(each.revenue)
    return {
        "ticker": each.ticker,
        "event_ticker": each.event_ticker,
        "exchange_index": each.exchange_index,
        "market_result": each.result,
        "yes_count_fp": contracts(bought.yes_count),
        "yes_total_cost_dollars": dollars(bought.yes_cost, 6),
        "no_count_fp": contracts(bought.no_count),
        "no_total_cost_dollars": dollars(bought.no_cost, 6),
        "revenue": revenue,
        "value": revenue if each.result == "scalar" else cents(each.yes_value),
        "fee_cost": dollars(each.fees, 6),
        "settled_time": rfc3339(each.time),
    }
