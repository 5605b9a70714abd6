"""From cells to a ranked board, for the live arena and for a replay alike. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from coliseum.arena.forecasts import Track
from coliseum.arena.leaderboard import Board, Gates, board
from coliseum.arena.scoring.cells import Cell, table_from
from coliseum.arena.scoring.intervals import SLICE_DRAWS
from coliseum.arena.scoring.report import Report, Rules, score, seed_of


def ranked(
    cells: Iterable[Cell],
    *,
    season: str,
    track: Track,
    sandbox: bool,
    days: Mapping[str, float],
    gates: Gates,
    draws: int,
) -> tuple[Report, Board]:
    """Score and rank. Sandbox markets live for minutes: their last hours are all they have."""
    table = table_from(cells)
    report = score(
        table,
        seed=seed_of(f"{season}/{track}", table),
        draws=draws,
        slice_draws=min(draws, SLICE_DRAWS),
        rules=Rules(left_out=frozenset()) if sandbox else Rules(),
    )
    return report, board(report, days=days, gates=gates)
