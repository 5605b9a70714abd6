"""Brier scores adjusted for the difficulty of the questions (ForecastBench's two-way effects). Pure."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from coliseum.arena.scoring.arithmetic import counts, ratio, totals
from coliseum.arena.scoring.brier import COIN_FLIP, brier
from coliseum.arena.scoring.cells import CellTable

COIN_FLIP_SCORE = 0.25
"""The adjusted score of an agent that always forecasts 0.5."""
PLACES = 9
"""Results are rounded to these places, because the last bits of LAPACK's least squares differ between machines."""


def adjusted_brier(table: CellTable, pools: Collection[str] = ()) -> dict[str, float]:
    """The difficulty-adjusted Brier score of each agent.

    brier_ij = a_i + b_j by least squares over the cells of all agents i and questions j. a_i is shifted so that an
    agent that always forecasts 0.5 has 0.25. Empty if all agents answered the same questions, where nothing needs
    adjusting, and if the agents fall into groups without a common question, which cannot be compared. A question with a
    fraction as outcome may be easier or harder for 0.5 than 0.25; the shift takes its share of that too.

    `pools` are made of the others' forecasts, so they do not take part in the estimation: a_i is the mean of
    brier_ij - b_j (ForecastBench does so with its reference rows).
    """
    graded = table.select(table.graded)
    counted = np.array([agent not in pools for agent in table.agents], dtype=np.bool_)[graded.agent]
    labels, question = np.unique(graded.question[counted], return_inverse=True)
    sizes = counts(graded.agent[counted], len(table.agents))
    active = np.flatnonzero(sizes > 0)
    if len(active) < 2 or bool((sizes[active] == len(labels)).all()):
        return {}
    agent = np.searchsorted(active, graded.agent[counted])
    errors = brier(graded.p, graded.y)
    scores = errors[counted]
    answered = np.zeros((len(labels), len(active)))
    answered[question, agent] = 1.0
    per_question = answered.sum(axis=1)
    mean = totals(scores, question, len(labels)) / per_question
    laplacian = np.diag(sizes[active]) - answered.T @ (answered / per_question[:, None])
    right = totals(scores - mean[question], agent, len(active))
    effect, _, rank, _ = np.linalg.lstsq(laplacian, right, rcond=None)
    if rank < len(active) - 1:
        return {}
    difficulty = mean - (answered @ effect) / per_question
    outcome = np.zeros(len(labels))
    outcome[question] = graded.y[counted]
    coin_flips = brier(np.full(len(labels), COIN_FLIP), outcome)
    shift = math.fsum((difficulty - (coin_flips - COIN_FLIP_SCORE)).tolist()) / len(labels)
    effects = dict(zip(active.tolist(), effect.tolist(), strict=True))
    others = np.flatnonzero(~counted & np.isin(graded.question, labels))
    off = errors[others] - difficulty[np.searchsorted(labels, graded.question[others])]
    means = ratio(totals(off, graded.agent[others], len(table.agents)), counts(graded.agent[others], len(table.agents)))
    effects |= {code: float(means[code]) for code in np.unique(graded.agent[others]).tolist()}
    return {table.agents[code]: round(value + shift, PLACES) for code, value in sorted(effects.items())}
