from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.scoring import intervals
from coliseum.arena.scoring.intervals import bootstrap, percentile_interval, ranks, superiority, weighted_sums


def test_the_weights_are_poisson() -> None:
    table = intervals.poisson_table().astype(np.float64)
    shares = np.bincount(table.astype(np.int64)) / len(table)

    assert table.mean() == pytest.approx(1, abs=1e-4)
    assert table.var() == pytest.approx(1, abs=5e-4)
    assert shares[:5] == pytest.approx([math.exp(-1) / math.factorial(k) for k in range(5)], abs=2e-5)


def test_weighted_sums_do_not_depend_on_the_size_of_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = np.arange(30.0).reshape(10, 3)
    whole = weighted_sums(columns, seed=5, draws=50)
    monkeypatch.setattr(intervals, "CHUNK_NUMBERS", 24)

    assert (weighted_sums(columns, seed=5, draws=50) == whole).all()
    assert (weighted_sums(columns, seed=6, draws=50) != whole).any()


def test_the_bootstrap_finds_the_analytic_standard_error() -> None:
    values = np.random.default_rng(1).normal(0.02, 0.1, (1, 400))
    drawn = bootstrap(values, seed=3, draws=4000).means[:, 0]

    assert drawn.std() == pytest.approx(values.std(ddof=1) / 20, rel=0.05)
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.0005)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(4)
    trials = rng.exponential(1.0, (300, 60)) * 0.1
    drawn = bootstrap(trials, seed=9, draws=800)
    inside = sum(low <= 0.1 <= high for low, high in filter(None, map(percentile_interval, drawn.means.T)))

    assert 0.88 <= inside / 300 <= 0.98


def test_differences_are_drawn_over_common_events() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(0, 0.1, (3, 50))
    values[0, :10] = np.nan
    values[1, 5:20] = np.nan
    drawn = bootstrap(values, seed=1, draws=200, pairs=True)
    difference = values[0] - values[1]
    alone = bootstrap(difference[None, :], seed=1, draws=200).means[:, 0]

    assert drawn.differences[0, 1].interval == pytest.approx(percentile_interval(alone), abs=1e-9)
    assert drawn.differences[0, 1].superiority == superiority(alone)
    assert sorted(drawn.differences) == [(0, 1), (0, 2), (1, 2)]


def test_draws_do_not_depend_on_the_number_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(6).normal(0, 0.1, (6, 40))
    values[values > 0.1] = np.nan
    whole = bootstrap(values, seed=1, draws=100, pairs=True)
    monkeypatch.setattr(intervals, "SUM_NUMBERS", 500)
    parts = bootstrap(values, seed=1, draws=100, pairs=True)

    assert (parts.means == whole.means).all()
    assert parts.differences == whole.differences
    assert len(parts.differences) == 15


def test_the_same_values_tie_in_every_draw() -> None:
    values = np.random.default_rng(3).normal(0, 0.1, (1, 40)).repeat(2, axis=0)
    drawn = bootstrap(values, seed=1, draws=100, pairs=True)

    assert drawn.differences[0, 1].superiority == 0.5
    assert ranks(drawn.means).best == (0.5, 0.5)
    assert ranks(drawn.means).interval == ((1, 1), (1, 1))


def test_a_clear_order_has_narrow_ranks() -> None:
    values = np.stack([np.full(30, level) + np.linspace(-0.01, 0.01, 30) for level in (0.0, 0.2, 0.1)])
    result = ranks(bootstrap(values, seed=1, draws=200).means)

    assert result.interval == ((3, 3), (1, 1), (2, 2))
    assert result.best == (0.0, 1.0, 0.0)


@given(st.lists(st.lists(st.integers(-2, 2), min_size=4, max_size=4), min_size=40, max_size=60))
def test_shared_first_places_add_up_to_one(rows: list[list[int]]) -> None:
    result = ranks(np.array(rows, dtype=np.float64))

    assert sum(value for value in result.best if value is not None) == pytest.approx(1)
    for span in result.interval:
        assert span is not None
        assert 1 <= span[0] <= span[1] <= 4


@pytest.mark.parametrize("shape", [(2, 0), (0, 0), (0, 3)])
def test_without_values_there_is_no_interval(shape: tuple[int, int]) -> None:
    drawn = bootstrap(np.full(shape, np.nan), seed=1, draws=50, pairs=True)

    assert drawn.means.shape == (50, shape[0])
    assert all(percentile_interval(column) is None for column in drawn.means.T)
    assert superiority(np.full(3, np.nan)) is None


def test_without_draws_there_is_no_interval() -> None:
    assert percentile_interval(bootstrap(np.ones((1, 20)), seed=1, draws=0).means[:, 0]) is None
    assert ranks(np.zeros((0, 2))).best == (None, None)


def test_the_ends_of_an_interval_are_draws() -> None:
    values = np.arange(1000.0)

    assert percentile_interval(values[::-1]) == (24.0, 975.0)
