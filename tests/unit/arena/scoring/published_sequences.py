"""Confidence sequences of the literature in plain Python, for comparison. The engine does not use them.

Both bound the mean of values in [-1, 1], whose range is 2 whatever the price and the forecast are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

ALPHA = 0.05
RANGE = 2.0
OPTIMAL_TIME = 10.0
"""The intrinsic time at which the first bound is narrowest: comparecast's default."""
Bounds = tuple[float, float]


def empirical_bernstein(values: Sequence[float]) -> list[Bounds]:
    """Choe & Ramdas 2023, Theorem 2, with the gamma-exponential mixture of Howard et al. 2021, Proposition 9.

    The centre is the running mean. The variance is that around the running mean of one round before.
    """
    means = [total / (place + 1) for place, total in enumerate(accumulate(values))]
    squares = accumulate((x - before) ** 2 for x, before in zip(values, [0.0, *means], strict=False))
    return [
        (mean - radius, mean + radius)
        for place, (mean, square) in enumerate(zip(means, squares, strict=True))
        for radius in [_mixture_boundary(max(1.0, square)) / (place + 1)]
    ]


def predictably_mixed(values: Sequence[float]) -> list[Bounds]:
    """Waudby-Smith & Ramdas 2024, Theorem 2 with equation 16: bets that adapt to the past, for a constant mean."""
    bet, mean, weights, weighted, paid = 0.5, 0.5, 0.0, 0.0, 0.0
    total, squares = 0.5, 0.25
    bounds: list[Bounds] = []
    for place, value in enumerate(values, start=1):
        scaled = (value + 1) / RANGE
        weights, weighted = weights + bet, weighted + bet * scaled
        paid += 4 * (scaled - mean) ** 2 * -(math.log(1 - bet) + bet) / 4
        centre, radius = weighted / weights, (math.log(2 / ALPHA) + paid) / weights
        bounds.append((RANGE * (centre - radius) - 1, RANGE * (centre + radius) - 1))
        total += scaled
        mean = total / (place + 1)
        squares += (scaled - mean) ** 2
        variance = squares / (place + 1)
        bet = min(0.5, math.sqrt(2 * math.log(2 / ALPHA) / (variance * (place + 1) * math.log(place + 2))))
    return bounds


def _mixture_boundary(time: float) -> float:
    """The sum at which the mixture reaches 2/alpha, by bisection."""
    low, high = 0.0, 1.0
    while _log_mixture(high, time) < math.log(2 / ALPHA):
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _log_mixture(middle, time) < math.log(2 / ALPHA) else (low, middle)
    return low


def _log_mixture(total: float, time: float) -> float:
    level = 2 * math.log(1 / ALPHA)  # of a two-sided bound with 2 * ALPHA / 2 on each side
    rho = OPTIMAL_TIME / (level + math.log1p(level)) / RANGE**2
    shape, place = time / RANGE**2 + rho, (RANGE * total + time) / RANGE**2 + rho
    return (
        rho * math.log(rho)
        - math.lgamma(rho)
        - math.log(_lower_gamma(rho, rho))
        + math.lgamma(shape)
        + math.log(_lower_gamma(shape, place))
        - shape * math.log(place)
        + place
        - rho
    )


def _lower_gamma(shape: float, x: float) -> float:
    """The regularised lower incomplete gamma function: x^a e^-x / Γ(a) Σ x^n / (a (a+1) ... (a+n))."""
    term = total = 1 / shape
    place = shape
    while term > total * 1e-17:
        place += 1
        term *= x / place
        total += term
    return total * math.exp(shape * math.log(x) - x - math.lgamma(shape))
