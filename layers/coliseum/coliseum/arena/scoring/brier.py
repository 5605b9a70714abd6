"""Scores of single forecasts. Formulas and sources: docs/scoring.md. Pure."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from coliseum.arena.scoring.arithmetic import LN2, Floats, Mask, natural_log, ratio, totals
from coliseum.arena.scoring.cells import CellTable

LOG_FLOOR = 0.001
"""Log scores clip p to [0.001, 0.999]. The number of clipped cells is reported."""
LOSS_FLOOR = 1e-15
"""`log_loss` clips p to [1e-15, 1 - 1e-15], as KalshiBench and scikit-learn do."""
COIN_FLIP = 0.5
"""The forecast that the strict columns put in the place of a missing answer."""


def brier(p: Floats, y: Floats) -> Floats:
    """(p - y)^2: 0 is perfect, 1 is certain and wrong (Brier 1950, one-outcome form). `y` may be a fraction."""
    return np.square(p - y)


def brier_index(score: float) -> float:
    """100 (1 - sqrt(Brier)): 100 is perfect, 50 is a coin flip (ForecastBench)."""
    return float(100 * (1 - np.sqrt(score)))


def clip_outside(p: Floats, floor: float = LOG_FLOOR) -> Mask:
    """Marks the forecasts that the log scores clip."""
    return np.asarray((p < floor) | (p > 1 - floor))


def fractional(y: Floats) -> Mask:
    """Marks the outcomes between NO and YES, such as a market that resolved to 0.35. NaN is not marked."""
    return np.asarray((y > 0) & (y < 1))


def probability_of_outcome(p: Floats, y: Floats) -> Floats:
    """p where the outcome is YES, 1 - p where it is NO. It has no meaning for a fraction."""
    return np.where(y == 1, p, 1 - p)


def log_of_outcome(p: Floats, y: Floats, floor: float = LOG_FLOOR) -> Floats:
    """ln of the clipped probability of the outcome. For a fraction y: y ln p + (1 - y) ln(1 - p)."""
    inside = np.clip(p, floor, 1 - floor)
    result = natural_log(probability_of_outcome(inside, y))
    rows = np.flatnonzero(fractional(y))
    if len(rows):
        share, inside = y[rows], inside[rows]
        result[rows] = share * natural_log(inside) + (1 - share) * natural_log(1 - inside)
    return result


def log_score(p: Floats, y: Floats, floor: float = LOG_FLOOR) -> Floats:
    """-ln of the clipped probability of the outcome (Good 1952), the cross-entropy for a fraction. 0 is perfect.

    A forecast p = y has the lowest score that a fraction y allows: its entropy, which is above 0.
    """
    return -log_of_outcome(p, y, floor)


def log_loss(p: Floats, y: Floats, log: Floats) -> Floats:
    """The log score with the clip of `LOSS_FLOOR`. `log` is the log score of each row."""
    clipped = np.flatnonzero(clip_outside(p))
    result = log.copy()
    result[clipped] = log_score(p[clipped], y[clipped], LOSS_FLOOR)
    return result


def log_of_payoff(p: Floats, q: Floats, y: Floats, floor: float) -> Floats:
    """ln of what a stake of 1 becomes that is split p on YES and 1 - p on NO at the prices q and 1 - q, all clipped.

    A YES contract pays y and a NO contract 1 - y. So the stake becomes y p/q + (1 - y) (1 - p)/(1 - q), whose mean is
    1 if q is the mean of y.
    """
    result = log_of_outcome(p, y, floor) - log_of_outcome(q, y, floor)
    rows = np.flatnonzero(fractional(y))
    if len(rows):
        paid, bet, price = y[rows], *(np.clip(part[rows], floor, 1 - floor) for part in (p, q))
        result[rows] = natural_log(paid * bet / price + (1 - paid) * (1 - bet) / (1 - price))
    return result


def baseline_score(log: Floats) -> Floats:
    """100 (1 + log2 p_outcome) from log scores: 0 for 50 %, 100 for certain and right (Metaculus, binary)."""
    return np.asarray(100 * (1 - log / LN2))


def peer_score(table: CellTable, log: Floats, pools: Collection[str] = ()) -> Floats:
    """100 (ln p_i - mean of the others' ln p_j) per graded cell; NaN where no other agent answered (Metaculus).

    `log` is the log score of each row. The scores of one question add up to 0. Agents in `pools` are made of the
    others' forecasts, so they have a score, but are not among the others.
    """
    graded = table.graded
    question, own = table.question[graded], -log[graded]
    counted = np.array([agent not in pools for agent in table.agents], dtype=np.bool_)[table.agent[graded]]
    size = int(question.max()) + 1 if len(question) else 0
    answers = totals(counted, question, size)[question] - counted
    total = totals(np.where(counted, own, 0.0), question, size)[question] - np.where(counted, own, 0.0)
    result = np.full(len(table), np.nan)
    result[graded] = 100 * (own - ratio(total, answers))
    return result
