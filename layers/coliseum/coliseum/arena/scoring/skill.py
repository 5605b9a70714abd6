"""Who knows more than the market: the paired difference and its relatives. Pure."""

from __future__ import annotations

import math

import numpy as np

from coliseum.arena.scoring.arithmetic import Floats, Mask
from coliseum.arena.scoring.brier import COIN_FLIP, brier
from coliseum.arena.scoring.cells import CellTable

DEAD_BAND = 0.02
"""Forecasts within 2 cents of the market take no side."""
_ROUNDING = 1e-9
"""0.52 - 0.50 is a little more than 0.02 in binary, and yet on the band's edge."""
_Z_TWO_SIDED, _Z_POWER = 1.959963984540054, 0.8416212335729143


def paired_difference(table: CellTable) -> Floats:
    """Market Brier minus agent Brier; copying the market is exactly 0. NaN where the cell is not paired."""
    return brier(table.q, table.y) - brier(table.p, table.y)


def strict_difference(table: CellTable) -> Floats:
    """The same with a missing answer counted as 0.5."""
    return np.where(table.answered, paired_difference(table), brier(table.q, table.y) - COIN_FLIP)


def common_events(by_event: Floats, of: Mask) -> Floats:
    """Agents x events with every event removed that one of the agents `of` lacks; of all where none of them has any."""
    active = ~np.isnan(by_event).all(axis=1)
    active = active & of if bool((active & of).any()) else active
    shared = ~np.isnan(by_event[active]).any(axis=0)
    return np.where(shared[None, :], by_event, np.nan)


def takes_side(table: CellTable) -> Mask:
    """Paired cells whose forecast is outside the dead band around the market."""
    with np.errstate(invalid="ignore"):
        return np.asarray(table.paired & (np.abs(table.p - table.q) > DEAD_BAND + _ROUNDING))


def right_side(table: CellTable) -> Mask:
    """Of those, the ones on the outcome's side of the market."""
    return np.asarray(takes_side(table) & ((table.p > table.q) == (table.y == 1)))


def edge(table: CellTable) -> Floats:
    """(p - q)(y - q): what one contract per point of disagreement earns before cost."""
    return (table.p - table.q) * (table.y - table.q)


def line_value(table: CellTable, later: Floats) -> Floats:
    """sign(p - q)(later - q): did the market move towards the forecast. Needs no outcome."""
    return np.sign(table.p - table.q) * (later - table.q)


def events_needed(mean: float, error: float, events: int) -> int | None:
    """Events in total until a mean this large stands out at 5 % two-sided with 80 % power, from the values' spread.

    (z_0.975 + z_0.8)^2 variance / mean^2; None where fewer than two events or a zero mean leave it open.
    """
    if events < 2 or math.isnan(error) or mean == 0:
        return None
    needed = (_Z_TWO_SIDED + _Z_POWER) ** 2 * error**2 * events / mean**2
    return max(2, math.ceil(needed)) if needed < 1e9 else None
