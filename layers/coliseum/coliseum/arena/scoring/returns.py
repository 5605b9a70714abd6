"""Returns by the rules of other arenas, for comparison with them: without fees and market depth. Pure."""

from __future__ import annotations

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, Mask
from coliseum.arena.scoring.cells import CellTable

GAMMAS = (0.0, 0.5, 1.0)
"""Risk aversion. 0 bets everything on the side with the edge, 1 bets in proportion to the forecast."""
OVERROUND = 1.03
"""Events with a market whose asks add up to more than this are left out of the ROI."""


def yes_share(p: Floats, q: Floats, gamma: float) -> Floats:
    """The part of a dollar that is bet on YES: q^(1-1/g) p^(1/g) over the same plus its NO term (Prophet Arena, CRRA).

    gamma 0 is the limit: everything on YES if p >= q, otherwise on NO. q must be strictly between 0 and 1.
    """
    if gamma == 0:
        return np.where(p >= q, 1.0, 0.0)
    if gamma == 1:
        return p
    power = 1 / gamma
    # (p/q)^(1/g) q equals the formula, and its exponent is a whole number for g = 1/2 (see `_power`).
    yes = q * _power(p / q, power)
    no = (1 - q) * _power((1 - p) / (1 - q), power)
    return np.asarray(yes / (yes + no))


def gross_return(table: CellTable, gamma: float) -> Floats:
    """What one dollar per market returns; 1 is break-even. NaN where the price is 0 or 1 or unknown.

    A YES contract pays y and a NO contract 1 - y, also for a fraction.
    """
    q = np.where((table.q > 0) & (table.q < 1), table.q, np.nan)
    share = yes_share(table.p, q, gamma)
    return np.asarray(table.y * (share / q) + (1 - table.y) * ((1 - share) / (1 - q)))


def buyable(table: CellTable) -> Mask:
    """Paired cells with a price strictly between 0 and 1."""
    return table.paired & (table.q > 0) & (table.q < 1)


def profit_and_cost(table: CellTable) -> tuple[Floats, Floats]:
    """Profit and cost of each cell in dollars (pm_rank 2026): |p - ask| contracts at the ask, none between the asks.

    Both are 0 for cells without asks or outcome, and outside the one window in which the event bets.
    """
    usable = table.graded & ~np.isnan(table.yes_ask) & ~np.isnan(table.no_ask)
    usable &= ~_has_overround(table, usable)
    usable &= _middle_window(table, usable)
    p, y = np.nan_to_num(table.p), np.nan_to_num(table.y)
    yes_ask, no_ask = np.nan_to_num(table.yes_ask), np.nan_to_num(table.no_ask)
    yes = np.where(usable, np.maximum(p - yes_ask, 0.0), 0.0)
    no = np.where(usable, np.maximum((1 - p) - no_ask, 0.0), 0.0)
    return yes * (y - yes_ask) + no * ((1 - y) - no_ask), yes * yes_ask + no * no_ask


def _has_overround(table: CellTable, usable: Mask) -> Mask:
    """Marks all cells of an agent's event if the asks of any of its markets add up to more than `OVERROUND`."""
    pair = table.agent * len(table.events) + table.event
    too_much = usable & (np.nan_to_num(table.yes_ask) + np.nan_to_num(table.no_ask) > OVERROUND)
    excluded = np.zeros(len(table.agents) * len(table.events), dtype=np.bool_)
    excluded[pair[too_much]] = True
    return np.asarray(excluded[pair])


def _middle_window(table: CellTable, usable: Mask) -> Mask:
    """Marks cells in the middle window (the earlier of two) of those in which an agent forecast an event."""
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
    """base ** exponent. A square is a multiplication, because `pow` may differ between machines."""
    if exponent == 2:
        return np.square(base)
    return np.power(base, exponent)
