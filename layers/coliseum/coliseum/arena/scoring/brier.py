"""Scores of single forecasts. Formulas and sources: docs/scoring.md. Pure."""

from __future__ import annotations

import numpy as np

from coliseum.arena.scoring.arithmetic import LN2, Floats, Mask, counts, natural_log, ratio, totals
from coliseum.arena.scoring.cells import CellTable

LOG_FLOOR = 0.001
"""Log scores clip p to [0.001, 0.999]. The number of clipped cells is reported."""
COIN_FLIP = 0.25
"""The Brier score of p = 0.5 for either outcome. A missing answer costs this in the strict columns."""


def brier(p: Floats, y: Floats) -> Floats:
    """(p - y)^2: 0 is perfect, 1 is certain and wrong (Brier 1950, one-outcome form)."""
    return np.square(p - y)


def brier_index(score: float) -> float:
    """100 (1 - sqrt(Brier)): 100 is perfect, 50 is a coin flip (ForecastBench)."""
    return float(100 * (1 - np.sqrt(score)))


def clip_outside(p: Floats, floor: float = LOG_FLOOR) -> Mask:
    """Marks the forecasts that the log scores clip."""
    return np.asarray((p < floor) | (p > 1 - floor))


def probability_of_outcome(p: Floats, y: Floats) -> Floats:
    """p where the outcome is YES, 1 - p where it is NO."""
    return np.where(y == 1, p, 1 - p)


def log_of_outcome(p: Floats, y: Floats, floor: float = LOG_FLOOR) -> Floats:
    """ln of the clipped probability of the outcome."""
    return natural_log(probability_of_outcome(np.clip(p, floor, 1 - floor), y))


def log_score(p: Floats, y: Floats, floor: float = LOG_FLOOR) -> Floats:
    """-ln of the clipped probability of the outcome (Good 1952). 0 is perfect."""
    return -log_of_outcome(p, y, floor)


def baseline_score(log: Floats) -> Floats:
    """100 (1 + log2 p_outcome) from log scores: 0 for 50 %, 100 for certain and right (Metaculus, binary)."""
    return np.asarray(100 * (1 - log / LN2))


def peer_score(table: CellTable, log: Floats) -> Floats:
    """100 (ln p_i - mean of the others' ln p_j) per graded cell; NaN where no other agent answered (Metaculus).

    `log` is the log score of each row. The scores of one question add up to 0.
    """
    graded = table.graded
    question = table.question[graded]
    size = int(question.max()) + 1 if len(question) else 0
    answers = counts(question, size)[question]
    total = totals(-log[graded], question, size)[question]
    result = np.full(len(table), np.nan)
    result[graded] = 100 * (-log[graded] - ratio(total + log[graded], answers - 1))
    return result
