from __future__ import annotations

from typing import cast

import pytest

from coliseum.errors import ColiseumError, ConfigurationError, SourceUnavailable
from coliseum.kalshi.client import Kalshi
from coliseum.polling.fill_lookup import TIMEOUT_SECONDS, FillLookup


class CountingExchange:
    """Has no fills, and counts the requests for them."""

    def __init__(self, error: ColiseumError | None = None) -> None:
        self.error = error
        self.requests: list[int] = []
        self.timeouts: set[float] = set()

    def for_seconds(self, seconds: float) -> CountingExchange:
        self.timeouts.add(seconds)
        return self

    def all_fills(self, *, since: int) -> tuple[()]:
        self.requests.append(since)
        if self.error is not None:
            raise self.error
        return ()


def lookup(exchange: CountingExchange | None, *, interval: float = 3.0) -> FillLookup:
    return FillLookup(cast("Kalshi | None", exchange), interval=interval)


@pytest.mark.parametrize(("interval", "ticks"), [(3.0, [1, 6, 11, 16]), (10.0, [1, 3, 5]), (60.0, [1, 2, 3])])
def test_requests_are_fifteen_seconds_apart(interval: float, ticks: list[int]) -> None:
    exchange = CountingExchange()
    fills = lookup(exchange, interval=interval)
    answered = [tick for tick in range(1, ticks[-1] + 1) if fills.fills(0, tick=tick) is not None]

    assert answered == ticks
    assert exchange.timeouts == {TIMEOUT_SECONDS}


def test_an_urgent_request_does_not_wait_and_counts_for_the_next_one() -> None:
    exchange = CountingExchange()
    fills = lookup(exchange)
    fills.fills(1, tick=1)
    fills.fills(2, tick=2, urgent=True)
    fills.fills(3, tick=6)
    fills.fills(4, tick=7)

    assert exchange.requests == [1, 2, 4]


@pytest.mark.parametrize(
    "error", [SourceUnavailable("kalshi", "down"), ConfigurationError("kalshi_api_key", "is not set")]
)
def test_a_failed_request_has_no_answer_and_is_repeated_in_its_turn(error: ColiseumError) -> None:
    exchange = CountingExchange(error)
    fills = lookup(exchange)

    assert [fills.fills(0, tick=tick) for tick in range(1, 7)] == [None] * 6
    assert len(exchange.requests) == 2


def test_without_an_exchange_there_is_no_answer() -> None:
    assert not lookup(None).available
    assert lookup(None).fills(0, tick=1, urgent=True) is None
