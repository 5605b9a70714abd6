"""Do 30 % forecasts happen 30 % of the time: bins, errors, decomposition, discrimination. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.cells import Codes, Floats
from coliseum.arena.scoring.intervals import wilson

BINS = 10
PLATT_MINIMUM = 50


@dataclass(frozen=True, slots=True)
class Bin:
    """One reliability bin; means and interval are None where it is empty."""

    low: float
    high: float
    count: int
    forecast: float | None
    """Mean forecast."""
    observed: float | None
    """Share of YES."""
    interval: tuple[float, float] | None
    """95 % Wilson interval of `observed`."""


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Brier = reliability - resolution + uncertainty + remainder (Murphy 1973; remainder: Stephenson 2008)."""

    reliability: float
    resolution: float
    uncertainty: float
    remainder: float
    """What forecasts differ inside a bin."""


def bin_index(p: Floats, bins: int = BINS) -> Codes:
    """Uniform bins, p = 1 in the last; p x bins is rounded to 9 places first, so that 0.3 is not 2.999..."""
    return np.minimum(np.floor(np.round(p * bins, 9)).astype(np.int64), bins - 1)


def reliability(p: Floats, y: Floats, bins: int = BINS) -> tuple[Bin, ...]:
    """Every uniform bin of [0, 1], empty ones too."""
    index = bin_index(p, bins)
    count = np.bincount(index, minlength=bins)
    forecast = np.bincount(index, weights=p, minlength=bins)
    observed = np.bincount(index, weights=y, minlength=bins)
    return tuple(
        Bin(
            low=i / bins,
            high=(i + 1) / bins,
            count=int(count[i]),
            forecast=float(forecast[i] / count[i]) if count[i] else None,
            observed=float(observed[i] / count[i]) if count[i] else None,
            interval=wilson(float(observed[i]), float(count[i])),
        )
        for i in range(bins)
    )


def expected_error(p: Floats, y: Floats, bins: int = BINS) -> tuple[float | None, float | None]:
    """(ECE, MCE): count-weighted mean and maximum of |mean forecast - share of YES| over uniform bins."""
    if not len(p):
        return None, None
    index = bin_index(p, bins)
    count = np.bincount(index, minlength=bins)
    gap = np.abs(np.bincount(index, weights=p, minlength=bins) - np.bincount(index, weights=y, minlength=bins))
    filled = count > 0
    return float(gap.sum() / len(p)), float((gap[filled] / count[filled]).max())


def adaptive_error(p: Floats, y: Floats, bins: int = BINS) -> float | None:
    """ECE over bins of equal mass; equal forecasts stay in one bin (Nixon et al. 2019)."""
    if not len(p):
        return None
    order = np.argsort(p, kind="stable")
    ordered = p[order]
    targets = np.arange(1, bins) * len(p) // bins
    edges = np.unique(np.searchsorted(ordered, ordered[targets], side="left"))
    edges = edges[edges > 0]
    parts = np.split(order, edges)
    return float(sum(abs(float(p[part].sum() - y[part].sum())) for part in parts) / len(p))


def decomposition(p: Floats, y: Floats, bins: int = BINS) -> Decomposition | None:
    """Murphy's three terms over uniform bins and the within-bin remainder: they add up to the Brier score exactly."""
    if not len(p):
        return None
    index = bin_index(p, bins)
    count = np.bincount(index, minlength=bins).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        forecast = np.bincount(index, weights=p, minlength=bins) / count
        observed = np.bincount(index, weights=y, minlength=bins) / count
    filled = count > 0
    base, weight = float(y.mean()), count[filled] / len(p)
    off = float((weight * np.square(forecast[filled] - observed[filled])).sum())
    apart = float((weight * np.square(observed[filled] - base)).sum())
    inside_p, inside_y = p - forecast[index], y - observed[index]
    remainder = float((np.square(inside_p) - 2 * inside_p * inside_y).mean())
    return Decomposition(off, apart, base * (1 - base), remainder)


def platt(p: Floats, y: Floats) -> tuple[float, float] | None:
    """(intercept, slope) of a logistic regression of y on logit p: (0, 1) is calibrated, slope < 1 overconfident.

    By Newton's method (Platt 1999, without label smoothing); None below 50 cells, where one outcome is absent or
    where the forecasts separate the outcomes.
    """
    if len(p) < PLATT_MINIMUM or y.min() == y.max():
        return None
    clipped = np.clip(p, 0.001, 0.999)
    x = np.log(clipped / (1 - clipped))
    if np.ptp(x) == 0:
        return None
    design, beta = np.stack([np.ones_like(x), x]), np.array([0.0, 1.0])
    for _ in range(50):
        fitted = 1 / (1 + np.exp(-np.clip(beta @ design, -30, 30)))
        curvature = (design * (fitted * (1 - fitted))) @ design.T
        if np.linalg.cond(curvature) > 1e12:
            return None
        step = np.linalg.solve(curvature, design @ (y - fitted))
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            return float(beta[0]), float(beta[1])
    return None


def area_under_curve(p: Floats, y: Floats) -> float | None:
    """Probability that a YES market got the higher forecast, ties as one half; None with one outcome only."""
    positives = float(y.sum())
    negatives = len(y) - positives
    if not positives or not negatives:
        return None
    _, inverse, count = np.unique(p, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    ranks = (ends - (count - 1) / 2)[inverse]
    return float((ranks[y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))
