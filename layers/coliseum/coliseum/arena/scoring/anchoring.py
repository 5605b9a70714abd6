"""Measures how far an agent moves its forecast towards the price that it is shown. Pure.

An agent on both tracks answers every question twice, from contexts that differ only in the price. Its lean alpha is the
least-squares slope through the origin of (aware - blind) on (q - blind). 0 ignores the price and 1 copies it. The skill
that the blind forecast would gain if it were moved by alpha towards the price comes from the market. The rest of the
aware skill is the agent's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from coliseum.arena.scoring.arithmetic import Codes, Floats, number, totals
from coliseum.arena.scoring.brier import brier
from coliseum.arena.scoring.cells import Cell, CellTable, table_from_cells
from coliseum.arena.scoring.clusters import event_clusters
from coliseum.arena.scoring.nesting import nest
from coliseum.arena.scoring.proportions import student_quantile

LEAST_CLUSTERS = 10
LEAST_EFFECTIVE = 3.0
"""Below so many clusters of equal weight that would say as much, there is no interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchoring:
    """The lean of one agent, event-weighted. Skills are None while nothing is graded."""

    questions: int
    """Questions with a price that were answered on both tracks."""
    events: int
    alpha: float | None
    """None if every blind forecast equals the price."""
    interval: tuple[float, float] | None
    """95 % interval of alpha, by cluster."""
    interval_reason: str | None
    """Why there is no interval, in words."""
    blind_skill: float | None
    aware_skill: float | None
    borrowed_skill: float | None
    """What the blind forecasts gain if they are moved by alpha towards the price."""


def anchoring(blind: Iterable[Cell], aware: Iterable[Cell]) -> dict[str, Anchoring]:
    """The lean of each agent. Agents that did not answer on both tracks are absent."""
    aware_cells = {_key(cell): cell for cell in aware if cell.p is not None and cell.q is not None}
    blind_cells = [cell for cell in blind if cell.p is not None and _key(cell) in aware_cells]
    # Both tables have the same rows in the same canonical order, so their columns can be subtracted.
    blind_table = table_from_cells(blind_cells)
    aware_table = table_from_cells(aware_cells[_key(cell)] for cell in blind_cells)
    groups = nest(blind_table, blind_table.answered)
    price_gap = aware_table.q - blind_table.p
    moves = groups.event_values((aware_table.p - blind_table.p) * price_gap), groups.event_values(np.square(price_gap))
    cluster = event_clusters(blind_table)
    alphas = np.full(len(blind_table.agents), np.nan)
    result: dict[str, Anchoring] = {}
    for code, agent in enumerate(blind_table.agents):
        mine = groups.group == code
        products, squares = moves[0][mine], moves[1][mine]
        if squares.sum() > 0:
            alphas[code] = products.sum() / squares.sum()
        interval, reason = _interval(products, squares, cluster[groups.event[mine]])
        skills = _skills(blind_table, aware_table, np.nan_to_num(alphas), code)
        result[agent] = Anchoring(
            questions=int((blind_table.agent == code).sum()),
            events=len(products),
            alpha=number(float(alphas[code])),
            interval=interval,
            interval_reason=reason,
            blind_skill=skills[0],
            aware_skill=skills[1],
            borrowed_skill=None if skills[0] is None or skills[2] is None else skills[2] - skills[0],
        )
    return result


def _key(cell: Cell) -> tuple[str, str, str, str]:
    return cell.agent, cell.event, cell.window, cell.market


def _interval(products: Floats, squares: Floats, cluster: Codes) -> tuple[tuple[float, float] | None, str | None]:
    """(The 95 % interval of the slope, why there is none), from one product and square for each event.

    The error comes from leaving out one cluster at a time (CV3 of MacKinnon, Nielsen and Webb 2023). The quantile is
    Student's for the effective number of clusters: those whose blind forecasts are far from the price weigh more.
    """
    codes, owner = np.unique(cluster, return_inverse=True)
    number = len(codes)
    products, squares = totals(products, owner, number), totals(squares, owner, number)
    moving, whole = int((squares > 0).sum()), squares.sum()
    if moving < LEAST_CLUSTERS:
        return None, f"blind forecast and price differ in {moving} clusters, and an interval needs {LEAST_CLUSTERS}"
    effective = float(whole * whole / np.square(squares).sum())
    if effective < LEAST_EFFECTIVE:
        return None, f"a few of the {number} clusters decide the lean"
    slope = float(products.sum() / whole)
    without = (products.sum() - products) / (whole - squares)
    error = math.sqrt((number - 1) / number * float(np.square(without - slope).sum()))
    width = student_quantile(effective - 1) * error
    return (slope - width, slope + width), None


def _skills(
    blind_table: CellTable, aware_table: CellTable, alphas: Floats, code: int
) -> tuple[float | None, float | None, float | None]:
    """Paired skill of the blind forecasts, of the aware ones, and of the blind ones moved by alpha."""
    groups_of_agent = nest(blind_table, blind_table.resolved & (blind_table.agent == code))
    market = brier(aware_table.q, aware_table.y)
    moved_p = blind_table.p + alphas[code] * (aware_table.q - blind_table.p)

    def skill(p: Floats) -> float | None:
        return number(float(groups_of_agent.mean(groups_of_agent.event_values(market - brier(p, aware_table.y)))[code]))

    return skill(blind_table.p), skill(aware_table.p), skill(moved_p)
