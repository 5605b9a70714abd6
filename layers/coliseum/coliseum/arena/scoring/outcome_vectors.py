"""Scores of all forecasts of an event together: the Brier score in its sum form, and the spherical score. Pure.

The vector of an event and window has an entry for each of its markets. An event with a single market has two outcomes,
YES and NO, so its vector is (p, 1 - p).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask, ratio
from coliseum.arena.scoring.brier import brier
from coliseum.arena.scoring.cells import CellTable


@dataclass(frozen=True)
class VectorScores:
    """The scores of its vector for each row of a table. They have no meaning where the row is not marked."""

    brier_sum: Floats
    """Sum of (p - y)^2 over the outcomes of the event, from 0 to 2 if exactly one comes true (Brier 1950)."""
    spherical: Floats
    """Sum of p y divided by the length of the vector (Roby 1965): 1 is perfect. NaN if all forecasts are 0."""
    complete: Mask
    """Marks rows of agents that answered every market of the event and window, if all of these have an outcome."""

    @property
    def with_length(self) -> Mask:
        """Marks the complete rows that have a spherical score."""
        return self.complete & ~np.isnan(self.spherical)


def vector_scores(table: CellTable) -> VectorScores:
    """Score the vector of every agent, event and window."""
    rows = np.flatnonzero(table.graded)
    absent = np.full(len(table), np.nan)
    result = VectorScores(absent, absent.copy(), np.zeros(len(table), dtype=np.bool_))
    if not len(rows):
        return result
    pair = table.event * len(table.windows) + table.window
    starts = np.flatnonzero(_changes(pair[rows]) | _changes(table.agent[rows]))
    sizes = np.diff(np.append(starts, len(rows)))
    p, y, asked = table.p[rows], table.y[rows], _markets_asked(table, pair)[rows[starts]]
    single = asked == 1
    other_p, other_y = np.where(single, 1 - p[starts], 0.0), np.where(single, 1 - y[starts], 0.0)
    errors = np.add.reduceat(brier(p, y), starts) + np.where(single, brier(other_p, other_y), 0.0)
    hits = np.add.reduceat(p * y, starts) + other_p * other_y
    length = np.sqrt(np.add.reduceat(np.square(p), starts) + np.square(other_p))
    result.brier_sum[rows] = np.repeat(errors, sizes)
    result.spherical[rows] = np.repeat(ratio(hits, length), sizes)
    result.complete[rows] = np.repeat(sizes == asked, sizes)
    return result


def _changes(code: Codes) -> Mask:
    return np.concatenate([np.ones(1, dtype=np.bool_), code[1:] != code[:-1]])


def _markets_asked(table: CellTable, pair: Codes) -> Codes:
    """For each row: the number of markets of its event and window that any agent was asked about."""
    pair_of_question = np.empty(int(table.question.max()) + 1, dtype=np.int64)
    pair_of_question[table.question] = pair
    # Questions are numbered in order of (event, window, market), so those of a pair are together.
    place = np.cumsum(_changes(pair_of_question)) - 1
    return np.asarray(np.bincount(place)[place][table.question])
