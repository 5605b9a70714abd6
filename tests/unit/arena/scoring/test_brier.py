from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.arena.scoring.reference import random_cells

from coliseum.arena.scoring.arithmetic import Floats, natural_log
from coliseum.arena.scoring.brier import (
    baseline_score,
    brier,
    brier_index,
    clip_outside,
    fractional,
    log_loss,
    log_of_payoff,
    log_score,
    peer_score,
)
from coliseum.arena.scoring.cells import table_from_cells

inside = st.floats(0.01, 0.99)


def column(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


@given(st.floats(1e-300, 1e300))
def test_our_logarithm_agrees_with_the_system_s(x: float) -> None:
    assert natural_log(column(x))[0] == pytest.approx(math.log(x), rel=1e-15, abs=3e-16)


@given(inside, inside)
def test_the_true_probability_has_the_best_expected_brier_score(truth: float, other: float) -> None:
    def expected(p: float) -> float:
        happened, not_happened = brier(column(p, p), column(1, 0))
        return float(truth * happened + (1 - truth) * not_happened)

    assert expected(truth) <= expected(other) + 1e-15


@given(inside, inside)
def test_the_true_probability_has_the_best_expected_log_score(truth: float, other: float) -> None:
    def expected(p: float) -> float:
        happened, not_happened = log_score(column(p, p), column(1, 0))
        return float(truth * happened + (1 - truth) * not_happened)

    assert expected(truth) <= expected(other) + 1e-12


def test_the_log_score_is_clipped_and_clipped_cells_are_counted() -> None:
    assert log_score(column(0.0, 1.0), column(1, 0)) == pytest.approx([-math.log(0.001)] * 2)
    assert clip_outside(column(0.0, 0.001, 0.5, 0.999, 1.0)).tolist() == [True, False, False, False, True]


def test_a_coin_flip_has_a_baseline_score_of_0_and_certainty_nearly_100() -> None:
    scores = baseline_score(log_score(column(0.5, 0.999), column(1, 1)))

    assert scores == pytest.approx([0, 100 * (1 + math.log2(0.999))], abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_peer_scores_of_a_question_add_up_to_0(seed: int) -> None:
    table = table_from_cells(random_cells(seed, events=15))
    log = log_score(np.nan_to_num(table.p), np.nan_to_num(table.y))
    scores = peer_score(table, log)
    sums: defaultdict[int, list[float]] = defaultdict(list)
    for question, value in zip(table.question.tolist(), scores.tolist(), strict=True):
        if not math.isnan(value):
            sums[question].append(value)

    assert sums
    for values in sums.values():
        assert len(values) > 1
        assert sum(values) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("score", "index"), [(0.0, 100.0), (0.25, 50.0), (1.0, 0.0)])
def test_the_brier_index_runs_from_100_to_0(score: float, index: float) -> None:
    assert brier_index(score) == index


def test_a_fraction_has_the_cross_entropy_as_log_score() -> None:
    """A market that resolved to 0.25: a quarter of the score of YES and three quarters of that of NO."""
    wanted = -(0.25 * math.log(0.6) + 0.75 * math.log(0.4))

    assert log_score(column(0.6), column(0.25))[0] == pytest.approx(wanted, rel=1e-15)


@given(inside, inside)
def test_the_fraction_itself_has_the_best_log_score(y: float, p: float) -> None:
    best, other = log_score(column(y, p), column(y, y))

    assert best <= other + 1e-15


def test_only_values_between_no_and_yes_are_fractions() -> None:
    assert fractional(column(0, 1, 0.5, math.nan, 1e-9)).tolist() == [False, False, True, False, True]


def test_the_log_loss_clips_far_beyond_the_log_score() -> None:
    p, y = column(0.5, 0.0, 0.0004), column(1, 1, 1)

    assert log_loss(p, y, log_score(p, y)) == pytest.approx([math.log(2), -math.log(1e-15), -math.log(0.0004)])


@given(inside, inside, st.floats(0, 1))
def test_a_bet_at_a_right_price_is_fair_whatever_the_fractions(p: float, q: float, spread: float) -> None:
    """The outcomes y1 and y2 have the mean q, so the mean of the stakes is 1."""
    low, high = q * spread, q + (1 - q) * spread
    weight = 1.0 if high == low else (high - q) / (high - low)
    paid = [math.exp(log_of_payoff(column(p), column(q), column(y), 0.01)[0]) for y in (low, high)]

    assert weight * paid[0] + (1 - weight) * paid[1] == pytest.approx(1)
