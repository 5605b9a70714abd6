"""Bodies in the exchange's form, written from its field tables: one plain row of each kind, to be varied by tests."""

from __future__ import annotations

import json
from typing import Any

Row = dict[str, Any]


def text(value: object) -> bytes:
    return json.dumps(value).encode()


def market(**changes: object) -> Row:
    row: Row = {
        "ticker": "KXRAIN-26NOV21-NYC",
        "event_ticker": "KXRAIN-26NOV21",
        "market_type": "binary",
        "title": "Will it rain in New York on Nov 21?",
        "subtitle": "",
        "yes_sub_title": "Rain",
        "no_sub_title": "No rain",
        "created_time": "2026-11-19T14:00:00Z",
        "updated_time": "2026-11-20T09:30:00.12345Z",
        "open_time": "2026-11-19T15:00:00Z",
        "close_time": "2026-11-22T05:00:00Z",
        "expected_expiration_time": "2026-11-22T15:00:00Z",
        "latest_expiration_time": "2026-11-29T05:00:00Z",
        "settlement_timer_seconds": 1800,
        "status": "active",
        "yes_bid_dollars": "0.5600",
        "yes_bid_size_fp": "120.00",
        "yes_ask_dollars": "0.5900",
        "yes_ask_size_fp": "15.50",
        "no_bid_dollars": "0.4100",
        "no_ask_dollars": "0.4400",
        "last_price_dollars": "0.5800",
        "previous_yes_bid_dollars": "0.5000",
        "previous_yes_ask_dollars": "0.5300",
        "previous_price_dollars": "0.5200",
        "volume_fp": "1043.25",
        "volume_24h_fp": "310.00",
        "open_interest_fp": "800.00",
        "notional_value_dollars": "1.0000",
        "result": "",
        "can_close_early": True,
        "expiration_value": "",
        "rules_primary": "If it rains, the market resolves to Yes.",
        "rules_secondary": "Rain is at least 0.01 inches.",
        "price_level_structure": "linear_cent",
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
        "settlement_bounds_type": "default",
        "liquidity_dollars": "0.0000",
        "exchange_index": 0,
    }
    return row | changes


def fill(**changes: object) -> Row:
    row: Row = {
        "fill_id": "3f1b0f0e-0000-4000-8000-000000000001",
        "trade_id": "3f1b0f0e-0000-4000-8000-000000000001",
        "order_id": "aa1b0f0e-0000-4000-8000-000000000009",
        "ticker": "KXRAIN-26NOV21-NYC",
        "market_ticker": "KXRAIN-26NOV21-NYC",
        "exchange_index": 0,
        "outcome_side": "yes",
        "book_side": "bid",
        "action": "buy",
        "side": "yes",
        "count_fp": "10.50",
        "yes_price_dollars": "0.5800",
        "no_price_dollars": "0.4200",
        "is_taker": True,
        "fee_cost": "0.179000",
        "created_time": "2026-11-20T10:00:00.250000Z",
        "ts": 1795168800,
    }
    return row | changes


def fill_number(number: int) -> Row:
    """The `number`-th fill; higher ones are newer."""
    seconds = 1_795_168_800 + number
    return fill(fill_id=f"fill-{number:04d}", trade_id=f"fill-{number:04d}", ts=seconds, created_time=_time(seconds))


