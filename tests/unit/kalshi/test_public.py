from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.unit.kalshi import payloads
from tests.unit.kalshi.steps import Exchange

from coliseum.errors import InvalidInput, NotFound
from coliseum.kalshi.retry import HttpAnswer, SendRequest

GONE = HttpAnswer(404, b'{"error":{"code":"not_found","message":"not found"}}')


def _archive(live: object, archived: object) -> Callable[[SendRequest], object]:
    return lambda step: archived if step.path.startswith("/historical") else live


def test_lists_of_markets_never_hold_combinations() -> None:
    exchange = Exchange(lambda step: payloads.BODIES["/markets"])
    exchange.run(exchange.calls.markets(status="open", tickers=["A", "B"]))
    exchange.run(exchange.calls.historical_markets())
    assert [dict(step.query)["mve_filter"] for step in exchange.sent] == ["exclude", "exclude"]
    assert dict(exchange.sent[0].query)["tickers"] == "A,B"


def test_an_archived_market_is_found_in_the_historical_tier() -> None:
    exchange = Exchange(_archive(GONE, payloads.BODIES["/historical/markets/{ticker}"]))
    market = exchange.run(exchange.calls.market("KXRAIN-26NOV21-NYC"))
    assert market.result == "yes"
    assert [step.path for step in exchange.sent] == [
        "/markets/KXRAIN-26NOV21-NYC",
        "/historical/markets/KXRAIN-26NOV21-NYC",
    ]


def test_a_market_in_neither_tier_is_not_found() -> None:
    exchange = Exchange(_archive(GONE, GONE))
    with pytest.raises(NotFound, match="no market named 'KXNO'"):
        exchange.run(exchange.calls.market("KXNO"))


def test_an_archived_markets_candles_are_found_too() -> None:
    exchange = Exchange(_archive(GONE, payloads.BODIES["/historical/markets/{ticker}/candlesticks"]))
    candles = exchange.run(exchange.calls.candles("KXRAIN", "KXRAIN-1", start=0, end=3600, period_minutes=1))
    assert len(candles) == 1


BEGIN = 1_795_168_800


def test_a_long_history_comes_in_parts_oldest_first_each_candle_once() -> None:
    def answer(step: SendRequest) -> object:
        query = {name: int(value) for name, value in step.query}
        assert (query["end_ts"] - query["start_ts"]) // 60 < 5000
        return {"candlesticks": [payloads.candle(query["end_ts"]), payloads.candle(query["start_ts"])]}

    exchange = Exchange(answer)
    steps = exchange.calls.candles("KXRAIN", "KXRAIN-1", start=BEGIN, end=BEGIN + 12_000 * 60, period_minutes=1)
    ends = [candle.end.timestamp() for candle in exchange.run(steps)]
    assert len(exchange.sent) == 3
    assert [end - BEGIN for end in ends] == [0, 4999 * 60, 9998 * 60, 12_000 * 60]


def test_candles_of_a_period_or_time_that_does_not_exist_are_refused() -> None:
    exchange = Exchange(lambda step: {})
    with pytest.raises(InvalidInput, match="period_minutes"):
        exchange.run(exchange.calls.candles("A", "B", start=0, end=1, period_minutes=5))  # type: ignore[arg-type]  # that is the point
    with pytest.raises(InvalidInput, match="start"):
        exchange.run(exchange.calls.historical_candles("B", start=2, end=1, period_minutes=1))


def test_books_of_many_markets_are_asked_a_hundred_at_a_time() -> None:
    def answer(step: SendRequest) -> object:
        tickers = [value for name, value in step.query if name == "tickers"]
        return {"orderbooks": [{"ticker": ticker, "orderbook_fp": payloads.BOOK} for ticker in tickers]}

    exchange = Exchange(answer)
    tickers = [f"KX-{number}" for number in range(205)]
    books = exchange.run(exchange.calls.order_books([*tickers, tickers[0]]))
    assert list(books) == tickers
    assert [len(step.query) for step in exchange.sent] == [100, 100, 5]


def test_no_books_are_no_calls() -> None:
    exchange = Exchange(lambda step: {})
    assert exchange.run(exchange.calls.order_books([])) == {}
    assert exchange.sent == []


def test_an_event_takes_its_markets_from_beside_or_from_inside() -> None:
    inside = {"event": payloads.event(markets=[payloads.market()])}
    for body in (payloads.BODIES["/events/{event_ticker}"], inside):
        exchange = Exchange(lambda step, body=body: body)  # type: ignore[misc]  # a loop's value kept by default
        assert len(exchange.run(exchange.calls.event("KXRAIN-26NOV21")).markets) == 1


@pytest.mark.parametrize("limit", [0, 201])
def test_events_have_a_smaller_limit(limit: int) -> None:
    with pytest.raises(InvalidInput):
        Exchange(lambda step: {}).calls.events(limit=limit)
