"""Scores and ranks cells, in the same way for the live arena and for a replay. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from coliseum.arena.agents.contestants import REFERENCES
from coliseum.arena.forecasts import Track
from coliseum.arena.leaderboard import Gates, Leaderboard, rank_agents, unmet_gates
from coliseum.arena.scoring.anchoring import anchoring
from coliseum.arena.scoring.cells import Cell, CellTable, table_from_cells
from coliseum.arena.scoring.news_value import news_value
from coliseum.arena.scoring.report import SLICE_DRAWS, ScoreReport, ScoreRules, score, seed_of
from coliseum.arena.scoring.roles import Role, role_of


def score_and_rank(
    cells: Iterable[Cell],
    *,
    season: str,
    track: Track,
    sandbox: bool,
    days: Mapping[str, float],
    gates: Gates,
    pools: Iterable[str],
    references: Mapping[str, str],
    draws: int,
) -> tuple[ScoreReport, Leaderboard]:
    """Score the cells and rank the agents. `pools` are the agents that pool the forecasts of others, `references`
    those that are shown for comparison only, each with the reason.

    Common events are those of the listed agents. On the sandbox the last hours count, because its markets are open for
    minutes only.
    """
    return score_and_rank_table(
        table_from_cells(cells),
        season=season,
        track=track,
        sandbox=sandbox,
        days=days,
        gates=gates,
        pools=pools,
        references=references,
        draws=draws,
    )


def score_and_rank_table(
    table: CellTable,
    *,
    season: str,
    track: Track,
    sandbox: bool,
    days: Mapping[str, float],
    gates: Gates,
    pools: Iterable[str],
    references: Mapping[str, str],
    draws: int,
) -> tuple[ScoreReport, Leaderboard]:
    """As `score_and_rank`, from a table."""
    report = score(
        table,
        seed=seed_of(f"{season}/{track}", table),
        draws=draws,
        slice_draws=min(draws, SLICE_DRAWS),
        rules=replace(_rules(sandbox), pools=frozenset(pools)),
        listed=lambda agent, values: (
            not unmet_gates(values, days.get(agent, 0.0), gates)
            and role_of(agent, values, references).role is Role.COMPETITOR
        ),
    )
    return report, rank_agents(report, days=days, gates=gates, references=references)


def references_among(agents: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """The references among (agent, its stored parameters), each with the reason."""
    rules = {agent: str(parameters.get("rule")) for agent, parameters in agents}
    return {agent: REFERENCES[rule] for agent, rule in rules.items() if rule in REFERENCES}


def leans(blind: Iterable[Cell], aware: Iterable[Cell], *, sandbox: bool) -> dict[str, dict[str, Any]]:
    """How far each agent leans on the price, over the headline cells of both tracks. Ready for JSON."""
    left_out = _rules(sandbox).left_out
    blind_cells, aware_cells = ([cell for cell in cells if cell.horizon not in left_out] for cells in (blind, aware))
    return {agent: asdict(lean) for agent, lean in anchoring(blind_cells, aware_cells).items()}


def news_values(blind: Iterable[Cell], informed: Iterable[Cell], *, sandbox: bool) -> dict[str, dict[str, Any]]:
    """What the sources are worth to each agent, over the headline cells of both tracks. Ready for JSON."""
    left_out = _rules(sandbox).left_out
    blind_cells, informed_cells = (
        [cell for cell in cells if cell.horizon not in left_out] for cells in (blind, informed)
    )
    return {agent: asdict(value) for agent, value in news_value(blind_cells, informed_cells).items()}


def _rules(sandbox: bool) -> ScoreRules:
    return ScoreRules(left_out=frozenset()) if sandbox else ScoreRules()
