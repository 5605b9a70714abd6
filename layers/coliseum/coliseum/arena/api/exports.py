"""Everything public as tables: CSV and JSON lines, page by page, columns in a fixed order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import Response
from pydantic import Field
from starlette.datastructures import URL

from coliseum.arena.api.accounts.answers import LedgerData, MarkData, PaperDecisionData
from coliseum.arena.api.answers import AgentData, AttemptData, ForecastData, FrozenMarketData, RoundRow
from coliseum.arena.api.public.answers import TrackName
from coliseum.arena.api.public.queries import PageRequest, PublicQueries
from coliseum.arena.records import public as records
from coliseum.arena.records.public import Table
from coliseum.http.answers import Answer, Listing
from coliseum.http.csv_export import csv_response, next_link
from coliseum.http.field_types import Price, UtcTime

LINES = "application/jsonl; charset=utf-8"
ExportName = Literal[
    "agents",
    "rounds",
    "markets",
    "forecasts",
    "decisions",
    "attempts",
    "results",
    "ledger",
    "marks",
    "paper-decisions",
    "reports",
]


class ForecastRow(ForecastData):
    """A forecast with all that its seal covers."""

    payload: dict[str, Any] | None


class DecisionRow(Answer):
    """A question to an agent, and what became of it."""

    decision_id: str
    round_id: str
    ticker: str
    agent_id: str
    track: TrackName
    status: str
    attempt: int
    opened: bool
    reason: str | None = Field(description="Null until the round is closed.")
    created_at: UtcTime
    finished_at: UtcTime | None


class _OfDecision(Answer):
    decision_id: str


class AttemptRow(AttemptData, _OfDecision):
    """One asking of a contestant, in a round that is closed."""


class _OfAccount(Answer):
    account_id: str


class MarkRow(MarkData, _OfAccount):
    """What an account was worth at one moment."""


class ResultRow(Answer):
    """One version of a market's outcome; the highest counts."""

    ticker: str
    version: int
    status: str
    result: str
    value: Price
    decided_at: UtcTime | None
    recorded_at: UtcTime


class ReportRow(Answer):
    """A published board."""

    digest: str
    season: str
    track: TrackName
    as_of: UtcTime
    known_at: UtcTime
    engine_version: str
    rules_version: str
    input_hash: str
    created_at: UtcTime
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Export:
    """A table and the shape of its rows."""

    table: Table
    shape: type[Answer]
    most: int = 1000
    """Rows of a page, so that it fits into a Lambda's answer of 6 MB."""


EXPORTS: Mapping[ExportName, Export] = {
    "agents": Export(records.AGENTS, AgentData),
    "rounds": Export(records.ROUNDS, RoundRow),
    "markets": Export(records.FROZEN, FrozenMarketData, most=200),
    "forecasts": Export(records.SEALED, ForecastRow),
    "decisions": Export(records.DECISIONS, DecisionRow),
    "attempts": Export(records.ATTEMPTS, AttemptRow, most=100),
    "results": Export(records.RESULTS, ResultRow),
    "ledger": Export(records.LEDGER, LedgerData),
    "marks": Export(records.MARKS, MarkRow),
    "paper-decisions": Export(records.PAPER_DECISIONS, PaperDecisionData),
    "reports": Export(records.REPORTS, ReportRow, most=10),
}


class Exports:
    """Pages of whole tables."""

    def __init__(self, shelf: PublicQueries) -> None:
        self._shelf = shelf

    def page(self, name: ExportName, form: Literal["csv", "jsonl"], paging: PageRequest, url: URL) -> Response:
        """One page as a file; the header `Link` names the next one."""
        export = EXPORTS[name]
        paging = PageRequest(limit=min(paging.limit, export.most), cursor=paging.cursor)
        page = self._shelf.page(f"export:{name}", export.table, {}, paging)
        listing = Listing[Answer](**self._shelf.listed(export.shape, page))
        if form == "csv":
            return csv_response(export.shape, listing, url, name=name)
        body = "".join(f"{row.model_dump_json()}\n" for row in listing.items)
        headers = {"Content-Disposition": f'attachment; filename="{name}.jsonl"', **next_link(listing, url)}
        return Response(body, media_type=LINES, headers=headers)
