"""Scores of probabilities against outcomes, and their event-weighted means. Formulas: docs/scoring.md. Pure."""

from __future__ import annotations

import numpy as np

from coliseum.arena.scoring.cells import Codes, Floats, Table

LOG_FLOOR = 0.001
"""Log scores clip p to [0.001, 0.999]; the number of clipped cells is reported."""


def brier(p: Floats, y: Floats) -> Floats:
    """(p - y)^2: 0 is perfect, 1 is certain and wrong (Brier 1950, one-outcome form)."""
    return np.square(p - y)


def clipped(p: Floats, floor: float = LOG_FLOOR) -> Floats:
    return np.clip(p, floor, 1 - floor)


def probability_of_outcome(p: Floats, y: Floats) -> Floats:
    return np.where(y == 1, p, 1 - p)


def log_score(p: Floats, y: Floats) -> Floats:
    """-ln of the probability given to what happened, clipped (Good 1952)."""
    return np.asarray(-np.log(probability_of_outcome(clipped(p), y)))


def baseline_score(p: Floats, y: Floats) -> Floats:
    """100 (1 + log2 p_outcome): 0 for 50 %, 100 for certain and right (Metaculus, binary)."""
    return np.asarray(100 * (1 + np.log2(probability_of_outcome(clipped(p), y))))


def peer_score(table: Table) -> Floats:
    """100 (ln p_i - mean of the others' ln p_j) per graded cell; NaN where nobody else answered (Metaculus).

    Zero-sum over the agents of one question.
    """
    logs = -log_score(table.p, np.nan_to_num(table.y))
    logs = np.where(table.graded, logs, np.nan)
    size = int(table.question.max()) + 1 if len(table) else 0
    graded = table.graded
    count = np.bincount(table.question[graded], minlength=size)[table.question]
    total = np.bincount(table.question[graded], weights=logs[graded], minlength=size)[table.question]
    with np.errstate(invalid="ignore", divide="ignore"):
        others = (total - logs) / (count - 1)
    return np.asarray(np.where(count >= 2, 100 * (logs - others), np.nan))


def group_means(values: Floats, group: Codes, size: int) -> tuple[Floats, Floats]:
    """Per group: mean of `values` and their number; NaN means where the number is 0."""
    count = np.bincount(group, minlength=size).astype(np.float64)
    total = np.bincount(group, weights=values, minlength=size)
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / count, count


def event_values(values: Floats, table: Table, keep: np.ndarray) -> Floats:
    """Matrix agents x events of mean values: markets averaged inside a window, windows inside an event.

    NaN where an agent has no kept cell of an event.
    """
    agents, events = len(table.agents), len(table.events)
    if not keep.any():
        return np.full((agents, events), np.nan)
    windows = int(table.window.max()) + 1
    cell = table.agent[keep] * windows + table.window[keep]
    cells, inverse = np.unique(cell, return_inverse=True)
    means, _ = group_means(values[keep], inverse, len(cells))
    event_of_window = np.zeros(windows, dtype=np.int64)
    event_of_window[table.window] = table.event
    owner = (cells // windows) * events + event_of_window[cells % windows]
    by_event, _ = group_means(means, owner, agents * events)
    return by_event.reshape(agents, events)


def brier_index(score: float) -> float:
    """100 (1 - sqrt(Brier)): 100 is perfect, 50 is a coin flip (ForecastBench)."""
    return float(100 * (1 - np.sqrt(score)))
