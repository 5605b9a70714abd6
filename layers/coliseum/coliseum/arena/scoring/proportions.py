"""Confidence interval of a proportion. Pure, and without numpy, because functions without numpy use it too."""

from __future__ import annotations

import math

Z = 1.959963984540054
"""The normal distribution's 97.5 % point."""


def wilson(successes: float, trials: float) -> tuple[float, float] | None:
    """95 % score interval of a proportion (Wilson 1927). None without trials."""
    if trials <= 0:
        return None
    share = successes / trials
    centre = share + Z * Z / (2 * trials)
    spread = Z * math.sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    scale = 1 + Z * Z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
