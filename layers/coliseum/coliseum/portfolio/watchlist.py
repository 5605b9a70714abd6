"""Which markets are followed over time: those with an open position, then those traded lately. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from coliseum.trading.markets import ExchangePosition

MAX_WATCHED = 50
"""Markets per snapshot. docs/operations.md calculates how much of the database they fill."""


def choose_tickers(positions: Iterable[ExchangePosition], traded: Iterable[str]) -> tuple[str, ...]:
    """At most `MAX_WATCHED` tickers: open positions first, the latest changed ahead, then `traded` in its order."""
    open_positions = [row for row in positions if row.position]
    open_positions.sort(key=lambda row: 0.0 if row.updated_at is None else row.updated_at.timestamp(), reverse=True)
    tickers = dict.fromkeys([*(row.ticker for row in open_positions), *traded])
    return tuple(tickers)[:MAX_WATCHED]
