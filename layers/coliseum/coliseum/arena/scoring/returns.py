"""What forecasts would have earned by other arenas' rules, for comparison with them: no fees, no depth. Pure."""

from __future__ import annotations

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask
from coliseum.arena.scoring.cells import CellTable

GAMMAS = (0.0, 0.5, 1.0)
"""Risk aversion: 0 bets everything on the edge's side, 1 bets in proportion to belief."""
OVERROUND = 1.03
"""Events with a market whose asks add up to more are left out of the ROI."""


def yes_share(p: Floats, q: Floats, gamma: float) -> Floats:
    """The part of a dollar that goes on YES: q^(1-1/g) p^(1/g) over the same plus its NO term (Prophet Arena, CRRA).

    gamma 0 is the limit: all of it on YES where p >= q, else on NO. q strictly between 0 and 1.
    """
    if gamma == 0:
        return np.where(p >= q, 1.0, 0.0)
    if gamma == 1:
        return p
    power = 1 / gamma
    # As odds relative to the market's: (p/q)^(1/g) q, which is the same and keeps the exponents whole for g = 1/2.
    yes = q * _power(p / q, power)
    no = (1 - q) * _power((1 - p) / (1 - q), power)
    return np.asarray(yes / (yes + no))


def gross_return(table: CellTable, gamma: float) -> Floats:
    """What a dollar per market came back as, 1 being break-even; NaN where nothing could be bought at the price."""
    q = np.where((table.q > 0) & (table.q < 1), table.q, np.nan)
    share = yes_share(table.p, q, gamma)
    return np.asarray(np.where(table.y == 1, share / q, (1 - share) / (1 - q)))


def buyable(table: CellTable) -> Mask:
    """Paired cells whose price leaves something to win on both sides."""
    return table.paired & (table.q > 0) & (table.q < 1)


def profit_and_cost(table: CellTable) -> tuple[Floats, Floats]:
    """Per cell, dollars (pm_rank 2026): |p - ask| contracts at the ask, nothing between the two asks.

    0 and 0 for cells without asks, without an outcome, or outside the event's one round.
    """
    usable = table.graded & ~np.isnan(table.yes_ask) & ~np.isnan(table.no_ask)
    usable &= ~_dear(table, usable)
    usable &= _middle_window(table, usable)
    p, y = np.nan_to_num(table.p), np.nan_to_num(table.y)
    yes_ask, no_ask = np.nan_to_num(table.yes_ask), np.nan_to_num(table.no_ask)
    yes = np.where(usable, np.maximum(p - yes_ask, 0.0), 0.0)
    no = np.where(usable, np.maximum((1 - p) - no_ask, 0.0), 0.0)
    return yes * (y - yes_ask) + no * ((1 - y) - no_ask), yes * yes_ask + no * no_ask


def _dear(table: CellTable, usable: Mask) -> Mask:
    """Cells of an agent's event in which any market's asks add up to too much."""
    pair = table.agent * len(table.events) + table.event
    too_much = usable & (np.nan_to_num(table.yes_ask) + np.nan_to_num(table.no_ask) > OVERROUND)
    dear = np.zeros(len(table.agents) * len(table.events), dtype=np.bool_)
    dear[pair[too_much]] = True
    return np.asarray(dear[pair])


def _middle_window(table: CellTable, usable: Mask) -> Mask:
    """Cells of the middle one (the earlier of two) of the windows in which an agent forecast an event."""
    rows = np.flatnonzero(usable)
    result = np.zeros(len(table), dtype=np.bool_)
    if not len(rows):
        return result
    pair = table.agent[rows] * len(table.events) + table.event[rows]
    new_pair = _changes(pair)
    first = np.flatnonzero(new_pair)
    window_number = np.cumsum(new_pair | _changes(table.window[rows])) - 1
    owner = np.cumsum(new_pair) - 1
    start = window_number[first]
    end = np.append(start[1:], window_number[-1] + 1)
    result[rows] = window_number == (start + (end - start - 1) // 2)[owner]
    return result


def _changes(code: Codes) -> Mask:
    return np.concatenate([np.ones(1, dtype=np.bool_), code[1:] != code[:-1]])


def _power(base: Floats, exponent: float) -> Floats:
    """base ** exponent; by multiplication for whole exponents, where `pow` may differ between machines."""
    if exponent == 2:
        return np.square(base)
    return np.power(base, exponent)
