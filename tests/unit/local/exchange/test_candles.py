"""Candles: minutes out of quotes and trades, longer periods out of minutes."""

from __future__ import annotations

from decimal import Decimal

from coliseum.trading.money import ZERO
from coliseum_local.exchange.candles import HOUR, MINUTES_KEPT_SECONDS, CandleRecorder, merge, period_end

D = Decimal


def test_a_moment_on_the_border_belongs_to_the_period_it_ends() -> None:
    assert [period_end(time, 1) for time in (0.5, 59.9, 60.0, 60.1)] == [60, 60, 60, 120]
    assert period_end(3600.0, 60) == 3600


def test_a_minute_remembers_first_highest_lowest_last_and_the_price_before() -> None:
    recorder = CandleRecorder()
    for time, price in ((1.0, "0.40"), (61.0, "0.50"), (62.0, "0.70"), (63.0, "0.45"), (64.0, "0.55")):
        recorder.trade(time, price=D(price), count=D(2), bid=D("0.40"), ask=D("0.60"), interest=D(5))
    first, second = recorder.all()
    assert second.price is not None
    assert (second.price.open, second.price.high, second.price.low, second.price.close) == (
        D("0.50"),
        D("0.70"),
        D("0.45"),
        D("0.55"),
    )
    assert (second.previous, second.volume, second.turnover / second.volume) == (D("0.40"), D(8), D("0.55"))
    assert first.previous is None


def test_a_minute_without_trades_keeps_quotes_and_the_last_price() -> None:
    recorder = CandleRecorder()
    recorder.trade(1.0, price=D("0.40"), count=D(1), bid=ZERO, ask=D(1), interest=ZERO)
    recorder.quote(70.0, bid=D("0.30"), ask=D("0.50"), interest=ZERO)
    last = recorder.all()[-1]
    assert (last.price, last.previous, last.volume) == (None, D("0.40"), ZERO)
    assert recorder.last_price == D("0.40")


def test_merging_keeps_all_volume_and_the_outer_prices() -> None:
    recorder = CandleRecorder()
    for minute in range(180):
        price = D(10 + minute % 50) / 100
        recorder.trade(minute * 60 + 1.0, price=price, count=D(1), bid=D("0.1"), ask=D("0.9"), interest=D(minute))
    hours = merge(recorder.all(), 60)
    assert [candle.end for candle in hours] == [3600, 7200, 10800]
    assert sum(candle.volume for candle in hours) == 180
    assert hours[0].price is not None
    assert (hours[0].price.open, hours[0].price.high) == (D("0.10"), D("0.59"))


def test_old_minutes_become_hours_once_and_lose_nothing() -> None:
    recorder = CandleRecorder()
    last = MINUTES_KEPT_SECONDS + 3 * HOUR
    for time in range(30, last, 60):
        recorder.trade(float(time), price=D("0.5"), count=D(1), bid=D("0.4"), ask=D("0.6"), interest=ZERO)
    before = sum(candle.volume for candle in recorder.all())
    gone, came = recorder.compact(float(last))
    assert (len(gone), [candle.end for candle in came]) == (180, [3600, 7200, 10800])
    assert recorder.compact(float(last)) == ([], [])
    assert sum(candle.volume for candle in recorder.all()) == before
    assert [candle.end for candle in recorder.all()] == sorted(candle.end for candle in recorder.all())
