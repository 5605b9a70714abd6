"""Sums and logarithms that give the same bits on every machine, so that a report's digest does too. Pure.

Laws:
- sums run over rows in the table's canonical order, through `bincount` and `add.reduceat`, whose order is fixed;
- logarithms are computed from additions, multiplications and divisions alone: a system's `log` may differ in the
  last bit;
- matrix products, whose order BLAS chooses, are taken of whole numbers only (`intervals.weighted_sums`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

LN2 = 0.6931471805599453
_ODD = tuple(1 / (2 * n + 1) for n in range(12))


def natural_log(x: Floats) -> Floats:
    """ln of positive numbers to about 2e-16: x = m 2^e, ln m = 2 artanh((m - 1)/(m + 1)) as a series."""
    mantissa, exponent = np.frexp(x)
    low = mantissa < math.sqrt(0.5)
    mantissa = np.where(low, 2 * mantissa, mantissa)
    s = (mantissa - 1) / (mantissa + 1)
    z = s * s
    series = np.full_like(z, _ODD[-1])
    for odd in reversed(_ODD[:-1]):
        series *= z
        series += odd
    return np.asarray((exponent - low) * LN2 + 2 * s * series)


def totals(values: Floats | Mask, group: Codes, size: int) -> Floats:
    """Sum of `values` per group."""
    return np.bincount(group, weights=values, minlength=size)


def counts(group: Codes, size: int) -> Floats:
    """Rows per group."""
    return np.bincount(group, minlength=size).astype(np.float64)


def ratio(top: Floats, bottom: Floats) -> Floats:
    """top / bottom, NaN where bottom is 0."""
    result: Floats = np.full(np.broadcast_shapes(top.shape, bottom.shape), np.nan)
    np.divide(top, bottom, out=result, where=bottom != 0)
    return result


def number(value: float) -> float | None:
    """A float for a report: None instead of NaN."""
    return None if math.isnan(value) else float(value)
