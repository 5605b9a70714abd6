"""Skill against the market: the paired difference of Brier scores and related measures. Pure."""

from __future__ import annotations

import math

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask, distinct, totals
from coliseum.arena.scoring.brier import COIN_FLIP, brier, fractional
from coliseum.arena.scoring.cells import CellTable

DEAD_BAND = 0.02
"""Forecasts within 2 cents of the market price take no side."""
_ROUNDING = 1e-9
"""0.52 - 0.50 is a little more than 0.02 in binary, but it must count as the edge of the band."""
_Z_TWO_SIDED, _Z_POWER = 1.959963984540054, 0.8416212335729143


def paired_difference(table: CellTable) -> Floats:
    """The Brier score of the market minus that of the agent. A copy of the market has exactly 0.

    NaN where the cell is not paired.
    """
    return brier(table.q, table.y) - brier(table.p, table.y)


def strict_difference(table: CellTable) -> Floats:
    """The paired difference, with a missing answer counted as 0.5."""
    return brier(table.q, table.y) - brier(np.where(table.answered, table.p, COIN_FLIP), table.y)


def common_events(by_event: Floats, agents: Mask) -> Floats:
    """The agents x events matrix with NaN for every event that one of `agents` lacks.

    Agents without any event are ignored. If none of `agents` has an event, all agents count.
    """
    active = ~np.isnan(by_event).all(axis=1)
    active = active & agents if bool((active & agents).any()) else active
    shared = ~np.isnan(by_event[active]).any(axis=0)
    return np.where(shared[None, :], by_event, np.nan)


def takes_side(table: CellTable) -> Mask:
    """Marks paired cells whose forecast is outside the dead band around the market price.

    A fraction that equals the price is on no side of it, so such cells are left out.
    """
    with np.errstate(invalid="ignore"):
        outside = np.abs(table.p - table.q) > DEAD_BAND + _ROUNDING
    return np.asarray(table.paired & outside & ~(fractional(table.y) & (table.y == table.q)))


def right_side(table: CellTable) -> Mask:
    """Marks cells that take a side and have the outcome on that side of the price."""
    with np.errstate(invalid="ignore"):
        return np.asarray(takes_side(table) & (edge(table) > 0))


def edge(table: CellTable) -> Floats:
    """(p - q)(y - q): what one contract per point of disagreement earns before costs."""
    return (table.p - table.q) * (table.y - table.q)


def line_value(table: CellTable, later: Floats) -> Floats:
    """sign(p - q)(later - q): positive if the market moved towards the forecast. Needs no outcome."""
    return np.sign(table.p - table.q) * (later - table.q)


def events_needed(mean: float, error: float, events: int) -> int | None:
    """The total number of events needed to see a mean of this size at 5 % (two-sided) with 80 % power.

    (z_0.975 + z_0.8)^2 variance / mean^2. `error` is the standard error of the mean. None below two events, for a mean
    of 0, for outcomes without any spread (which say nothing about the spread to come), and for a number of 1e9 or more.
    """
    if events < 2 or math.isnan(error) or error < _ROUNDING or mean == 0:
        return None
    needed = (_Z_TWO_SIDED + _Z_POWER) ** 2 * error**2 * events / mean**2
    return max(2, math.ceil(needed)) if needed < 1e9 else None


def cluster_error(values: Floats, cluster: Codes) -> float:
    """Standard error of the mean of event values, by cluster (see `NestedGroups.error`). NaN below two clusters."""
    _, owner = distinct(cluster)
    number = int(owner.max(initial=-1)) + 1
    if number < 2:
        return math.nan
    sums = totals(values - values.mean(), owner, number)
    return math.sqrt(number / (number - 1) * float(np.square(sums).sum())) / len(values)
