"""How far an agent leans on the price it is shown: its forecasts without the price beside those with it. Pure.

An agent that plays both tracks answers every question twice, from the same context but for the price. Its lean alpha is
the least-squares slope, through the origin, of (aware - blind) on (q - blind): 0 ignores the price, 1 copies it. What a
blind forecast moved that far towards the price would have gained is borrowed from the market; the rest is its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Floats, number
from coliseum.arena.scoring.brier import brier
from coliseum.arena.scoring.cells import Cell, CellTable, table_from_cells
from coliseum.arena.scoring.intervals import DRAWS, LEAST_EVENTS, bootstrap, percentile_interval
from coliseum.arena.scoring.nesting import nest


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchoring:
    """One agent's, event-weighted; skills are None where nothing is graded yet."""

    questions: int
    """Answered on both tracks, with a price."""
    events: int
    alpha: float | None
    """None where the blind forecasts were the prices."""
    interval: tuple[float, float] | None
    """95 % bootstrap interval of alpha, from ten events."""
    blind_skill: float | None
    aware_skill: float | None
    borrowed_skill: float | None
    """Of the aware skill: what leaning on the price that far is worth by itself."""


def anchoring(blind: Iterable[Cell], aware: Iterable[Cell], *, seed: int, draws: int = DRAWS) -> dict[str, Anchoring]:
    """Agent -> its lean; agents that did not answer on both tracks are absent."""
    informed = {_key(cell): cell for cell in aware if cell.p is not None and cell.q is not None}
    alone = [cell for cell in blind if cell.p is not None and _key(cell) in informed]
    before, after = table_from_cells(alone), table_from_cells(informed[_key(cell)] for cell in alone)  # row beside row
    everything = nest(before, before.answered)
    room = after.q - before.p
    moves = everything.event_values((after.p - before.p) * room), everything.event_values(np.square(room))
    alphas = np.full(len(before.agents), np.nan)
    found: dict[str, Anchoring] = {}
    for code, agent in enumerate(before.agents):
        mine = everything.group == code
        moved, could = moves[0][mine], moves[1][mine]
        if could.sum() > 0:
            alphas[code] = moved.sum() / could.sum()
        skills = _skills(before, after, np.nan_to_num(alphas), code)
        found[agent] = Anchoring(
            questions=int((before.agent == code).sum()),
            events=len(moved),
            alpha=number(float(alphas[code])),
            interval=_interval(moved, could, seed=seed, draws=draws),
            blind_skill=skills[0],
            aware_skill=skills[1],
            borrowed_skill=None if skills[0] is None or skills[2] is None else skills[2] - skills[0],
        )
    return found


def _key(cell: Cell) -> tuple[str, str, str, str]:
    return cell.agent, cell.event, cell.window, cell.market


def _interval(moved: Floats, could: Floats, *, seed: int, draws: int) -> tuple[float, float] | None:
    if len(moved) < LEAST_EVENTS or not could.sum() > 0:
        return None
    means = bootstrap(np.stack([moved, could]), seed=seed, draws=draws).means
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = means[:, 0] / means[:, 1]
    return percentile_interval(np.where(np.isfinite(slopes), slopes, np.nan))


def _skills(
    before: CellTable, after: CellTable, alphas: Floats, code: int
) -> tuple[float | None, float | None, float | None]:
    """Paired skill of the blind forecasts, of the aware ones, and of the blind ones moved by alpha."""
    level = nest(before, before.resolved & (before.agent == code))
    market = brier(after.q, after.y)
    leant = before.p + alphas[code] * (after.q - before.p)

    def skill(p: Floats) -> float | None:
        return number(float(level.mean(level.event_values(market - brier(p, after.y)))[code]))

    return skill(before.p), skill(after.p), skill(leant)
