"""Who knows more than the market: paired skill, its relatives, and evidence valid at every peek. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.brier import brier, group_means, probability_of_outcome
from coliseum.arena.scoring.cells import Floats, Table

EVIDENCE_FLOOR = 0.01
DEAD_BAND = 0.02
"""Forecasts within 2 cents of the market take no side."""


def paired_difference(table: Table) -> Floats:
    """Market Brier minus agent Brier per paired cell; copying the market is exactly 0. NaN elsewhere."""
    return np.asarray(np.where(table.paired, brier(table.q, table.y) - brier(table.p, table.y), np.nan))


@dataclass(frozen=True)
class Mean:
    """A mean over events with its analytic standard error (None below two events)."""

    value: float | None
    se: float | None
    events: int


def mean_of_events(values: Floats) -> Mean:
    """Mean and stdev(ddof 1)/sqrt(n) of one agent's event values; NaN events are absent."""
    present = values[~np.isnan(values)]
    if not len(present):
        return Mean(None, None, 0)
    se = float(present.std(ddof=1) / math.sqrt(len(present))) if len(present) >= 2 else None
    return Mean(float(present.mean()), se, len(present))


def common_events(by_event: Floats) -> Floats:
    """The same matrix with every event removed that some agent with any value lacks."""
    active = ~np.isnan(by_event).all(axis=1)
    shared = ~np.isnan(by_event[active]).any(axis=0)
    return np.where(shared[None, :], by_event, np.nan)


def skill_score_ratio(score: float, reference: float) -> float | None:
    """1 - score/reference (Murphy 1988); None where the reference is perfect."""
    return None if reference == 0 else 1 - score / reference


def adjusted_brier(table: Table) -> tuple[Floats, Floats]:
    """Difficulty-adjusted Brier per agent, and the questions' difficulties (ForecastBench two-way effects).

    brier_ij = a_i + b_j by least squares; a_i is shifted so that an always-0.5 agent would have 0.25.
    NaN for agents without graded cells.
    """
    keep = table.graded
    scores = brier(table.p[keep], table.y[keep])
    agents = len(table.agents)
    labels, question = np.unique(table.question[keep], return_inverse=True)
    answered = np.zeros((len(labels), agents))
    answered[question, table.agent[keep]] = 1.0
    per_question = answered.sum(axis=1)
    totals = np.bincount(question, weights=scores, minlength=len(labels))
    laplacian = np.diag(answered.sum(axis=0)) - answered.T @ (answered / per_question[:, None])
    centred = scores - (totals / per_question)[question]
    right = np.bincount(table.agent[keep], weights=centred, minlength=agents)
    effect = np.linalg.lstsq(laplacian, right, rcond=None)[0]
    difficulty = (totals - answered @ effect) / per_question
    adjusted = effect + (difficulty.mean() if len(difficulty) else 0.0)
    return np.where(answered.any(axis=0), adjusted, np.nan), difficulty


def event_log_evidence(table: Table) -> Floats:
    """Agents x clusters of ln e-values against the market; NaN where an agent has no paired cell.

    Inside a cluster the geometric mean of p_outcome / q_outcome, both clipped to [0.01, 0.99], so that dependence
    there does no harm; across clusters the values add. E = exp(sum) is a test martingale under "the market is
    right" (Ville 1939), so E >= 20 at any time refutes it at 5 % under optional stopping.
    """
    keep = table.paired
    p = np.clip(table.p[keep], EVIDENCE_FLOOR, 1 - EVIDENCE_FLOOR)
    q = np.clip(table.q[keep], EVIDENCE_FLOOR, 1 - EVIDENCE_FLOOR)
    y = table.y[keep]
    gains = np.log(probability_of_outcome(p, y)) - np.log(probability_of_outcome(q, y))
    clusters = int(table.cluster.max()) + 1 if len(table) else 0
    means, _ = group_means(gains, table.agent[keep] * clusters + table.cluster[keep], len(table.agents) * clusters)
    return means.reshape(len(table.agents), clusters)


def direction(table: Table) -> tuple[float, float]:
    """(right, decided): forecasts on the outcome's side of the market, and forecasts outside the dead band."""
    keep = table.paired & (np.abs(table.p - np.nan_to_num(table.q)) > DEAD_BAND)
    right = np.sign(table.p[keep] - table.q[keep]) == np.sign(table.y[keep] - table.q[keep])
    return float(right.sum()), float(keep.sum())


def edge(table: Table) -> float | None:
    """Mean of (p - q)(y - q): what one contract per point of disagreement would have earned before cost."""
    keep = table.paired
    if not keep.any():
        return None
    return float(((table.p[keep] - table.q[keep]) * (table.y[keep] - table.q[keep])).mean())


def closing_line_value(table: Table) -> float | None:
    """Mean of sign(p - q)(q_later - q): did the market move towards the forecast. Needs no outcome."""
    keep = ~np.isnan(table.q) & ~np.isnan(table.q_later)
    if not keep.any():
        return None
    moves = np.sign(table.p[keep] - table.q[keep]) * (table.q_later[keep] - table.q[keep])
    return float(moves.mean())


def events_needed(values: Floats, *, power_z: float = 0.8416212335729143) -> int | None:
    """Events in total until a mean this large stands out at 5 % two-sided with 80 % power, from the values' spread.

    (z_0.975 + z_0.8)^2 variance / mean^2; None where fewer than two events or a zero mean leave it open.
    """
    present = values[~np.isnan(values)]
    if len(present) < 2 or present.mean() == 0:
        return None
    variance = float(present.var(ddof=1))
    needed = (1.959963984540054 + power_z) ** 2 * variance / float(present.mean()) ** 2
    return max(2, math.ceil(needed)) if math.isfinite(needed) and needed < 1e9 else None
