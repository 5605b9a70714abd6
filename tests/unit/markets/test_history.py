from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from coliseum.markets.history import Snapshot, candles_from, sparkline
from coliseum.trading.markets import Candle
from coliseum.trading.money import ZERO

START = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def candle(
    hour: int, *, close: str | None = None, previous: str | None = None, quotes: tuple[str, str] | None = None
) -> Candle:
    def number(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return Candle(
        end=START.replace(hour=hour, minute=0),
        yes_bid_close=number(quotes[0] if quotes else None),
        yes_ask_close=number(quotes[1] if quotes else None),
        price_open=None,
        price_high=None,
        price_low=None,
        price_close=number(close),
        price_previous=number(previous),
        volume=ZERO,
        open_interest=ZERO,
    )


def prices(*candles: Candle, hours: int = 4) -> list[tuple[int, str]]:
    line = sparkline(candles, start=START, now=START + hours * HOUR, period=HOUR)
    return [(point.at.hour * 60 + point.at.minute, str(point.price)) for point in line.points]


def test_each_hour_has_a_point_and_the_open_one_is_now() -> None:
    found = prices(*(candle(hour, close=f"0.{hour:02}") for hour in (9, 10, 11, 12, 13)))
    assert found == [(540, "0.09"), (600, "0.10"), (660, "0.11"), (720, "0.12"), (750, "0.13")]


def test_hours_without_a_trade_and_missing_hours_repeat_the_price_before() -> None:
    found = prices(candle(9, close="0.40"), candle(10, quotes=("0.10", "0.20")), candle(12, close="0.42"))
    assert [price for _, price in found] == ["0.40", "0.40", "0.40", "0.42", "0.42"]


def test_before_the_first_trade_the_price_is_the_one_before_then_the_middle_of_the_quotes_then_unknown() -> None:
    assert prices(candle(9, previous="0.30"))[0] == (540, "0.30")
    assert prices(candle(9, quotes=("0.10", "0.20")))[0] == (540, "0.15")
    assert prices(candle(9, quotes=("0.20", "0.10")), candle(10, close="0.5"))[0] == (600, "0.5")
    assert prices(candle(9, quotes=None), candle(11, close="0.5")) == [(660, "0.5"), (720, "0.5"), (750, "0.5")]


def test_a_candle_before_the_start_sets_the_price_it_begins_with() -> None:
    assert prices(candle(8, close="0.33"))[0] == (540, "0.33")


def test_low_high_and_change_are_of_the_line_and_unknown_without_one() -> None:
    line = sparkline(
        [candle(9, close="0.40"), candle(11, close="0.30")], start=START, now=START + 4 * HOUR, period=HOUR
    )
    assert (line.low, line.high, line.change) == (Decimal("0.30"), Decimal("0.40"), Decimal("-0.10"))
    empty = sparkline([], start=START, now=START + HOUR, period=HOUR)
    assert (empty.points, empty.low, empty.high, empty.change) == ((), None, None, None)


def snapshot(minute: int, *, last: str | None = "0.40", volume: int = 0, bid: str | None = "0.39") -> Snapshot:
    """`minute` counts from 08:00."""
    return Snapshot(
        at=START.replace(minute=0) + timedelta(minutes=minute),
        yes_bid=None if bid is None else Decimal(bid),
        yes_ask=Decimal("0.45"),
        last_price=None if last is None else Decimal(last),
        volume=Decimal(volume),
        open_interest=Decimal(minute),
    )


def test_snapshots_make_one_candle_a_period_with_the_prices_seen_in_it() -> None:
    seen = [
        snapshot(55, last="0.30", volume=5),
        snapshot(65, last="0.50", volume=7),
        snapshot(90, last="0.20", volume=8),
        snapshot(120, last="0.40", volume=9, bid=None),
    ]
    (found,) = candles_from(seen, after=START.replace(hour=9, minute=0), period=HOUR)

    assert found.end == START.replace(hour=10, minute=0)
    prices = (found.price_open, found.price_high, found.price_low, found.price_close, found.price_previous)
    assert [str(price) for price in prices] == ["0.50", "0.50", "0.20", "0.40", "0.30"]
    assert (int(found.volume), int(found.open_interest), found.yes_bid_close) == (4, 120, None)


def test_a_period_without_volume_has_quotes_and_no_price() -> None:
    (found,) = candles_from([snapshot(70), snapshot(80)], after=START, period=HOUR)

    assert (found.price_close, found.price_previous, str(found.yes_bid_close)) == (None, None, "0.39")


def test_periods_without_a_snapshot_have_no_candle() -> None:
    found = candles_from([snapshot(70), snapshot(250)], after=START, period=HOUR)

    assert [candle.end.hour for candle in found] == [10, 13]
