"""Which markets are followed over time: those held, and those traded lately. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from coliseum.trading.markets import ExchangePosition

MAX_TICKERS = 50
"""What the history has room for: docs/operations.md has the arithmetic."""


def choose_tickers(positions: Iterable[ExchangePosition], traded: Iterable[str]) -> tuple[str, ...]:
    """At most `MAX_TICKERS` tickers: held ones first, the latest changed ahead, then `traded` in its order."""
    held = [row for row in positions if row.position]
    held.sort(key=lambda row: 0.0 if row.updated_at is None else row.updated_at.timestamp(), reverse=True)
    tickers = dict.fromkeys([*(row.ticker for row in held), *traded])
    return tuple(tickers)[:MAX_TICKERS]
