"""Exports of the public tables as CSV or JSON lines, page by page, with columns in a fixed order."""

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
    """A forecast with everything that its seal covers."""

    payload: dict[str, Any] | None


class DecisionRow(Answer):
    """A question to an agent, and its status."""

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
    """One attempt to get an answer from a contestant, in a closed round."""


class _OfAccount(Answer):
    account_id: str


class MarkRow(MarkData, _OfAccount):
    """The value of an account at one time."""


class ResultRow(Answer):
    """One version of the outcome of a market. The highest version counts."""

    ticker: str
    version: int
    status: str
    result: str
    value: Price
    decided_at: UtcTime | None
    recorded_at: UtcTime


class ReportRow(Answer):
    """A published leaderboard."""

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
    """A table, the model of its rows, and the page size that is still safe."""

    table: Table
    shape: type[Answer]
    max_rows: int = 1000
    """Rows of a page. A Lambda cannot answer with more than 6 MB."""


EXPORTS: Mapping[ExportName, Export] = {
    "agents": Export(records.AGENTS, AgentData),
    "rounds": Export(records.ROUNDS, RoundRow),
    "markets": Export(records.FROZEN, FrozenMarketData, max_rows=200),
    "forecasts": Export(records.SEALED, ForecastRow),
    "decisions": Export(records.DECISIONS, DecisionRow),
    "attempts": Export(records.ATTEMPTS, AttemptRow, max_rows=100),
    "results": Export(records.RESULTS, ResultRow),
    "ledger": Export(records.LEDGER, LedgerData),
    "marks": Export(records.MARKS, MarkRow),
    "paper-decisions": Export(records.PAPER_DECISIONS, PaperDecisionData),
    "reports": Export(records.REPORTS, ReportRow, max_rows=10),
}


class Exports:
    """Answers requests for exports."""

    def __init__(self, queries: PublicQueries) -> None:
        self._queries = queries

    def page(self, name: ExportName, form: Literal["csv", "jsonl"], paging: PageRequest, url: URL) -> Response:
        """One page as a file. The header `Link` holds the address of the next page."""
        export = EXPORTS[name]
        paging = PageRequest(limit=min(paging.limit, export.max_rows), cursor=paging.cursor)
        page = self._queries.page(f"export:{name}", export.table, {}, paging)
        listing = Listing[Answer](**self._queries.listing(export.shape, page))
        if form == "csv":
            return csv_response(export.shape, listing, url, name=name)
        body = "".join(f"{row.model_dump_json()}\n" for row in listing.items)
        headers = {"Content-Disposition": f'attachment; filename="{name}.jsonl"', **next_link(listing, url)}
        return Response(body, media_type=LINES, headers=headers)
