from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coliseum.arena.scoring import line_interval
from coliseum.arena.scoring.bets import Bets
from coliseum.arena.scoring.line_interval import LineInterval, line_intervals

Rows = list[tuple[float, float, bool]]
"""(Price, forecast, outcome) of each event."""


def bets_of(rows: Rows, *, size: int = 1, turned: bool = False) -> Bets:
    """Events with one market each, in clusters of `size` events; `turned` swaps YES and NO."""
    q, p, y = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    if turned:
        q, p, y = 1 - q, 1 - p, 1 - y
    one, number = np.ones(len(rows)), np.arange(len(rows))
    return Bets(group=number * 0, cluster=number // size, market=number, start=q, end=p, price=q, y=y,
                weight=one, share=one, groups=1)  # fmt: skip


def interval_of(bets: Bets, *, seed: int = 1, draws: int = line_interval.DRAWS) -> LineInterval:
    (found,) = line_intervals(bets, seed=seed, draws=draws)
    return found


def mean_of(rows: Rows) -> float:
    return sum((q - y) ** 2 - (p - y) ** 2 for q, p, y in rows) / len(rows)


def season(events: int, *, seed: int = 1, skill: bool = False) -> Rows:
    rng = np.random.default_rng(seed)
    q = rng.uniform(0.2, 0.8, events)
    p = np.clip(q + rng.normal(0, 0.15, events), 0.02, 0.98)
    return list(zip(q.tolist(), p.tolist(), (rng.random(events) < (p if skill else q)).tolist(), strict=True))


def test_long_shots_that_all_failed_have_no_interval_but_a_reason() -> None:
    found = interval_of(bets_of([(0.05, 0.03, False)] * 30))

    assert found.interval is None
    assert found.reason == "30 clusters, but the prices expect 1.5 YES, and an interval needs 5"
    assert found.expected_outcomes == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("rows", "size", "reason"),
    [
        ([(0.5, 0.5, True)] * 40, 1, "every forecast equals the price"),
        ([(0.5, 0.4, True)] * 9, 1, "9 clusters, and an interval needs 10"),
        ([(0.5, 0.4, True)] * 12, 2, "6 clusters, and an interval needs 10"),
        ([(0.5, 0.4, True)] * 2 + [(0.5, 0.5, True)] * 30, 1,
         "forecast and price differ in 2 of 32 clusters, and an interval needs 10"),
        ([(0.95, 0.97, True)] * 30, 1, "30 clusters, but the prices expect 1.5 NO, and an interval needs 5"),
        ([(0.95, 0.97, True), (0.05, 0.03, False)] * 20, 1,
         "40 clusters, but the prices expect 2.0 unlikely outcomes, and an interval needs 5"),
    ],
)  # fmt: skip
def test_too_little_gives_no_interval_and_says_why(rows: Rows, size: int, reason: str) -> None:
    found = interval_of(bets_of(rows, size=size))

    assert (found.interval, found.reason) == (None, reason)


def test_a_cluster_with_too_many_of_the_events_leaves_no_interval() -> None:
    bets = bets_of(season(60))
    found = interval_of(replace(bets, cluster=np.maximum(0, np.arange(60) - 20)))

    assert found.interval is None
    assert found.reason == "one cluster has 35% of the events, and an interval allows 25%"


def test_a_group_without_bets_has_no_interval() -> None:
    empty = np.zeros(0)
    codes = np.zeros(0, dtype=np.int64)
    (found,) = line_intervals(
        Bets(group=codes, cluster=codes, market=codes, start=empty, end=empty, price=empty, y=empty, weight=empty,
             share=empty, groups=1), seed=1)  # fmt: skip

    assert (found.interval, found.reason, found.clusters) == (None, "no settled forecast with a price", 0)


@pytest.mark.parametrize("flipped", [False, True])
def test_whether_there_is_an_interval_does_not_depend_on_the_outcomes(*, flipped: bool) -> None:
    rows = [(q, p, y != flipped) for q, p, y in season(30)]

    assert interval_of(bets_of(rows)).interval is not None


@given(st.integers(0, 10_000), st.sampled_from([20, 45]), st.sampled_from([1, 3]))
@settings(max_examples=15)
def test_swapping_yes_and_no_changes_nothing(seed: int, events: int, size: int) -> None:
    rows = season(events * size, seed=seed)
    one, other = (interval_of(bets_of(rows, size=size, turned=turned), draws=99) for turned in (False, True))

    assert one.interval == pytest.approx(other.interval, abs=1e-8)
    assert one.expected_outcomes == pytest.approx(other.expected_outcomes)


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_the_order_of_the_cells_changes_nothing(seed: int) -> None:
    bets = bets_of(season(60, seed=seed), size=2)
    order = np.random.default_rng(seed).permutation(60)
    names = ("group", "cluster", "market", "start", "end", "price", "y", "weight", "share")
    shuffled = replace(bets, **{name: getattr(bets, name)[order] for name in names})

    assert interval_of(shuffled, draws=99).interval == pytest.approx(interval_of(bets, draws=99).interval, abs=1e-8)


