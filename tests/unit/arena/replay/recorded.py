"""Recordings generated from a seed. Prices are a random walk, and the outcome is drawn from the last price."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from coliseum.arena.replay.recording import (
    FILES,
    RecordedBook,
    RecordedCandle,
    RecordedRow,
    Recording,
    about_text,
    file_of,
    line_of,
    recording_from,
)
from coliseum.trading.events import Event, Series
from coliseum.trading.markets import Candle, Level, Market, OrderBook

START = datetime(2026, 10, 5, tzinfo=UTC)
SERIES = ("KXRAIN", "KXFED", "KXGAME", "KXSONG")


def rows(
    markets: int = 40, *, seed: int = 1, step: timedelta = timedelta(minutes=30), together: int = 10
) -> Iterator[RecordedRow]:
    """`together` markets are open at a time, for half a day each, with two markets in an event."""
    rng = random.Random(seed)
    for ticker in SERIES:
        yield RecordedRow(START, _series(ticker))
    for number in range(0, markets, 2):
        opened = START + timedelta(hours=12) * (number // together)
        event = f"{rng.choice(SERIES)}-{number:04}"
        yield RecordedRow(opened, _event(event))
        for market in (number, number + 1):
            yield from _life(rng, f"{event}-{market:04}", event, opened, step)


def recording(markets: int = 40, *, seed: int = 1, exchange: str = "sandbox") -> Recording:
    return recording_from(about_text(exchange), files(rows(markets, seed=seed)))


def files(seen: Iterator[RecordedRow]) -> dict[str, str]:
    """The texts of a recording's files, by kind."""
    found: dict[str, list[str]] = {kind: [] for kind in FILES}
    for row in seen:
        found[file_of(row.item)].append(line_of(row))
    return {kind: "\n".join(lines) + "\n" for kind, lines in found.items()}


def _life(rng: random.Random, ticker: str, event: str, opened: datetime, step: timedelta) -> Iterator[RecordedRow]:
    closes = opened + timedelta(hours=12)
    belief, now = rng.gauss(0, 1), opened
    while now < closes:
        mid = min(0.97, max(0.03, 1 / (1 + math.exp(-belief))))
        bid = Decimal(f"{mid - 0.01:.2f}")
        ask = bid + Decimal("0.02")
        yield RecordedRow(now, market(ticker, event, opened, closes, bid=bid, ask=ask))
        yield RecordedRow(now, RecordedBook(ticker, book(bid, ask)))
        if now.minute == 0:
            yield RecordedRow(now, RecordedCandle(ticker, candle(now, bid, ask)))
        belief += rng.gauss(0, 0.25)
        now += step
    result = "yes" if rng.random() < 1 / (1 + math.exp(-belief)) else "no"
    paid = Decimal(1) if result == "yes" else Decimal(0)
    final = market(ticker, event, opened, closes, bid=None, ask=None)
    yield RecordedRow(
        closes + timedelta(minutes=5),
        replace(final, status="finalized", result=result, settlement_value=paid, settled_at=closes),
    )


def book(bid: Decimal, ask: Decimal) -> OrderBook:
    cent, size = Decimal("0.01"), Decimal(400)
    return OrderBook(
        yes_bids=(Level(bid, size), Level(bid - cent, size)) if bid > cent else (Level(bid, size),),
        no_bids=(Level(1 - ask, size), Level(1 - ask - cent, size)) if 1 - ask > cent else (Level(1 - ask, size),),
    )


def candle(end: datetime, bid: Decimal, ask: Decimal) -> Candle:
    return Candle(
        end=end,
        yes_bid_close=bid,
        yes_ask_close=ask,
        price_open=None,
        price_high=None,
        price_low=None,
        price_close=None,
        price_previous=None,
        volume=Decimal(10),
        open_interest=Decimal(100),
    )


def market(
    ticker: str, event: str, opened: datetime, closes: datetime, *, bid: Decimal | None, ask: Decimal | None
) -> Market:
    return Market(
        ticker=ticker,
        event_ticker=event,
        title=f"Will {ticker} happen?",
        subtitle=ticker[-4:],
        status="active",
        market_type="binary",
        yes_bid=bid,
        yes_ask=ask,
        no_bid=None if ask is None else 1 - ask,
        no_ask=None if bid is None else 1 - bid,
        last_price=bid,
        previous_price=None,
        volume=Decimal(5000),
        volume_24h=Decimal(4000 + int(ticker[-4:]) % 7 * 500),
        open_interest=Decimal(900),
        open_time=opened,
        close_time=closes,
        expected_expiration_time=None,
        updated_time=None,
        result=None,
        settlement_value=None,
        settled_at=None,
        rules_primary="If it happens, YES.",
        rules_secondary="",
        price_level_structure="linear_cent",
        can_close_early=False,
    )


def _series(ticker: str) -> Series:
    return Series(
        ticker=ticker,
        title=ticker.title(),
        category="Weather" if ticker == "KXRAIN" else "Sports",
        categories=(),
        tags=("a", "b"),
        frequency="daily",
        fee_type="quadratic",
        fee_multiplier=Decimal(1),
        settlement_sources=("somewhere",),
        contract_url="https://example.org/terms",
    )


def _event(ticker: str) -> Event:
    return Event(
        ticker=ticker,
        series_ticker=ticker.split("-", maxsplit=1)[0],
        title=f"What of {ticker}?",
        subtitle="",
        category="Weather" if ticker.startswith("KXRAIN") else "Sports",
        mutually_exclusive=True,
        strike_date=None,
        fee_type_override=None,
        fee_multiplier_override=None,
        markets=(),
    )
