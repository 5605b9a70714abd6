from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from coliseum.portfolio.watchlist import MAX_TICKERS, choose_tickers
from coliseum.trading.markets import ExchangePosition
from coliseum.trading.money import ZERO


def held(ticker: str, contracts: int, *, minute: int | None = None) -> ExchangePosition:
    return ExchangePosition(
        ticker=ticker,
        position=Decimal(contracts),
        exposure=ZERO,
        realized_pnl=ZERO,
        fees_paid=ZERO,
        total_traded=ZERO,
        updated_at=None if minute is None else datetime(2026, 11, 21, 12, minute, tzinfo=UTC),
    )


def test_markets_held_come_before_those_traded_and_each_stands_once() -> None:
    positions = [held("OLD", 1, minute=1), held("SOLD", 0, minute=3), held("NEW", -2, minute=2), held("UNDATED", 1)]

    assert choose_tickers(positions, ["LAST", "NEW", "FIRST"]) == ("NEW", "OLD", "UNDATED", "LAST", "FIRST")


def test_where_there_are_too_many_the_oldest_are_left_out() -> None:
    traded = [str(number) for number in range(100)]

    assert choose_tickers([held("HELD", 1)], traded) == ("HELD", *traded[: MAX_TICKERS - 1])
