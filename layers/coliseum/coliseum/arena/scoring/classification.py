"""Forecasts as yes/no answers: accuracy, precision, recall, F1, confidence and overconfidence. Pure.

The definitions are those of KalshiBench, whose names the report uses. A forecast of 0.5 or more says YES. Outcomes
between NO and YES are left out. These numbers do not reward a good probability, so no rank depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, ratio, totals
from coliseum.arena.scoring.brier import fractional
from coliseum.arena.scoring.cells import CellTable

THRESHOLDS = (0.7, 0.8, 0.9)
"""A forecast is confident at one of these if it is above it or below 1 minus it."""
_NO_RIGHT, _NO_WRONG, _YES_WRONG, _YES_RIGHT = range(4)
_KINDS, _LEVELS = 4, len(THRESHOLDS) + 1


@dataclass(frozen=True)
class Answers:
    """The graded cells with the outcome YES or NO, read as answers."""

    rows: Codes
    kind: Codes
    """2 (says YES) + (is YES)."""
    level: Codes
    """The number of `THRESHOLDS` at which the forecast is confident."""
    confidence: Floats
    """The probability that the forecast gives to its own answer."""


def answers_of(table: CellTable) -> Answers:
    """Read the forecasts of a table as answers."""
    rows = np.flatnonzero(table.graded & ~fractional(table.y))
    p, y = table.p[rows], table.y[rows]
    level = np.zeros(len(rows), dtype=np.int64)
    for threshold in THRESHOLDS:
        level += (p > threshold) | (p < 1 - threshold)
    return Answers(rows, 2 * (p >= 0.5) + (y == 1), level, np.abs(p - 0.5) + 0.5)


def classification(answers: Answers, group: Codes, size: int) -> dict[str, Floats]:
    """One number for each group, by metric; NaN where its denominator is 0.

    `group` is the group of each row of the table, -1 for none.
    """
    own = group[answers.rows]
    inside = own >= 0
    own, kind, level = own[inside], answers.kind[inside], answers.level[inside]
    cells = np.bincount((own * _KINDS + kind) * _LEVELS + level, minlength=size * _KINDS * _LEVELS)
    by_level = cells.reshape(size, _KINDS, _LEVELS).astype(np.float64)
    confidence = totals(answers.confidence[inside], own * _KINDS + kind, size * _KINDS).reshape(size, _KINDS)
    counted = by_level.sum(axis=2)
    right, wrong = counted[:, [_NO_RIGHT, _YES_RIGHT]].sum(axis=1), counted[:, [_NO_WRONG, _YES_WRONG]].sum(axis=1)
    yes = _of_class(counted, _YES_RIGHT, _YES_WRONG, _NO_WRONG)
    no = _of_class(counted, _NO_RIGHT, _NO_WRONG, _YES_WRONG)
    return {
        "accuracy": ratio(right, right + wrong),
        **{f"{name}_yes": values for name, values in yes.items()},
        **{f"{name}_no": values for name, values in no.items()},
        "macro_f1": (yes["f1"] + no["f1"]) / 2,
        "avg_confidence": ratio(confidence.sum(axis=1), right + wrong),
        "avg_confidence_when_correct": ratio(confidence[:, [_NO_RIGHT, _YES_RIGHT]].sum(axis=1), right),
        "avg_confidence_when_wrong": ratio(confidence[:, [_NO_WRONG, _YES_WRONG]].sum(axis=1), wrong),
        **_overconfidence(by_level),
    }


def _of_class(counted: Floats, hit: int, false_alarm: int, miss: int) -> dict[str, Floats]:
    """Precision, recall and F1 of one answer."""
    hits, alarms, misses = counted[:, hit], counted[:, false_alarm], counted[:, miss]
    return {
        "precision": ratio(hits, hits + alarms),
        "recall": ratio(hits, hits + misses),
        "f1": ratio(2 * hits, 2 * hits + alarms + misses),
    }


def _overconfidence(by_level: Floats) -> dict[str, Floats]:
    """The share of wrong answers among those that are confident at each threshold."""
    result: dict[str, Floats] = {}
    for index, threshold in enumerate(THRESHOLDS):
        confident = by_level[:, :, index + 1 :].sum(axis=2)
        wrong = confident[:, _NO_WRONG] + confident[:, _YES_WRONG]
        result[f"overconfidence_rate_{round(100 * threshold)}"] = ratio(wrong, confident.sum(axis=1))
    return result
