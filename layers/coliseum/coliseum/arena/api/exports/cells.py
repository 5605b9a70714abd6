"""The cells of a published leaderboard, computed again from the public rows that it was made of.

The views of the database leave out what is still secret, so the cells of a round appear when it is closed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import isinf
from typing import Any

from coliseum.arena.api.exports.answers import CellRow
from coliseum.arena.api.exports.files import ExportedRow
from coliseum.arena.forecasts import Track
from coliseum.arena.records import public as records
from coliseum.arena.records.public import PublicRecords, Row
from coliseum.arena.records.rows import (
    ASKED_MARKET_COLUMNS,
    SCORED_FORECAST_COLUMNS,
    Result,
    asked_market_from,
    result_from,
    scored_forecast_from,
)
from coliseum.arena.scoring.cell import Cell
from coliseum.arena.season_cells.rows import ReportKey, SeasonRows, season_rows
from coliseum.store.client import Condition

ROUNDS_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class PublicRound:
    """The part of a round that a report needs."""

    round_id: str
    slot: datetime
    closes_at: datetime
    exchange: str


def report_key(report: Mapping[str, Any]) -> ReportKey:
    """What identifies a row of the table of reports."""
    return ReportKey(
        season=report["season"],
        track=Track(report["track"]),
        as_of=datetime.fromisoformat(report["as_of"]),
        known_at=datetime.fromisoformat(report["known_at"]),
    )


def board_cells(rows: PublicRecords, key: ReportKey, after: Mapping[str, Any] | None) -> Iterator[ExportedRow]:
    """The cells by round, market and agent, from the one behind the position `after`."""
    season = _season_rows(rows, key)
    begin = ("", "", "") if after is None else (after["window"], after["market"], after["agent"])
    wanted = sorted(round_id for round_id in season.rounds if round_id >= begin[0])
    for start in range(0, len(wanted), ROUNDS_AT_ONCE):
        found = _cells(rows, season, wanted[start : start + ROUNDS_AT_ONCE])
        for cell in sorted(found, key=lambda cell: (cell.window, cell.market, cell.agent)):
            if (cell.window, cell.market, cell.agent) > begin:
                yield cell_row(cell), {"window": cell.window, "market": cell.market, "agent": cell.agent}


def cell_row(cell: Cell) -> CellRow:
    """A cell in the columns of a file."""
    values = {name: getattr(cell, name) for name in CellRow.model_fields}
    for name in ("volume", "yes_ask", "no_ask", "strike"):
        values[name] = None if values[name] is None else Decimal(repr(values[name]))
    due_at = cell.due_at
    return CellRow(
        **{
            **values,
            "due_at": None if due_at is None or isinf(due_at) else _moment(due_at),
            "settled_at": None if cell.settled_at is None else _moment(cell.settled_at),
        }
    )


def _season_rows(rows: PublicRecords, key: ReportKey) -> SeasonRows:
    of_season: list[Condition] = [("season", "eq", key.season)]
    opened = [
        PublicRound(
            row["round_id"],
            datetime.fromisoformat(row["slot"]),
            datetime.fromisoformat(row["closes_at"]),
            row["exchange"],
        )
        for row in rows.every(records.ROUNDS, of_season)
    ]
    markets = [
        asked_market_from(_only(ASKED_MARKET_COLUMNS, row)) for row in rows.every(records.ASKED_MARKETS, of_season)
    ]
    versions: defaultdict[str, list[Result]] = defaultdict(list)
    for row in rows.every(records.SEASON_RESULTS, of_season):
        versions[row["ticker"]].append(result_from(row))
    return season_rows(opened, markets, versions, key)


def _cells(rows: PublicRecords, season: SeasonRows, round_ids: Sequence[str]) -> list[Cell]:
    where: list[Condition] = [("round_id", "in", round_ids), ("track", "eq", season.key.track.value)]
    questions = [
        (row["agent_id"], row["round_id"], row["ticker"])
        for row in rows.every(records.DECISIONS, [*where, ("status", "neq", "skipped")])
    ]
    forecasts = [
        scored_forecast_from(_only(SCORED_FORECAST_COLUMNS, row)) for row in rows.every(records.SCORED_FORECASTS, where)
    ]
    return season.cells(season.key.track, season.answers(forecasts), questions)


def _only(columns: str, row: Row) -> Row:
    return {name: row[name] for name in (column.partition(":")[0] for column in columns.split(","))}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
