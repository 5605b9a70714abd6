"""Measures what the sources of the informed track are worth to an agent. Pure.

An agent on both tracks answers every question twice, from contexts that differ only in the sources. The value of the
sources is the mean over events of (Brier score of the blind forecast - Brier score of the informed one): above 0 the
sources helped. Both forecasts are treated as two agents of one pair, so interval and reasons are those of pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from coliseum.arena.scoring.arithmetic import Floats, number
from coliseum.arena.scoring.cell import Cell
from coliseum.arena.scoring.cells import table_from_cells
from coliseum.arena.scoring.comparisons import compare_pairs, skill_panel
from coliseum.arena.scoring.pairs import LEAST_CLUSTERS
from coliseum.arena.scoring.proportions import student_quantile
from coliseum.arena.scoring.skill import events_needed
from coliseum.arena.scoring.tiers import pair_gap

_BLIND, _INFORMED = "blind", "informed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsValue:
    """What the sources changed for one agent, event-weighted. Skills are None while nothing is graded."""

    questions: int
    """Questions that were answered on both tracks, with a price."""
    events: int
    """Events with a graded one of these questions."""
    clusters: int
    value: float | None
    """Informed skill minus blind skill, in Brier points: above 0 the sources helped."""
    interval: tuple[float, float] | None
    """95 % interval of `value`, by cluster."""
    interval_reason: str | None
    """Why there is no interval, in words."""
    blind_skill: float | None
    informed_skill: float | None
    moved: float
    """Mean absolute difference between the two forecasts, over questions. It needs no outcome."""
    events_needed: int | None
    """Total number of events needed to see this value with 80 % power."""


def news_value(blind: Iterable[Cell], informed: Iterable[Cell]) -> dict[str, NewsValue]:
    """The value of the sources for each agent. Agents without a priced question answered on both tracks are absent."""
    with_sources = {_key(cell): cell for cell in informed if cell.p is not None and cell.q is not None}
    twins: dict[str, list[tuple[Cell, Cell]]] = {}
    for cell in blind:
        twin = with_sources.get(_key(cell))
        if cell.p is not None and cell.q is not None and twin is not None:
            twins.setdefault(cell.agent, []).append((cell, twin))
    return {agent: _value(pairs) for agent, pairs in sorted(twins.items())}


def _key(cell: Cell) -> tuple[str, str, str, str]:
    return cell.agent, cell.event, cell.window, cell.market


def _value(twins: list[tuple[Cell, Cell]]) -> NewsValue:
    cells = [replace(one, agent=name) for pair in twins for name, one in zip((_BLIND, _INFORMED), pair, strict=True)]
    table = table_from_cells(cells)
    panel = skill_panel(table)
    statistics = compare_pairs(panel)
    # Agents of a table are in order of their names: blind is 0, informed 1.
    mean, error = float(statistics.difference[1, 0]), float(statistics.error[1, 0])
    events, clusters = int(statistics.events[1, 0]), int(statistics.clusters[1, 0])
    same = bool(statistics.identical[1, 0])
    reason = pair_gap(statistics, 1, 0, least=LEAST_CLUSTERS) or (
        "both forecasts have the same score in every event" if same else None
    )
    width = math.nan if reason else student_quantile(clusters - 1) * error
    moves = [abs(two.p - one.p) for one, two in twins if one.p is not None and two.p is not None]
    return NewsValue(
        questions=len(twins),
        events=events,
        clusters=clusters,
        value=number(mean),
        interval=None if reason else (mean - width, mean + width),
        interval_reason=reason,
        blind_skill=_mean(panel.skills[0]),
        informed_skill=_mean(panel.skills[1]),
        moved=sum(moves) / len(moves),
        events_needed=None if same or math.isnan(mean) else events_needed(mean, error, events),
    )


def _mean(skills: Floats) -> float | None:
    known = skills[~np.isnan(skills)]
    return float(known.mean()) if len(known) else None
