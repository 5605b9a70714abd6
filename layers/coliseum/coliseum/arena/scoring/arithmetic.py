"""Sums and logarithms with the same bits on every machine, so that the digest of a report is the same too. Pure.

Three rules:
- Sums run over rows in the canonical order of the table, by `bincount` and `add.reduceat`, whose order is fixed.
- Logarithms and exponentials use additions, multiplications and divisions only. The system's `log` and `exp` may differ
  in the last bit.
- Matrix products are taken of whole numbers only, because BLAS chooses the order.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

LN2 = 0.6931471805599453
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""ln 2 in two parts (fdlibm). Products of the first with whole numbers up to 2^20 are exact."""
_DENSE = 8
"""Keys are dense if there are at most so many possible ones for each row."""
_ODD = tuple(1 / (2 * n + 1) for n in range(12))
_INVERSE_FACTORIALS = tuple(1 / math.factorial(n) for n in range(15))


def natural_log(x: Floats) -> Floats:
    """ln of positive numbers, to about 2e-16.

    With x = m 2^e: ln x = e ln 2 + 2 artanh((m - 1)/(m + 1)), and artanh as a series of 12 terms.
    """
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


def exponential_parts(x: Floats) -> tuple[Floats, Codes]:
    """(m, e) with exp(x) = m 2^e and m between 0.7 and 1.42, to about 4e-16. So nothing overflows.

    With e = x / ln 2, rounded: m = exp(x - e ln 2), as a series of 15 terms.
    """
    exponent = np.rint(x / LN2)
    rest = (x - exponent * _LN2_HIGH) - exponent * _LN2_LOW
    series = np.full_like(rest, _INVERSE_FACTORIALS[-1])
    for term in reversed(_INVERSE_FACTORIALS[:-1]):
        series *= rest
        series += term
    return series, exponent.astype(np.int64)


def scaled(mantissa: Floats, exponent: Codes) -> Floats:
    """mantissa 2^exponent, 0 or infinity where it leaves the range of floats."""
    with np.errstate(over="ignore"):
        return np.asarray(np.ldexp(mantissa, np.clip(exponent, -5000, 5000).astype(np.int32)))


def exponential(x: Floats) -> Floats:
    """exp of finite numbers."""
    return scaled(*exponential_parts(x))


def distinct(keys: Codes) -> tuple[Codes, Codes]:
    """(The sorted distinct keys, the place of each key among them), as `numpy.unique` with `return_inverse`.

    Keys start from 0. Where they are dense nothing is sorted, which is five times faster.
    """
    size = int(keys.max(initial=-1)) + 1
    if size > _DENSE * len(keys):
        found, place = np.unique(keys, return_inverse=True)
        return found, place.astype(np.int64)
    present = np.zeros(size, dtype=np.bool_)
    present[keys] = True
    found = np.flatnonzero(present)
    places = np.empty(size, dtype=np.int64)
    places[found] = np.arange(len(found))
    return found, places[keys]


def first_places(place: Codes, size: int) -> Codes:
    """The first row of each of the places 0 to `size` - 1, all of which occur."""
    first = np.zeros(size, dtype=np.int64)
    # Of several assignments to one place the last counts, so the rows are written from the last to the first.
    first[place[::-1]] = np.arange(len(place) - 1, -1, -1)
    return first


def totals(values: Floats | Mask, group: Codes, size: int) -> Floats:
    """The sum of `values` in each of `size` groups."""
    return np.bincount(group, weights=values, minlength=size)


def counts(group: Codes, size: int) -> Floats:
    """The number of rows in each of `size` groups."""
    return np.bincount(group, minlength=size).astype(np.float64)


def ratio(top: Floats, bottom: Floats) -> Floats:
    """top / bottom, with NaN where bottom is 0."""
    result: Floats = np.full(np.broadcast_shapes(top.shape, bottom.shape), np.nan)
    np.divide(top, bottom, out=result, where=bottom != 0)
    return result


def number(value: float) -> float | None:
    """A float for a report, with None for NaN."""
    return None if math.isnan(value) else float(value)
