"""Open markets and order books for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from coliseum.arena.frozen_context import CandidateMarket
from coliseum.trading.markets import Level, Market, OrderBook

NOW = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)


def market(ticker: str = "KXRAIN-1", *, hours: float = 6, **changes: Any) -> Market:
    values: dict[str, Any] = {
        "ticker": ticker,
        "event_ticker": f"EVENT-{ticker}",
        "title": "Will it rain?",
        "subtitle": "Yes",
        "status": "active",
        "market_type": "binary",
        "yes_bid": Decimal("0.40"),
        "yes_ask": Decimal("0.44"),
        "no_bid": Decimal("0.56"),
        "no_ask": Decimal("0.60"),
        "last_price": None,
        "previous_price": None,
        "volume": Decimal(500),
        "volume_24h": Decimal(100),
        "open_interest": Decimal(50),
        "open_time": NOW - timedelta(hours=1),
        "close_time": NOW + timedelta(hours=hours),
        "expected_expiration_time": None,
        "updated_time": None,
        "result": None,
        "settlement_value": None,
        "settled_at": None,
        "rules_primary": "Yes if it rains.",
        "rules_secondary": "",
        "price_level_structure": "linear_cent",
        "can_close_early": False,
    }
    return Market(**(values | changes))


def offer(ticker: str = "KXRAIN-1", *, category: str = "Weather", hours: float = 6, **changes: Any) -> CandidateMarket:
    return CandidateMarket(market=market(ticker, hours=hours, **changes), series_ticker="KXRAIN", category=category)


def book(yes: str = "0.40", no: str = "0.56") -> OrderBook:
    return OrderBook((Level(Decimal(yes), Decimal(70)),), (Level(Decimal(no), Decimal(90)),))
