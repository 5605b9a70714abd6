from __future__ import annotations

import math
import random
from itertools import pairwise
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.scoring import calibration
from coliseum.arena.scoring.arithmetic import Floats

forecasts = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80)


def column(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


def columns(rows: list[tuple[float, bool]]) -> tuple[Floats, Floats]:
    ordered = sorted(rows)
    return np.array([p for p, _ in ordered]), np.array([float(y) for _, y in ordered])


def histogram(p: Floats, y: Floats) -> calibration.Histogram:
    return calibration.histograms(p, y, np.zeros(len(p), dtype=np.int64), 1)[0]


@pytest.mark.parametrize(
    ("p", "index"),
    [
        *[(edge / 10, min(edge, 9)) for edge in range(11)],
        (0.05, 0),
        (0.29999, 2),
        (1 - 0.9, 1),  # 0.99999... tenths
    ],  # 0.99999... and 5.99999... tenths
)
def test_a_forecast_on_an_edge_belongs_to_the_bin_above_and_1_to_the_last_bin(p: float, index: int) -> None:
    assert calibration.bin_index(np.array([p])).tolist() == [index]


@given(forecasts)
def test_reliability_minus_resolution_plus_uncertainty_plus_remainder_is_the_brier_score(
    rows: list[tuple[float, bool]],
) -> None:
    p, y = columns(rows)
    parts = calibration.decomposition(p, y)

    assert parts is not None
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.remainder
    assert total == pytest.approx(float(np.square(p - y).mean()), abs=1e-12)


@given(forecasts)
def test_equal_mass_bins_agree_with_a_reference(rows: list[tuple[float, bool]]) -> None:
    p, y = columns(rows)
    edges = sorted({p.tolist().index(p[i * len(p) // 10]) for i in range(10)})
    parts = [slice(start, end) for start, end in zip(edges, [*edges[1:], len(p)], strict=True)]
    wanted = sum(abs(float(p[part].sum() - y[part].sum())) for part in parts) / len(p)

    assert calibration.adaptive_error(p, y) == pytest.approx(wanted, abs=1e-12)


@given(forecasts)
def test_the_area_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[float, bool]]) -> None:
    p, y = columns(rows)
    yes, no = p[y == 1], p[y == 0]
    result = calibration.area_under_curve(p, y)
    if not len(yes) or not len(no):
        assert result is None
    else:
        assert result == pytest.approx(fmean((a > b) + (a == b) / 2 for a in yes for b in no), abs=1e-12)


def test_bins_have_wilson_intervals_and_empty_bins_have_none() -> None:
    result = histogram(np.array([0.25, 0.25]), np.array([1.0, 0.0])).bins

    assert (result[2].count, result[2].forecast, result[2].observed) == (2, 0.25, 0.5)
    assert result[2].interval == pytest.approx((0.0945, 0.9055), abs=1e-4)
    assert (result[3].count, result[3].forecast, result[3].observed, result[3].interval) == (0, None, None, None)


def test_the_expected_error_of_two_bins_by_hand() -> None:
    result = histogram(np.array([0.9, 0.9, 0.9, 0.15]), np.array([1.0, 1.0, 0.0, 0.0]))

    assert result.expected_error == pytest.approx((3 * abs(0.9 - 2 / 3) + 0.15) / 4)
    assert result.maximum_error == pytest.approx(0.9 - 2 / 3)


def test_no_forecast_has_no_calibration() -> None:
    nothing = np.zeros(0)

    assert histogram(nothing, nothing).expected_error is None
    assert histogram(nothing, nothing).maximum_error is None
    assert calibration.adaptive_error(nothing, nothing) is None
    assert calibration.decomposition(nothing, nothing) is None
    assert calibration.platt(nothing, nothing) is None
    assert calibration.area_under_curve(nothing, nothing) is None


def drawn(seed: int, size: int, *, stretch: float, shift: float = 0.0) -> tuple[Floats, Floats]:
    """Outcomes that follow logit(truth) = shift + stretch x logit(forecast)."""
    rng = random.Random(seed)
    p = [rng.uniform(0.05, 0.95) for _ in range(size)]
    truth = [1 / (1 + math.exp(-(shift + stretch * math.log(x / (1 - x))))) for x in p]
    return np.array(p), np.array([float(rng.random() < t) for t in truth])


@pytest.mark.parametrize(("stretch", "shift"), [(1.0, 0.0), (0.5, 0.0), (1.6, 0.4)])
def test_the_regression_finds_over_and_underconfidence(stretch: float, shift: float) -> None:
    line = calibration.platt(*drawn(1, 20_000, stretch=stretch, shift=shift))

    assert line == pytest.approx((shift, stretch), abs=0.07)


def test_the_regression_is_where_the_likelihood_is_flat() -> None:
    p, y = drawn(2, 300, stretch=0.7)
    p = np.round(p, 4)
    line = calibration.platt(p, y)
    assert line is not None
    x = np.log(p / (1 - p))
    off = y - 1 / (1 + np.exp(-(line[0] + line[1] * x)))

    assert [float(off.sum()), float((off * x).sum())] == pytest.approx([0, 0], abs=1e-5)


@pytest.mark.parametrize(
    ("p", "y"),
    [
        ([0.2, 0.8] * 24, [0.0, 1.0, 1.0, 0.0] * 12),  # too few
        ([0.2, 0.8] * 30, [1.0, 1.0] * 30),  # one outcome
        ([0.4] * 60, [0.0, 1.0] * 30),  # one forecast
        ([0.2, 0.8] * 30, [0.0, 1.0] * 30),  # separated
    ],
)
def test_there_is_no_regression_without_enough_information(p: list[float], y: list[float]) -> None:
    assert calibration.platt(np.array(p), np.array(y)) is None


def test_fifty_cells_are_enough_for_a_regression() -> None:
    p, y = [0.2, 0.8] * 25, [0.0, 1.0, 1.0, 0.0, 0.0] * 10

    assert calibration.platt(np.array(p), np.array(y)) is not None
    assert calibration.platt(np.array(p[:49]), np.array(y[:49])) is None


def test_kalshibench_s_edges_put_three_tenths_a_bin_lower_and_lose_a_forecast_of_1() -> None:
    """By hand: bins [0.2, 0.3...04) with 0.25 and 0.3, [0.3...04, 0.4) with 0.35; 1.0 is in none, but is counted."""
    errors = calibration.linspace_errors(column(0.25, 0.3, 0.35, 1.0), column(0, 1, 0, 0))

    assert errors is not None
    assert errors.expected == pytest.approx((2 * abs(0.275 - 0.5) + 0.35) / 4)
    assert errors.maximum == pytest.approx(0.35)
    assert errors.lost == 1


@pytest.mark.parametrize("p", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
def test_a_forecast_on_an_edge_is_in_numpy_s_bin(p: float) -> None:
    """A neighbour in the middle of each bin shows in which of them the forecast is."""
    low = next(low for low, high in pairwise(np.linspace(0, 1, 11).tolist()) if low <= p < high)
    neighbour = low + 0.05
    rows = np.sort(column(p, neighbour))
    outcomes = np.where(rows == p, 1.0, 0.0)
    errors = calibration.linspace_errors(rows, outcomes)

    assert errors is not None
    assert errors.expected == pytest.approx(abs((p + neighbour) / 2 - 0.5))


def test_forecasts_of_1_alone_are_in_no_bin() -> None:
    assert calibration.linspace_errors(column(1.0, 1.0), column(1, 0)) == calibration.LinspaceErrors(0.0, 0.0, 2)
    assert calibration.linspace_errors(column(), column()) is None


def test_murphy_s_parts_add_up_for_fractions_too() -> None:
    p, y = column(0.1, 0.15, 0.5, 0.9), column(0.35, 0, 0.5, 1)
    parts = calibration.decomposition(p, y)

    assert parts is not None
    assert parts.uncertainty == pytest.approx(np.var(y))
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.remainder
    assert total == pytest.approx(np.square(p - y).mean())


def test_fractions_are_neither_yes_nor_no_for_the_auc() -> None:
    with_fraction = calibration.area_under_curve(column(0.1, 0.3, 0.6, 0.9), column(0, 0.5, 0.9, 1))

    assert with_fraction == calibration.area_under_curve(column(0.1, 0.9), column(0, 1)) == 1.0
