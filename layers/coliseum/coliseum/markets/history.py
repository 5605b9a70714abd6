"""Candles as a sparkline: one price per period, without holes once a price is known. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from coliseum.trading.markets import Candle


@dataclass(frozen=True, slots=True)
class Point:
    """A YES price, in dollars, at the end of a period."""

    at: datetime
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """Prices oldest first, all one period apart. `change` is the last less the first; None with fewer than two."""

    points: tuple[Point, ...]
    low: Decimal | None
    high: Decimal | None
    change: Decimal | None


def sparkline(candles: Sequence[Candle], *, start: datetime, now: datetime, period: timedelta) -> Sparkline:
    """The price at each period's end after `start`, and now: the last candle is the one still open.

    A period's price is its last trade, else the price before it, else the middle of its last quotes. Periods the
    exchange left out repeat the price before them; before the first known price there is no point.
    """
    by_end = {candle.end: candle for candle in candles}
    known: Decimal | None = None
    for candle in sorted(candles, key=lambda candle: candle.end):
        if candle.end <= start:
            known = _price(candle, known)
    points: list[Point] = []
    for moment in _ends(start, now, period):
        candle_here = by_end.get(moment)
        known = known if candle_here is None else _price(candle_here, known)
        if known is not None:
            points.append(Point(min(moment, now), known))
    prices = [point.price for point in points]
    return Sparkline(
        points=tuple(points),
        low=min(prices, default=None),
        high=max(prices, default=None),
        change=prices[-1] - prices[0] if len(prices) > 1 else None,
    )


def _ends(start: datetime, now: datetime, period: timedelta) -> list[datetime]:
    """The ends of the periods after `start`, up to the one that `now` lies in: whole multiples since 1970."""
    seconds = int(period.total_seconds())
    first = (int(start.timestamp()) // seconds + 1) * seconds
    return [datetime.fromtimestamp(at, start.tzinfo) for at in range(first, int(now.timestamp()) + seconds, seconds)]


def _price(candle: Candle, before: Decimal | None) -> Decimal | None:
    if candle.price_close is not None:
        return candle.price_close
    if before is not None:
        return before
    if candle.price_previous is not None:
        return candle.price_previous
    bid, ask = candle.yes_bid_close, candle.yes_ask_close
    return None if bid is None or ask is None else (bid + ask) / 2
