"""Scores the cells of a published leaderboard by its own rules, so that the numbers can be compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from coliseum.arena.forecasts import Track
from coliseum.arena.leaderboard import Gates, Leaderboard
from coliseum.arena.reporting.ranking import score_and_rank_table
from coliseum.arena.scoring.cells import CellTable
from coliseum.arena.scoring.report import ENGINE_VERSION, ScoreReport
from coliseum_local.text_files import UnreadableFile
from coliseum_local.verification.rows import CheckedReport, UnreadableSource
from coliseum_local.verification.sources import report_in


def published_report(path: Path) -> CheckedReport:
    """The leaderboard in a file: a row of the export `reports`. Raises UnreadableFile."""
    try:
        return report_in(path, None)
    except UnreadableSource as error:
        raise UnreadableFile(str(error)) from None


def score_as_published(table: CellTable, published: CheckedReport) -> tuple[ScoreReport, Leaderboard]:
    """Score and rank a table with the seed, draws, gates, pools and references of a published leaderboard.

    The days of an agent follow from the windows that it answered. Raises UnreadableFile for a leaderboard of another
    engine, and for windows that are no rounds.
    """
    if published.engine_version != ENGINE_VERSION:
        versions = f"engine {published.engine_version}, and this is {ENGINE_VERSION}"
        raise UnreadableFile(f"the leaderboard was made by {versions}; `coliseum verify` runs the older one")
    body = published.report
    try:
        gates, inside = Gates(**body["gates"]), body["report"]
        standings: list[Mapping[str, Any]] = body["standings"]
        references = {row["agent"]: row["role_reason"] for row in standings if row["role"] == "reference"}
        pools, draws, sandbox = inside["rules"]["pools"], int(inside["draws"]), body["exchange"] == "sandbox"
    except (LookupError, TypeError, ValueError) as error:
        raise UnreadableFile(f"not the body of a leaderboard: {type(error).__name__}: {error}") from None
    return score_and_rank_table(
        table,
        season=published.season,
        track=Track(published.track),
        sandbox=sandbox,
        days=_days(table),
        gates=gates,
        pools=pools,
        references=references,
        draws=draws,
    )


def _days(table: CellTable) -> dict[str, float]:
    """Days between the first and the last round that each agent answered."""
    try:
        starts = np.array([_slot(label) for label in table.windows])
    except ValueError as error:
        raise UnreadableFile(f"a window is no round of the arena: {error}") from None
    slots = {
        name: starts[table.window[table.answered & (table.agent == code)]] for code, name in enumerate(table.agents)
    }
    return {name: float(mine.max() - mine.min()) / 86_400 for name, mine in slots.items() if len(mine)}


def _slot(round_id: str) -> float:
    return datetime.strptime(round_id, "r-%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
