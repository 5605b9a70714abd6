"""Slices of a leaderboard: by category, time left, track, liquidity, price and number of outcomes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats
from coliseum.arena.scoring.labels import coded
from coliseum.arena.slice_labels import OUTCOME_COUNTS, PRICE_BANDS, TERCILES, outcome_labels, price_labels
from coliseum.errors import InvalidInput

MOST_LABELS = 200
"""Slices of a dimension. Every label gives a full set of numbers for each agent."""
GROUP = "group"
"""The dimension over whose labels macro-averages are taken."""
MOST_GROUPS = 50
"""Groups of a table. Every slice has the means of every group in it."""


@dataclass(frozen=True)
class Dimension:
    """One way to slice. `code` is the index of the label of each row, or -1 if it has none."""

    name: str
    labels: tuple[str, ...]
    code: Codes


def dimensions(
    *,
    category: Sequence[str] | None,
    horizon: Sequence[str] | None,
    track: Sequence[str] | None,
    group: Sequence[str] | None,
    volume: Floats | None,
    outcomes: Floats | None,
    q: Floats,
) -> tuple[Dimension, ...]:
    """Every dimension in which at least one row has a label.

    Raises InvalidInput for more than 200 labels, and for more than 50 groups.
    """
    named = (("category", category), ("horizon", horizon), ("track", track), (GROUP, group))
    result = [
        _named(name, labels, MOST_GROUPS if name == GROUP else MOST_LABELS)
        for name, labels in named
        if labels is not None
    ]
    if volume is not None:
        result.append(Dimension("liquidity", TERCILES, _terciles(volume)))
    result.append(Dimension("price", price_labels(), _banded(q)))
    if outcomes is not None:
        result.append(Dimension("outcomes", outcome_labels(), _counted(outcomes)))
    return tuple(dimension for dimension in result if bool((dimension.code >= 0).any()))


def _named(name: str, labels: Sequence[str], most: int) -> Dimension:
    names, code = coded(labels)
    if names[:1] == ("",):  # the empty label is the first one in order
        names, code = names[1:], code - 1
    if len(names) > most:
        raise InvalidInput(name, f"{len(names)} labels", f"at most {most} different ones")
    return Dimension(name, names, code)


def _terciles(volume: Floats) -> Codes:
    """Terciles of the volumes of the cells; equal volumes stay together."""
    known = np.sort(volume[~np.isnan(volume)])
    code = np.full(len(volume), -1)
    if len(known):
        limits = known[[len(known) // 3, 2 * len(known) // 3]]
        have = ~np.isnan(volume)
        code[have] = np.searchsorted(limits, volume[have], side="right")
    return code


def _banded(q: Floats) -> Codes:
    code = np.searchsorted(np.array(PRICE_BANDS), q, side="right").astype(np.int64)
    code[np.isnan(q)] = -1
    return code


def _counted(outcomes: Floats) -> Codes:
    limits = np.array([limit for _, limit in OUTCOME_COUNTS], dtype=np.float64)
    code = np.searchsorted(limits, outcomes, side="left").astype(np.int64)
    code[np.isnan(outcomes)] = -1
    return code
