"""Calibration: reliability bins, their errors, Murphy's decomposition, the Platt line and AUC. Pure.

A calibrated agent's 30 % forecasts come true 30 % of the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats
from coliseum.arena.scoring.brier import fractional
from coliseum.arena.scoring.dependent_shares import EffectiveTrials, effective_trials
from coliseum.arena.scoring.proportions import Z

BINS = 10
PLATT_MINIMUM = 50
"""Cells below which there is no regression."""
PLATT_LEVELS = 10_000
"""The regression rounds forecasts to four places, the precision of a sealed forecast."""
PLATT_PLACES = 9
"""Results are rounded to these places, because `exp` may differ in its last bit between machines."""


@dataclass(frozen=True, slots=True)
class Bin:
    """One reliability bin. Means and interval are None if it is empty."""

    low: float
    high: float
    count: int
    forecast: float | None
    """Mean forecast."""
    observed: float | None
    """Mean outcome: the share of YES."""
    interval: tuple[float, float] | None
    """95 % interval of `observed`. It allows for cells that depend on each other inside clusters. Too wide if outcomes
    are fractions, which vary less than YES and NO."""


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Brier = reliability - resolution + uncertainty + remainder (Murphy 1973; remainder: Stephenson 2008)."""

    reliability: float
    resolution: float
    uncertainty: float
    remainder: float
    """The part that comes from differences of the forecasts inside a bin."""


@dataclass(frozen=True)
class Histogram:
    """The forecasts of one group by uniform bin. Bins, ECE and MCE follow from it."""

    count: Floats
    forecast: Floats
    """Sum of p in each bin."""
    observed: Floats
    """Sum of y in each bin."""
    effective: EffectiveTrials
    """Of each bin."""

    @property
    def bins(self) -> tuple[Bin, ...]:
        """Every bin of [0, 1], including empty ones."""
        size = len(self.count)
        return tuple(
            Bin(
                low=i / size,
                high=(i + 1) / size,
                count=int(count),
                forecast=float(forecast / count) if count else None,
                observed=float(observed / count) if count else None,
                interval=self.effective.interval(i, float(observed / count) if count else None),
            )
            for i, (count, forecast, observed) in enumerate(zip(self.count, self.forecast, self.observed, strict=True))
        )

    @property
    def expected_error(self) -> float | None:
        """ECE: |mean forecast - share of YES| of the bins, weighted by count."""
        total = self.count.sum()
        return float(np.abs(self.forecast - self.observed).sum() / total) if total else None

    @property
    def maximum_error(self) -> float | None:
        """MCE: the largest |mean forecast - share of YES| of a bin."""
        filled = self.count > 0
        if not filled.any():
            return None
        return float((np.abs(self.forecast - self.observed)[filled] / self.count[filled]).max())


def bin_index(p: Floats, bins: int = BINS) -> Codes:
    """The uniform bin of each forecast; p = 1 belongs to the last one."""
    # Rounded first: in binary (1 - 0.9) * 10 is 0.999..., and would fall into the bin below.
    return np.minimum(np.floor(np.round(p * bins, 9)).astype(np.int64), bins - 1)


def histograms(
    p: Floats, y: Floats, group: Codes, size: int, *, cluster: Codes | None = None, bins: int = BINS
) -> list[Histogram]:
    """One histogram per group. Without `cluster`, the cells do not depend on each other."""
    index = group * bins + bin_index(p, bins)
    count, forecast, observed = (
        np.bincount(index, weights=weights, minlength=size * bins).astype(np.float64) for weights in (None, p, y)
    )
    if cluster is None:
        effective = EffectiveTrials(count, np.full(size * bins, Z))
    else:
        effective = effective_trials(y, index, cluster, size * bins)
    groups = [slice(start, start + bins) for start in range(0, size * bins, bins)]
    return [Histogram(count[own], forecast[own], observed[own], effective.of(own)) for own in groups]


@dataclass(frozen=True, slots=True)
class LinspaceErrors:
    """Calibration errors over the bins of `numpy.linspace(0, 1, 11)`, as KalshiBench and others compute them."""

    expected: float
    maximum: float
    lost: int
    """Forecasts of exactly 1, which are in no bin: each bin excludes its upper edge. They dilute `expected`."""


def linspace_errors(p: Floats, y: Floats, bins: int = BINS) -> LinspaceErrors | None:
    """ECE and MCE with the edges of `numpy.linspace`: low <= p < high. `p` ascends. None without forecasts.

    Its edges are multiples of 0.1 in binary, so 0.3 is below the edge 0.30000000000000004 and falls into the bin below.
    """
    if not len(p):
        return None
    edges = np.searchsorted(p, np.linspace(0, 1, bins + 1), side="left")
    filled = np.flatnonzero(edges[1:] > edges[:-1])
    lost = len(p) - int(edges[-1])
    if not len(filled):
        return LinspaceErrors(0.0, 0.0, lost)
    starts, end = edges[filled], int(edges[-1])
    gaps = np.abs(np.add.reduceat(p[:end], starts) - np.add.reduceat(y[:end], starts))
    sizes = edges[filled + 1] - starts
    return LinspaceErrors(float(gaps.sum() / len(p)), float((gaps / sizes).max()), lost)


