"""Confidence interval of a proportion, and Student's quantile. Pure.

Without numpy, because functions without numpy use it too.
"""

from __future__ import annotations

import math

Z = 1.959963984540054
"""The normal distribution's 97.5 % point."""


def wilson(successes: float, trials: float, quantile: float = Z) -> tuple[float, float] | None:
    """95 % score interval of a proportion (Wilson 1927). None without trials.

    It assumes independent trials. `quantile` is the 97.5 % point to use in place of the normal one.
    """
    if trials <= 0:
        return None
    share = successes / trials
    square = quantile * quantile
    centre = share + square / (2 * trials)
    spread = quantile * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    scale = 1 + square / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def student_quantile(freedom: float) -> float:
    """The 97.5 % point of Student's t, to 1e-4 from 8 degrees of freedom (Abramowitz and Stegun 26.7.5)."""
    z, square = Z, Z * Z
    terms = (
        z * (square + 1) / 4,
        z * ((5 * square + 16) * square + 3) / 96,
        z * (((3 * square + 19) * square + 17) * square - 15) / 384,
        z * ((((79 * square + 776) * square + 1482) * square - 1920) * square - 945) / 92160,
    )
    return z + sum(term / freedom ** (power + 1) for power, term in enumerate(terms))
