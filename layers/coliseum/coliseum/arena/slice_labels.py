"""The labels of slices that are the same for every table. Pure, without numpy."""

from __future__ import annotations

from itertools import pairwise

PRICE_BANDS = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)
"""Lower edges of all bands but the first. A price on an edge belongs to the band above."""
OUTCOME_COUNTS = (("1", 1), ("2", 2), ("3-5", 5), ("6-10", 10))
TERCILES = ("low", "middle", "high")


def price_labels() -> tuple[str, ...]:
    """The bands of the market's price, such as `0.05-0.20`."""
    edges = (0.0, *PRICE_BANDS, 1.0)
    return tuple(f"{low:.2f}-{high:.2f}" for low, high in pairwise(edges))


def outcome_labels() -> tuple[str, ...]:
    """The numbers of markets of an event, such as `3-5`."""
    return (*(label for label, _ in OUTCOME_COUNTS), f">{OUTCOME_COUNTS[-1][1]}")
