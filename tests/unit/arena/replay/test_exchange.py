from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from tests.unit.arena.replay.recorded import START, recording

from coliseum.arena.replay.exchange import RecordedExchange
from coliseum.arena.replay.recording import RecordedCandle, RecordedRow
from coliseum.errors import NotFound
from coliseum.trading.markets import Market


def opened(exchange: RecordedExchange) -> list[str]:
    page = exchange.events(status="open", with_markets=True, limit=200, cursor=None)
    return [market.ticker for event in page.items for market in event.markets if market.status == "active"]


def test_nothing_is_known_before_it_was_seen() -> None:
    exchange = RecordedExchange(recording(4).rows)
    exchange.advance(START - timedelta(seconds=1))

    assert opened(exchange) == []
    with pytest.raises(NotFound):
        exchange.series("KXRAIN")


def test_the_newest_row_before_the_clock_counts() -> None:
    rows = recording(4).rows
    now = START + timedelta(hours=3, minutes=10)
    exchange = RecordedExchange(rows)
    exchange.advance(now)
    seen = [row.item for row in rows if row.at <= now and isinstance(row.item, Market)]
    newest = {market.ticker: market for market in seen}

    page = exchange.events(status="open", with_markets=True, limit=200, cursor=None)
    assert {market.ticker: market for event in page.items for market in event.markets} == newest


def test_rows_after_the_clock_are_not_read() -> None:
    """One row is read ahead at most; all others stay in the recording."""
    rows, taken = recording(10).rows, 0

    def counted() -> Iterator[RecordedRow]:
        nonlocal taken
        for row in rows:
            taken += 1
            yield row

    exchange = RecordedExchange(counted())
    now = START + timedelta(hours=2)
    exchange.advance(now)

    assert taken == 1 + sum(row.at <= now for row in rows)


def test_final_markets_are_returned_once_and_listed_as_precedents() -> None:
    recorded = recording(20)
    exchange = RecordedExchange(recorded.rows)
    final = exchange.advance(recorded.end)
    series = {market.event_ticker.split("-")[0] for market in final}

    assert len(final) == 20
    assert exchange.advance(recorded.end) == ()
    assert opened(exchange) == []
    listed = [m for name in series for m in exchange.markets(series_ticker=name, status="settled", limit=100).items]
    assert {market.ticker for market in listed} == {market.ticker for market in final}
    assert len(exchange.markets(series_ticker=next(iter(series)), status="settled", limit=1).items) == 1


def test_candles_are_those_recorded_between_two_times() -> None:
    rows = recording(2).rows
    ticker = next(row.item.ticker for row in rows if isinstance(row.item, RecordedCandle))
    exchange = RecordedExchange(rows)
    exchange.advance(START + timedelta(hours=5))

    def ends(start: datetime, end: datetime) -> list[datetime]:
        result = exchange.candles(
            "KXRAIN", ticker, start=int(start.timestamp()), end=int(end.timestamp()), period_minutes=60
        )
        return [candle.end for candle in result]

    def hours(*wanted: int) -> list[datetime]:
        return [START + timedelta(hours=hour) for hour in wanted]

    assert ends(START + timedelta(hours=2), START + timedelta(hours=9)) == hours(2, 3, 4, 5)
    assert ends(START + timedelta(hours=2), START + timedelta(hours=4)) == hours(2, 3, 4)


def test_order_books_are_returned_for_markets_that_have_one() -> None:
    exchange = RecordedExchange(recording(2).rows)
    exchange.advance(START)
    known = opened(exchange)

    assert set(exchange.order_books([*known, "UNKNOWN"])) == set(known)
    assert exchange.book("UNKNOWN") is None
