"""The public tables that can be exported: their rows, filters, and the time that bounds a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from coliseum.arena.api.accounts.answers import LedgerData, PaperDecisionData
from coliseum.arena.api.claims.answers import ClaimRow
from coliseum.arena.api.exports.answers import (
    AgentRow,
    AttemptRow,
    CellRow,
    DecisionRow,
    ExportedRound,
    ForecastRow,
    MarketRow,
    MarkRow,
    ReportRow,
    ResultRow,
    SealRootRow,
    SealRow,
)
from coliseum.arena.records import public as records
from coliseum.arena.records.public import Table
from coliseum.http.answers import Answer

TableName = Literal[
    "agents",
    "rounds",
    "markets",
    "forecasts",
    "seals",
    "seal-roots",
    "decisions",
    "attempts",
    "results",
    "ledger",
    "marks",
    "paper-decisions",
    "reports",
    "claims",
]
ExportName = Literal[TableName, "cells"]
FilterName = Literal["season", "track", "digest", "day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A table, the model of its rows, and how to read it."""

    table: Table
    shape: type[Answer]
    known: str
    """The column with the time at which a row was recorded. Rows that come after the first page are left out."""
    batch: int = 1000
    """Rows of one request to the database."""
    filters: frozenset[FilterName] = frozenset()
    season_table: Table | None = None
    """What to read instead if a season is asked for; its rows are the same."""
    closed_only: bool = False
    """Whether a row appears when its round closes (`closes_at`)."""
    secrets: Mapping[str, object] | None = None
    """Fields, with the values that they have until the row's round closes (`closes_at`)."""


_OF_SEASON: frozenset[FilterName] = frozenset({"season"})
_OF_TRACK: frozenset[FilterName] = frozenset({"season", "track"})
EXPORTS: Mapping[TableName, Export] = {
    "agents": Export(table=records.AGENTS, shape=AgentRow, known="created_at"),
    "rounds": Export(table=records.ROUNDS, shape=ExportedRound, known="opened_at", filters=_OF_SEASON),
    "markets": Export(
        table=records.MARKET_ROWS, shape=MarketRow, known="snapshot_at", batch=200, filters=_OF_SEASON,
        secrets={"opened": False, "context": None, "book": None},
    ),
    "forecasts": Export(
        table=records.FORECAST_ROWS, shape=ForecastRow, known="created_at", filters=_OF_TRACK,
        secrets={"opened": False, "p": None, "low": None, "high": None, "abstain": None, "payload": None},
    ),
    "seals": Export(table=records.SEALS, shape=SealRow, known="created_at", filters=frozenset({"day"})),
    "seal-roots": Export(table=records.SEAL_ROOTS, shape=SealRootRow, known="created_at"),
    "decisions": Export(
        table=records.DECISIONS, shape=DecisionRow, known="created_at", filters=_OF_TRACK,
        secrets={"opened": False, "reason": None},
    ),
    "attempts": Export(
        table=records.ATTEMPTS, shape=AttemptRow, known="recorded_at", batch=100, filters=_OF_TRACK, closed_only=True
    ),
    "results": Export(
        table=records.RESULTS, shape=ResultRow, known="recorded_at", filters=_OF_SEASON,
        season_table=records.SEASON_RESULTS,
    ),
    "ledger": Export(table=records.LEDGER, shape=LedgerData, known="at", filters=_OF_SEASON),
    "marks": Export(table=records.MARKS, shape=MarkRow, known="at", filters=_OF_SEASON),
    "paper-decisions": Export(
        table=records.PAPER_DECISIONS, shape=PaperDecisionData, known="at", filters=_OF_TRACK
    ),
    "reports": Export(
        table=records.REPORTS, shape=ReportRow, known="created_at", batch=1,
        filters=frozenset({"season", "track", "digest"}),
    ),
    "claims": Export(table=records.CLAIMS, shape=ClaimRow, known="registered_at", filters=_OF_TRACK),
}  # fmt: skip
SHAPES: Mapping[ExportName, type[Answer]] = {
    **{name: export.shape for name, export in EXPORTS.items()},
    "cells": CellRow,
}
