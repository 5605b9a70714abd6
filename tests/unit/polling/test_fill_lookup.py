from __future__ import annotations

from decimal import Decimal
from typing import cast

import pytest

from coliseum.errors import ColiseumError, ConfigurationError, SourceUnavailable
from coliseum.kalshi.client import Kalshi
from coliseum.polling.backfill import FillAnswer
from coliseum.polling.fill_lookup import TIMEOUT_SECONDS, FillLookup
from coliseum.trading.trades import BookSide, Fill, Outcome

NOW = 1_700_000_000
OLD = Fill(
    fill_id="old",
    order_id="o",
    ticker="ALPHA",
    book_side=BookSide.BID,
    outcome=Outcome.YES,
    sold=False,
    count=Decimal(1),
    yes_price=Decimal("0.5"),
    no_price=Decimal("0.5"),
    fee=Decimal(0),
    is_taker=True,
    timestamp=NOW - 3600.0,
)


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


class ExchangeWithFills(CountingExchange):
    """Has one fill, `old`, of an hour before `NOW`."""

    def all_fills(self, *, since: int) -> tuple[Fill, ...]:  # type: ignore[override]  # a longer tuple
        super().all_fills(since=since)
        return (OLD,) if since <= OLD.timestamp else ()


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


def search(fills: FillLookup, *, ids: tuple[str, ...] = ("old",), tick: int, urgent: bool = False) -> FillAnswer | None:
    return fills.search(NOW * 1000, trade_ids=ids, run="run", tick=tick, urgent=urgent)


def test_a_trade_that_both_sources_know_is_searched_a_day_back_where_the_newest_fills_show_none() -> None:
    exchange = ExchangeWithFills()
    answer = search(lookup(exchange), tick=1)

    assert answer == FillAnswer((OLD,), ids_match=True)
    assert exchange.requests == [NOW - 30, NOW - 86_400]


def test_that_the_ids_match_is_remembered_for_the_run() -> None:
    exchange = ExchangeWithFills()
    fills = lookup(exchange)
    search(fills, tick=1)

    assert search(fills, tick=6) == FillAnswer((), ids_match=True)
    assert len(exchange.requests) == 3


def test_ids_that_do_not_match_are_searched_a_day_back_seldom() -> None:
    exchange = ExchangeWithFills()
    fills = lookup(exchange)
    answers = [search(fills, ids=("mine",), tick=tick) for tick in (1, 6, 11)]
    urgent = search(fills, ids=("mine",), tick=12, urgent=True)

    assert {answer.ids_match for answer in (*answers, urgent) if answer is not None} == {False}
    assert exchange.requests == [NOW - 30, NOW - 86_400, NOW - 30, NOW - 30, NOW - 30, NOW - 86_400]


def test_a_problem_of_the_exchange_is_kept_until_it_answers() -> None:
    """Such as that it refuses requests of a machine whose clock differs from its own."""
    exchange = ExchangeWithFills(SourceUnavailable("kalshi", "our clock is 45 s ahead"))
    fills = lookup(exchange)
    assert search(fills, tick=1) is None
    assert fills.problem == "kalshi: our clock is 45 s ahead"
    exchange.error = None
    search(fills, tick=6)

    assert fills.problem is None
