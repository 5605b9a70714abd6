"""Candles as a sparkline, with one price per period and no holes, and stored snapshots as candles. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A market at one moment, in dollars and contracts."""

    at: datetime
    yes_bid: Decimal | None
    yes_ask: Decimal | None
    last_price: Decimal | None
    volume: Decimal
    """Contracts ever traded."""
    open_interest: Decimal


def sparkline(candles: Sequence[Candle], *, start: datetime, now: datetime, period: timedelta) -> Sparkline:
    """The price at the end of each period after `start`, and now: the last candle is the one that is still open.

    A period's price is its last trade, else the price before it, else the midpoint of its last quotes. A period without
    a candle repeats the price before it. Points begin at the first known price.
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
    """The ends of the periods after `start`, up to the one that holds `now`: multiples of the period since 1970."""
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
    return None if bid is None or ask is None or bid > ask else (bid + ask) / 2


def candles_from(snapshots: Sequence[Snapshot], *, after: datetime, period: timedelta) -> tuple[Candle, ...]:
    """Candles from snapshots (oldest first), for the periods that end after `after`.

    Earlier snapshots give the first candle its previous price and volume. A price that came and went between two
    snapshots is missing.
    """
    before: Snapshot | None = None
    candles: list[Candle] = []
    for end, group in groupby(snapshots, key=lambda snapshot: _end_of(snapshot.at, period)):
        seen = tuple(group)
        if end > after:
            candles.append(_candle(end, seen, before))
        before = seen[-1]
    return tuple(candles)


def _candle(end: datetime, seen: Sequence[Snapshot], before: Snapshot | None) -> Candle:
    last = seen[-1]
    volume = last.volume - (before or seen[0]).volume
    prices = [snapshot.last_price for snapshot in seen if snapshot.last_price is not None] if volume else []
    return Candle(
        end=end,
        yes_bid_close=last.yes_bid,
        yes_ask_close=last.yes_ask,
        price_open=prices[0] if prices else None,
        price_high=max(prices, default=None),
        price_low=min(prices, default=None),
        price_close=prices[-1] if prices else None,
        price_previous=None if before is None else before.last_price,
        volume=volume,
        open_interest=last.open_interest,
    )


def _end_of(moment: datetime, period: timedelta) -> datetime:
    """The end of the period that holds `moment`; a moment on a border belongs to the period that ends there."""
    seconds = int(period.total_seconds())
    return datetime.fromtimestamp(-(-moment.timestamp() // seconds) * seconds, UTC)