@given(st.integers(0, 10_000), st.sampled_from([20, 60, 400]))
@settings(max_examples=15)
def test_an_interval_is_finite_and_holds_the_mean(seed: int, events: int) -> None:
    rows = season(events, seed=seed)
    low, high = interval_of(bets_of(rows), draws=99).interval or (math.nan, math.nan)

    assert -1 <= low <= mean_of(rows) <= high <= 1
    assert low < high


def test_other_groups_change_nothing() -> None:
    alone = [interval_of(bets_of(season(events, seed=events))) for events in (40, 50, 400)]
    parts = [bets_of(season(events, seed=events)) for events in (40, 50, 400)]
    names = ("cluster", "market", "start", "end", "price", "y", "weight", "share")
    columns: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    joined = replace(parts[0], group=np.repeat([0, 1, 2], [40, 50, 400]), groups=3, **columns)

    assert line_intervals(joined, seed=1) == alone


def test_a_right_forecast_in_every_event_has_the_best_skill_as_its_upper_end() -> None:
    """The outcomes have no spread at all. The lower end comes from what is still likely to give only right ones."""
    rows = [(0.5, 0.3, False), (0.5, 0.7, True)] * 100
    low, high = interval_of(bets_of(rows)).interval or (math.nan, math.nan)

    assert high == pytest.approx(0.16)
    # 200 right outcomes have a mid-p of 2.5 % if each has the chance 0.985, where the skill is 0.154.
    assert low == pytest.approx(0.154, abs=0.001)


def test_the_expansion_agrees_with_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = season(400)
    expanded = interval_of(bets_of(rows)).interval
    monkeypatch.setattr(line_interval, "EXPANSION_CLUSTERS", 1_000)
    drawn = interval_of(bets_of(rows)).interval
    assert expanded is not None
    assert drawn is not None
    width = drawn[1] - drawn[0]

    assert expanded == pytest.approx(drawn, abs=0.06 * width)


def test_dependent_events_widen_the_interval() -> None:
    """Each event three times, as three markets with one outcome."""
    rows = [row for row in season(40) for _ in range(3)]
    apart, together = (interval_of(bets_of(rows, size=size)).interval for size in (1, 3))
    once = interval_of(bets_of(rows[::3])).interval
    assert apart is not None
    assert together is not None

    assert together == pytest.approx(once, abs=1e-8)
    assert together[1] - together[0] > 1.5 * (apart[1] - apart[0])


def test_windows_of_a_market_share_its_outcome() -> None:
    """Two windows at the same price are one bet, even if the forecast moved to the other side in between."""
    rows = season(40)
    bets = bets_of(rows)
    names = ("group", "cluster", "market", "start", "price", "y")
    columns: dict[str, Any] = {name: np.concatenate([getattr(bets, name)] * 2) for name in names}
    twice = replace(
        bets,
        **columns,
        end=np.concatenate([bets.end, np.clip(bets.start - (bets.end - bets.start) / 2, 0, 1)]),
        weight=np.full(80, 0.5),
        share=np.full(80, 0.5),
    )
    width = np.diff(interval_of(bets).interval or (0, 0))[0]
    half = np.diff(interval_of(twice).interval or (0, 0))[0]

    assert half < 0.5 * width


@pytest.mark.parametrize("draws", [0, 19, 499])
def test_the_same_seed_gives_the_same_interval(draws: int) -> None:
    bets = bets_of(season(40))

    assert interval_of(bets, draws=draws) == interval_of(bets, draws=draws)
    assert (interval_of(bets, draws=draws).interval is None) == (draws < line_interval.LEAST_DRAWS)


def test_too_many_clusters_to_draw_say_why_they_have_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_interval, "DRAWN_CLUSTERS", 150)
    never = interval_of(bets_of([(0.5, 0.3, False), (0.5, 0.7, True)] * 100))
    few = interval_of(bets_of([(0.5, 0.499, False)] * 190 + [(0.05, 0.9, False)] * 10))

    assert (never.interval, never.reason) == (None, "the outcomes of 200 clusters have no spread")
    assert (few.interval, few.reason) == (None, "a few of the 200 clusters decide the mean")
