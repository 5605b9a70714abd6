"""Intervals of shares of cells that depend on each other inside clusters. Pure.

A share of n dependent cells is as uncertain as one of fewer independent cells. How many follows from the spread of the
clusters (the design effect of a ratio, Korn and Graubard 1998): share (1 - share) / variance by cluster, at most n. It
is at least the number that full dependence inside the clusters would leave, (sum of sizes)^2 / sum of squared sizes.
Few clusters with the rarer outcome say little about the spread, so the estimate moves towards this number as they
become fewer. The interval is Wilson's with the effective number, and with Student's quantile for the clusters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, counts, distinct, ratio, totals
from coliseum.arena.scoring.proportions import Z, student_quantile, wilson

_PRIOR = 0.5
"""Weight of full dependence, in clusters with the rarer outcome. Chosen by simulation; see docs/scoring.md."""


@dataclass(frozen=True)
class EffectiveTrials:
    """Of each group: the number of independent cells that would leave as much doubt, and the normal or Student's
    quantile."""

    trials: Floats
    quantile: Floats

    def of(self, groups: slice) -> EffectiveTrials:
        """Those of some of the groups."""
        return EffectiveTrials(self.trials[groups], self.quantile[groups])

    def interval(self, group: int, share: float | None) -> tuple[float, float] | None:
        """95 % interval of the share. None without trials."""
        trials = float(self.trials[group])
        return None if share is None else wilson(share * trials, trials, float(self.quantile[group]))


def effective_trials(hits: Floats, group: Codes, cluster: Codes, size: int) -> EffectiveTrials:
    """The effective number of cells in each of `size` groups. `hits` has the outcome of each cell, 0 to 1."""
    clusters = int(cluster.max(initial=0)) + 1
    keys, owner = distinct(group * clusters + cluster)
    cells, total = counts(owner, len(keys)), totals(hits, owner, len(keys))
    of = keys // clusters
    number, whole = counts(of, size), totals(cells, of, size)
    share = np.nan_to_num(ratio(totals(total, of, size), whole))
    fewest = np.nan_to_num(ratio(np.square(whole), totals(np.square(cells), of, size)))
    squares = totals(np.square(total - share[of] * cells), of, size)
    variance = ratio(number * squares, np.maximum(number - 1, 0) * np.square(whole))
    spread = share * (1 - share)
    estimate = np.where(squares > 0, np.nan_to_num(ratio(spread, variance)), fewest)
    estimate = np.clip(estimate, fewest, np.maximum(fewest, whole))
    weight = _PRIOR / (_PRIOR + fewest * np.minimum(share, 1 - share))
    trials = np.nan_to_num(ratio(np.ones(size), ratio(1 - weight, estimate) + ratio(weight, fewest)))
    alone = number == whole  # every cell is its own cluster
    quantile = [Z if one else student_quantile(max(1.0, count - 1)) for one, count in zip(alone, number, strict=True)]
    return EffectiveTrials(np.where(alone, whole, trials), np.array(quantile))