def adaptive_error(p: Floats, y: Floats, bins: int = BINS) -> float | None:
    """ECE over bins of equal mass (Nixon et al. 2019). `p` ascends; equal forecasts stay in one bin."""
    if not len(p):
        return None
    targets = p[np.arange(1, bins) * len(p) // bins]
    edges = np.unique(np.concatenate([[0], np.searchsorted(p, targets, side="left")]))
    return float(np.abs(np.add.reduceat(p, edges) - np.add.reduceat(y, edges)).sum() / len(p))


def area_under_curve(p: Floats, y: Floats) -> float | None:
    """The chance that a YES market got a higher forecast than a NO market; a tie counts half.

    `p` ascends. Fractions are neither YES nor NO, so they are left out. None if all outcomes are equal.
    """
    whole = ~fractional(y)
    p, y = p[whole], y[whole]
    positives = float(y.sum())
    negatives = len(y) - positives
    if not positives or not negatives:
        return None
    starts = np.flatnonzero(np.concatenate([[True], p[1:] != p[:-1]]))
    sizes = np.diff(np.append(starts, len(p)))
    yes = np.add.reduceat(y, starts)
    below = np.concatenate([[0.0], np.cumsum(sizes - yes)[:-1]])
    return float((yes * (below + (sizes - yes) / 2)).sum() / (positives * negatives))


def decomposition(p: Floats, y: Floats, bins: int = BINS) -> Decomposition | None:
    """Murphy's three terms over uniform bins, and the remainder inside the bins. They give the Brier score exactly.

    The uncertainty is the variance of the outcomes: base (1 - base) for YES and NO, less for fractions.
    """
    if not len(p):
        return None
    index = bin_index(p, bins)
    count = np.bincount(index, minlength=bins).astype(np.float64)
    filled = np.maximum(count, 1)
    forecast = np.bincount(index, weights=p, minlength=bins) / filled
    observed = np.bincount(index, weights=y, minlength=bins) / filled
    base, weight = float(y.mean()), count / len(p)
    off = float((weight * np.square(forecast - observed)).sum())
    apart = float((weight * np.square(observed - base)).sum())
    inside_p, inside_y = p - forecast[index], y - observed[index]
    remainder = float((np.square(inside_p) - 2 * inside_p * inside_y).mean())
    uncertainty = base * (1 - base) - float((y * (1 - y)).mean())
    return Decomposition(off, apart, uncertainty, remainder)


def platt(p: Floats, y: Floats) -> tuple[float, float] | None:
    """(intercept, slope) of a logistic regression of y on logit p. (0, 1) is calibrated, a slope below 1 overconfident.

    Newton's method (Platt 1999, without label smoothing) on p clipped to [0.001, 0.999]. None below 50 cells, with only
    one outcome, with equal forecasts, and where the forecasts separate the outcomes. Fractions enter as
    quasi-likelihood (Papke & Wooldridge 1996).
    """
    if len(p) < PLATT_MINIMUM:
        return None
    level = np.rint(p * PLATT_LEVELS).astype(np.int64)
    count = np.bincount(level, minlength=PLATT_LEVELS + 1).astype(np.float64)
    yes = np.bincount(level, weights=y, minlength=PLATT_LEVELS + 1)
    used = np.flatnonzero(count)
    if len(used) < 2 or not 0 < yes.sum() < len(p):
        return None
    inside = np.clip(used / PLATT_LEVELS, 0.001, 0.999)
    x, count, yes = np.log(inside / (1 - inside)), count[used], yes[used]
    intercept, slope = 0.0, 1.0
    for _ in range(50):
        fitted = 1 / (1 + np.exp(-np.clip(intercept + slope * x, -30, 30)))
        weight, off = count * fitted * (1 - fitted), yes - count * fitted
        w, wx, wxx = (float(part.sum()) for part in (weight, weight * x, weight * x * x))
        determinant = w * wxx - wx * wx
        if not determinant > 1e-9 * w * wxx:
            return None
        r, rx = float(off.sum()), float((off * x).sum())
        step = (wxx * r - wx * rx) / determinant, (w * rx - wx * r) / determinant
        intercept, slope = intercept + step[0], slope + step[1]
        if max(abs(step[0]), abs(step[1])) < 1e-11 * max(1.0, abs(slope)):
            return round(intercept, PLATT_PLACES), round(slope, PLATT_PLACES)
        if not math.isfinite(slope) or abs(slope) > 1e3:
            return None
    return None
