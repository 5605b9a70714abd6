"""Candles as a sparkline: one price per period, without holes once a price is known; and snapshots as candles. Pure."""

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
    """A market as it stood at one moment, in dollars and contracts."""

    at: datetime
    yes_bid: Decimal | None
    yes_ask: Decimal | None
    last_price: Decimal | None
    volume: Decimal
    """Everything ever traded."""
    open_interest: Decimal


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


def candles_from(snapshots: Sequence[Snapshot], *, after: datetime, period: timedelta) -> tuple[Candle, ...]:
    """What snapshots, oldest first, tell of each period that ends after `after`; earlier ones are its beginning.

    Prices and volume are those seen between two snapshots: what came and went in between is not in them.
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
    """The end of the period that `moment` lies in: a whole multiple since 1970, which belongs to what it ends."""
    seconds = int(period.total_seconds())
    return datetime.fromtimestamp(-(-moment.timestamp() // seconds) * seconds, UTC)
