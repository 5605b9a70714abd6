from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from coliseum.portfolio.watchlist import MAX_WATCHED, choose_tickers
from coliseum.trading.markets import ExchangePosition
from coliseum.trading.money import ZERO


def position(ticker: str, contracts: int, *, minute: int | None = None) -> ExchangePosition:
    return ExchangePosition(
        ticker=ticker,
        position=Decimal(contracts),
        exposure=ZERO,
        realized_pnl=ZERO,
        fees_paid=ZERO,
        total_traded=ZERO,
        updated_at=None if minute is None else datetime(2026, 11, 21, 12, minute, tzinfo=UTC),
    )


def test_open_positions_come_before_traded_markets_and_each_ticker_appears_once() -> None:
    positions = [
        position("OLD", 1, minute=1),
        position("SOLD", 0, minute=3),
        position("NEW", -2, minute=2),
        position("UNDATED", 1),
    ]

    assert choose_tickers(positions, ["LAST", "NEW", "FIRST"]) == ("NEW", "OLD", "UNDATED", "LAST", "FIRST")


def test_beyond_the_maximum_the_oldest_tickers_are_left_out() -> None:
    traded = [str(number) for number in range(100)]

    assert choose_tickers([position("HELD", 1)], traded) == ("HELD", *traded[: MAX_WATCHED - 1])
