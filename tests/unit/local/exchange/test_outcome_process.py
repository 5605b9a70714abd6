"""The hidden truth: odds that mean what they say."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum_local.exchange.catalogue import SHORT_SERIES, TEMPLATES, draw_event, open_indices
from coliseum_local.exchange.outcome_process import ChoiceProcess, NumberProcess, OutcomeProcess, draw_name


def _value(rng: Random) -> OutcomeProcess:
    return NumberProcess(mean=rng.gauss(0, 1), spread=0.1, now=0, end=100, spans={"T": (0.3, None)}, decimals=6)


def _choice(rng: Random) -> OutcomeProcess:
    odds = {"T": 0.3, "U": 0.5, "": 0.2}
    return ChoiceProcess(
        weights={"T": -1.2039728, "U": -0.6931472, "": -1.6094379},
        winner=draw_name(odds, rng),
        evidence=0.03,
        now=0,
        end=100,
    )


@pytest.mark.parametrize("make", [_value, _choice])
def test_markets_that_stood_at_some_odds_settle_yes_that_often(make: object) -> None:
    """Calibration at half time, over 4,000 lives: per bucket within four standard errors."""
    rng = Random(7)
    buckets: dict[int, list[int]] = {}
    for _ in range(4_000):
        process = make(rng)  # type: ignore[operator]  # either maker
        process.advance(50, rng)
        odds = process.probability("T")
        process.advance(100, rng)
        row = buckets.setdefault(int(odds * 5), [0, 0, 0])
        row[0] += 1
        row[1] += process.truth("T")
        row[2] += round(odds * 1e6)
    for count, hits, total in buckets.values():
        expected = total / 1e6 / count
        error = max(0.5, (expected * (1 - expected) * count) ** 0.5)
        assert abs(hits - expected * count) <= 4 * error


@given(st.lists(st.floats(0.1, 40), min_size=1, max_size=6))
def test_odds_of_exclusive_outcomes_always_sum_to_one(steps: list[float]) -> None:
    rng = Random(1)
    process = _choice(rng)
    for now in sorted(steps):
        process.advance(now, rng)
        assert sum(process.probability(name) for name in ("T", "U", "")) == pytest.approx(1)


def test_brackets_cover_every_number_exactly_once() -> None:
    template = TEMPLATES["KXHIGHNY"]
    for index in range(200):
        listing, process = draw_event(template, index, seed="s")
        rng = Random(index)
        assert sum(process.probability(each.ticker) for each in listing.markets) == pytest.approx(1)
        process.advance(listing.event.strike_time, rng)
        assert sum(process.truth(each.ticker) for each in listing.markets) == 1


def test_the_schedule_keeps_enough_markets_open_at_any_time_of_any_day() -> None:
    """Every 37 minutes over 40 days; each event's markets are counted once per shape."""
    sizes = {ticker: len(draw_event(template, 0, seed="s")[0].markets) for ticker, template in TEMPLATES.items()}
    moments = range(1_795_000_000, 1_795_000_000 + 40 * 86_400, 37 * 60)
    open_counts = [
        sum(len(open_indices(template, now)) * sizes[ticker] for ticker, template in TEMPLATES.items())
        for now in moments
    ]
    assert min(open_counts) >= 24
    assert len({template.series.category for template in TEMPLATES.values()}) >= 6


def test_whenever_somebody_begins_several_series_end_within_minutes() -> None:
    """The first round asks about what has 150 seconds left, and its answers shall be known soon."""
    for start in range(1_795_000_000, 1_795_000_000 + 900, 17):
        ends = [
            event.strike_time - start
            for template in TEMPLATES.values()
            for index in open_indices(template, start)
            if (event := draw_event(template, index, seed="s")[0].event).strike_time > start
        ]
        assert sum(150 <= left <= 300 for left in ends) >= 5


@pytest.mark.parametrize("ticker", SHORT_SERIES)
def test_events_of_a_short_series_follow_each_other_without_overlap(ticker: str) -> None:
    template = TEMPLATES[ticker]
    assert all(len(open_indices(template, 1_795_000_000 + second)) == 1 for second in range(0, 600, 7))
    assert template.phase % 60 == 0, "their titles tell the minute"


def test_an_event_is_drawn_the_same_each_time_and_differently_by_seed() -> None:
    one, other, third = (draw_event(TEMPLATES["KXNBAGAME"], 5, seed=seed) for seed in ("a", "a", "b"))
    assert one == other
    assert one[1] != third[1]
