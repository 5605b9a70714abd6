"""Candles: quotes and trades of each minute, and minutes merged into hours and days.

A candle is named by the unix second at which its period ends. A side without orders counts as bid 0 and ask 1, like in
Kalshi's candles. Prices are dollars per YES contract.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from coliseum.trading.money import ZERO

MINUTE, HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class OhlcPrices:
    """First, highest, lowest and last price of a period."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    @classmethod
    def flat(cls, price: Decimal) -> OhlcPrices:
        return cls(price, price, price, price)

    def then(self, later: OhlcPrices) -> OhlcPrices:
        return OhlcPrices(self.open, max(self.high, later.high), min(self.low, later.low), later.close)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxCandle:
    """One period of one market."""

    end: int
    bid: OhlcPrices
    ask: OhlcPrices
    price: OhlcPrices | None
    """None where nothing traded."""
    turnover: Decimal
    """Dollars of YES price traded: turnover / volume is the mean price."""
    previous: Decimal | None
    """The last price before the period."""
    volume: Decimal
    interest: Decimal

    def then(self, later: SandboxCandle, *, end: int) -> SandboxCandle:
        prices = [span for span in (self.price, later.price) if span is not None]
        return SandboxCandle(
            end=end,
            bid=self.bid.then(later.bid),
            ask=self.ask.then(later.ask),
            price=prices[0].then(prices[-1]) if prices else None,
            turnover=self.turnover + later.turnover,
            previous=self.previous,
            volume=self.volume + later.volume,
            interest=later.interest,
        )


def period_end(time: float, minutes: int) -> int:
    """End of the period that holds `time`; a time on a border belongs to the period that ends there."""
    seconds = minutes * MINUTE
    return -int(-time // seconds) * seconds


def merge(candles: Iterable[SandboxCandle], minutes: int) -> list[SandboxCandle]:
    """Candles of `minutes` each, from shorter ones in order of time."""
    merged: list[SandboxCandle] = []
    for candle in candles:
        end = period_end(candle.end, minutes)
        if merged and merged[-1].end == end:
            merged[-1] = merged[-1].then(candle, end=end)
        else:
            merged.append(replace(candle, end=end))
    return merged


MINUTES_KEPT_SECONDS = 6 * HOUR
"""Candles of one minute that are older are merged into hours."""


@dataclass(slots=True)
class CandleRecorder:
    """Builds the candles of one market while it trades."""

    drawn: list[SandboxCandle] = field(default_factory=list)
    """The generated past, from before this exchange was started."""
    past: list[SandboxCandle] = field(default_factory=list)
    """Closed candles since the start: hours up to `compacted`, minutes after it."""
    current: SandboxCandle | None = None
    """The minute that is still open."""
    compacted: int = 0
    """Unix second up to which minutes were merged into hours."""

    @property
    def last_price(self) -> Decimal | None:
        last = self.current or next((row[-1] for row in (self.past, self.drawn) if row), None)
        if last is None:
            return None
        return last.price.close if last.price else last.previous

    def quote(self, now: float, *, bid: Decimal, ask: Decimal, interest: Decimal) -> SandboxCandle | None:
        """Record the best prices; returns the candle that this moment closed, if there is one."""
        return self._add(now, bid=bid, ask=ask, interest=interest, price=None, count=ZERO)

    def trade(
        self, now: float, *, price: Decimal, count: Decimal, bid: Decimal, ask: Decimal, interest: Decimal
    ) -> SandboxCandle | None:
        return self._add(now, bid=bid, ask=ask, interest=interest, price=price, count=count)

    def all(self) -> list[SandboxCandle]:
        """Oldest first, the running minute last."""
        return [*self.drawn, *self.past, *([self.current] if self.current else [])]

    def compact(self, now: float) -> tuple[list[SandboxCandle], list[SandboxCandle]]:
        """Merge old minutes into hours; returns the minutes that were replaced and the hours that replace them."""
        border = int((now - MINUTES_KEPT_SECONDS) // HOUR) * HOUR
        old = [candle for candle in self.past if self.compacted < candle.end <= border]
        hours = merge(old, 60)
        self.past = [
            *(candle for candle in self.past if candle.end <= self.compacted),
            *hours,
            *(candle for candle in self.past if candle.end > max(border, self.compacted)),
        ]
        self.compacted = max(border, self.compacted)
        return old, hours

    def _add(
        self, now: float, *, bid: Decimal, ask: Decimal, interest: Decimal, price: Decimal | None, count: Decimal
    ) -> SandboxCandle | None:
        end = period_end(now, 1)
        closed = None
        if self.current is not None and self.current.end < end:
            closed = self.current
            self.past.append(closed)
            self.current = None
        previous = self.last_price
        fresh = SandboxCandle(
            end=end,
            bid=OhlcPrices.flat(bid),
            ask=OhlcPrices.flat(ask),
            price=None if price is None else OhlcPrices.flat(price),
            turnover=ZERO if price is None else price * count,
            previous=previous,
            volume=count,
            interest=interest,
        )
        self.current = fresh if self.current is None else self.current.then(fresh, end=end)
        return closed