def _time(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def fills(*rows: Row, cursor: str = "") -> Row:
    return {"fills": list(rows), "cursor": cursor}


def position(**changes: object) -> Row:
    row: Row = {
        "ticker": "KXRAIN-26NOV21-NYC",
        "exchange_index": 0,
        "position_fp": "-10.50",
        "total_traded_dollars": "8.610000",
        "market_exposure_dollars": "8.610000",
        "realized_pnl_dollars": "-0.120000",
        "fees_paid_dollars": "0.010000",
        "last_updated_ts": "2026-11-20T10:00:00.101Z",
    }
    return row | changes


def transfer(**changes: object) -> Row:
    row: Row = {
        "id": "dd1b0f0e-0000-4000-8000-000000000001",
        "status": "applied",
        "type": "ach",
        "amount_cents": 12_345,
        "fee_cents": 50,
        "created_ts": 1_795_168_800,
        "finalized_ts": 1_795_255_200,
    }
    return row | changes


def settlement(**changes: object) -> Row:
    row: Row = {
        "ticker": "KXRAIN-26NOV21-NYC",
        "event_ticker": "KXRAIN-26NOV21",
        "exchange_index": 0,
        "market_result": "yes",
        "yes_count_fp": "10.00",
        "yes_total_cost_dollars": "5.600000",
        "no_count_fp": "0.00",
        "no_total_cost_dollars": "0.000000",
        "revenue": 1000,
        "value": 100,
        "fee_cost": "0.3400",
        "settled_time": "2026-11-22T06:00:00Z",
    }
    return row | changes


def event(**changes: object) -> Row:
    row: Row = {
        "event_ticker": "KXRAIN-26NOV21",
        "series_ticker": "KXRAIN",
        "title": "Rain on Nov 21?",
        "sub_title": "On Nov 21",
        "collateral_return_type": "",
        "mutually_exclusive": False,
        "category": "Climate",
        "settlement_sources": None,
        "fee_multiplier_override": 0.5,
    }
    return row | changes


def order(**changes: object) -> Row:
    row: Row = {
        "order_id": "aa1b0f0e-0000-4000-8000-000000000009",
        "user_id": "bb1b0f0e-0000-4000-8000-000000000001",
        "client_order_id": "",
        "ticker": "KXRAIN-26NOV21-NYC",
        "outcome_side": "no",
        "book_side": "ask",
        "type": "limit",
        "status": "resting",
        "yes_price_dollars": "0.9600",
        "no_price_dollars": "0.0400",
        "fill_count_fp": "1.50",
        "remaining_count_fp": "8.50",
        "initial_count_fp": "10.00",
        "taker_fill_cost_dollars": "0.000000",
        "maker_fill_cost_dollars": "0.060000",
        "taker_fees_dollars": "0.000000",
        "maker_fees_dollars": "0.000000",
        "created_time": "2026-11-21T12:00:00Z",
        "expiration_time": None,
    }
    return row | changes


def series(**changes: object) -> Row:
    row: Row = {
        "ticker": "KXRAIN",
        "title": "Daily rain",
        "category": "Climate",
        "categories": ["Climate"],
        "tags": None,
        "frequency": "daily",
        "fee_type": "quadratic",
        "fee_multiplier": 1,
        "settlement_sources": [{"name": "NWS", "url": "https://example.com/nws"}],
        "contract_url": "https://example.com/rain.pdf",
        "contract_terms_url": "https://example.com/terms.pdf",
        "additional_prohibitions": None,
    }
    return row | changes


def candle(end: int = 1_795_168_800, **changes: object) -> Row:
    quote = {"open_dollars": "0.5", "low_dollars": "0.4", "high_dollars": "0.6", "close_dollars": "0.5500"}
    row: Row = {
        "end_period_ts": end,
        "yes_bid": quote,
        "yes_ask": quote | {"close_dollars": "0.5700"},
        "price": quote | {"close_dollars": "0.5600", "previous_dollars": "0.5200"},
        "volume_fp": "12.00",
        "open_interest_fp": "800.00",
    }
    return row | changes


def historical_candle(end: int = 1_795_168_800) -> Row:
    quote = {"open": "0.5", "low": "0.4", "high": "0.6", "close": "0.5500"}
    return {
        "end_period_ts": end,
        "yes_bid": quote,
        "yes_ask": quote,
        "price": quote | {"mean": "0.5", "previous": "0.5"},
        "volume": "12.00",
        "open_interest": "800.00",
    }


BALANCE: Row = {
    "balance": 9801,
    "balance_dollars": "98.0186",
    "portfolio_value": 198,
    "updated_ts": 1_795_168_800,
    "balance_breakdown": [{"exchange_index": 0, "balance": "98.0186"}],
}
STATUS: Row = {"exchange_active": True, "trading_active": True}
CUTOFF: Row = {
    "market_settled_ts": "2026-09-20T00:00:00Z",
    "trades_created_ts": "2026-09-20T00:00:00Z",
    "orders_updated_ts": "2026-11-06T00:00:00Z",
}
BOOK: Row = {
    "yes_dollars": [["0.0100", "200.00"], ["0.5600", "120.00"]],
    "no_dollars": [["0.0200", "9.00"], ["0.4100", "15.50"]],
}

BODIES: dict[str, Row] = {
    "/exchange/status": STATUS,
    "/markets": {"markets": [market()], "cursor": ""},
    "/markets/{ticker}": {"market": market()},
    "/markets/{ticker}/orderbook": {"orderbook_fp": BOOK},
    "/markets/orderbooks": {"orderbooks": [{"ticker": "KXRAIN-26NOV21-NYC", "orderbook_fp": BOOK}]},
    "/events": {"events": [event(), event(markets=[market()])], "cursor": "more"},
    "/events/{event_ticker}": {"event": event(), "markets": [market()]},
    "/series/{series_ticker}": {"series": series()},
    "/series/{series_ticker}/markets/{ticker}/candlesticks": {
        "ticker": "KXRAIN-26NOV21-NYC",
        "candlesticks": [candle()],
    },
    "/portfolio/balance": BALANCE,
    "/portfolio/positions": {"market_positions": [position()], "event_positions": [], "cursor": ""},
    "/portfolio/fills": fills(fill()),
    "/portfolio/settlements": {"settlements": [settlement()], "cursor": ""},
    "/portfolio/orders": {"orders": [order()], "cursor": ""},
    "/historical/cutoff": CUTOFF,
    "/historical/markets": {"markets": [market(status="finalized", result="yes")], "cursor": ""},
    "/historical/markets/{ticker}": {"market": market(status="finalized", result="yes")},
    "/historical/markets/{ticker}/candlesticks": {
        "ticker": "KXRAIN-26NOV21-NYC",
        "candlesticks": [historical_candle()],
    },
    "/historical/fills": fills(fill()),
    "/historical/positions": {"market_positions": [position(position_fp="0.00")], "event_positions": [], "cursor": ""},
    "/portfolio/deposits": {"deposits": [transfer()], "cursor": ""},
    "/portfolio/withdrawals": {"withdrawals": [transfer(status="pending", finalized_ts=None)], "cursor": ""},
}
"""A good answer of every endpoint the client asks."""
