"""From cells to a ranked board, for the live arena and for a replay alike. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from coliseum.arena.forecasts import Track
from coliseum.arena.leaderboard import Gates, Leaderboard, rank_agents, unmet_gates
from coliseum.arena.scoring.anchoring import anchoring
from coliseum.arena.scoring.cells import Cell, table_from_cells
from coliseum.arena.scoring.intervals import SLICE_DRAWS
from coliseum.arena.scoring.report import ScoreReport, ScoreRules, score, seed_of


def score_and_rank(
    cells: Iterable[Cell],
    *,
    season: str,
    track: Track,
    sandbox: bool,
    days: Mapping[str, float],
    gates: Gates,
    pools: Iterable[str],
    draws: int,
) -> tuple[ScoreReport, Leaderboard]:
    """Score and rank; `pools` are the agents that pool the others. Common events are those of the listed agents.

    Sandbox markets live for minutes: their last hours are all they have.
    """
    table = table_from_cells(cells)
    report = score(
        table,
        seed=seed_of(f"{season}/{track}", table),
        draws=draws,
        slice_draws=min(draws, SLICE_DRAWS),
        rules=replace(_rules(sandbox), pools=frozenset(pools)),
        listed=lambda agent, values: not unmet_gates(values, days.get(agent, 0.0), gates),
    )
    return report, rank_agents(report, days=days, gates=gates)


def leans(
    blind: Iterable[Cell], aware: Iterable[Cell], *, season: str, sandbox: bool, draws: int
) -> dict[str, dict[str, Any]]:
    """Agent -> how far it leans on the price, over what the headlines of both boards count; JSON-ready."""
    out = _rules(sandbox).left_out
    sides = [[cell for cell in side if cell.horizon not in out] for side in (blind, aware)]
    seed = seed_of(f"{season}/leans", table_from_cells(sides[1]))
    return {agent: asdict(one) for agent, one in anchoring(*sides, seed=seed, draws=draws).items()}


def _rules(sandbox: bool) -> ScoreRules:
    return ScoreRules(left_out=frozenset()) if sandbox else ScoreRules()
