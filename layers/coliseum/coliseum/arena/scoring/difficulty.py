"""Scores as if everyone had answered the same questions (ForecastBench's two-way effects). Pure."""

from __future__ import annotations

import math

import numpy as np

from coliseum.arena.scoring.arithmetic import counts, totals
from coliseum.arena.scoring.brier import brier
from coliseum.arena.scoring.cells import CellTable

PLACES = 9
"""Least squares are solved by LAPACK, whose last bits differ between machines."""


def adjusted_brier(table: CellTable) -> dict[str, float]:
    """Agent -> difficulty-adjusted Brier, where agents answered different questions; otherwise nobody.

    brier_ij = a_i + b_j by least squares over all agents' cells; a_i is shifted so that whoever said 0.5 to
    everything has 0.25. Empty too where the agents fall into groups without a common question: nothing compares them.
    """
    graded = table.select(table.graded)
    labels, question = np.unique(graded.question, return_inverse=True)
    sizes = counts(graded.agent, len(table.agents))
    active = np.flatnonzero(sizes > 0)
    if len(active) < 2 or bool((sizes[active] == len(labels)).all()):
        return {}
    agent = np.searchsorted(active, graded.agent)
    scores = brier(graded.p, graded.y)
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
    shifted = effect + math.fsum(difficulty.tolist()) / len(labels)
    return {table.agents[code]: round(float(value), PLACES) for code, value in zip(active, shifted, strict=True)}
