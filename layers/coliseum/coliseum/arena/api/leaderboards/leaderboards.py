"""Reads the leaderboards that the settler published, for now or for any time in the past.

Nothing is scored here, so this function needs no numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coliseum.arena.api.claims.claims import ClaimQueries
from coliseum.arena.api.leaderboards import rows
from coliseum.arena.api.leaderboards.answers import (
    AgentBoard,
    CalibrationAnswer,
    EvidenceAnswer,
    EvidenceData,
    LeaderboardAnswer,
    SeparabilityAnswer,
    StandingData,
)
from coliseum.arena.api.leaderboards.rows import StoredReport
from coliseum.arena.api.public.answers import TrackName
from coliseum.arena.api.public.queries import PageRequest, PublicQueries
from coliseum.arena.calendar import season_of
from coliseum.arena.records import public as records
from coliseum.http.answers import Answer
from coliseum.http.field_types import utc_from
from coliseum.store.client import Condition

NO_REPORT = "No leaderboard was published for this season and track by then: the first comes when a round is closed."
NO_ROWS = "The leaderboard has no row for this: the agent was not asked."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFilter:
    """Which published report to use: season, track and two times in unix seconds.

    `as_of` limits when results were decided, `known_at` when rows were recorded. None: no limit.
    """

    track: str
    season: str | None = None
    """None: the present season."""
    as_of: float | None = None
    known_at: float | None = None

    @property
    def where(self) -> list[Condition]:
        """The conditions on a row of the reports, apart from its season."""
        limits: list[Condition] = [("track", "eq", self.track)]
        for name, seconds in (("as_of", self.as_of), ("known_at", self.known_at)):
            if seconds is not None:
                limits.append((name, "lte", utc_from(seconds)))
        return limits


class LeaderboardQueries:
    """Answers about leaderboards, calibration, separability and their history."""

    def __init__(self, queries: PublicQueries) -> None:
        self._queries = queries
        self._claims = ClaimQueries(queries)

    def leaderboard(
        self, report_filter: ReportFilter, *, metric: str, slice_name: str, paging: PageRequest
    ) -> LeaderboardAnswer:
        report = self.report(report_filter)
        items = [] if report is None else rows.standings(report, metric=metric, slice_name=slice_name)
        items = self._with_claims(report, items)
        return LeaderboardAnswer(
            **self._of_report("leaderboard", report, items, {"metric": metric, "slice": slice_name}, paging),
            metric=metric,
            slice=slice_name,
            slices=[] if report is None else rows.slices(report),
        )

    def calibration(
        self, report_filter: ReportFilter, *, slice_name: str, agent: str | None, paging: PageRequest
    ) -> CalibrationAnswer:
        report = self.report(report_filter)
        items = [] if report is None else rows.calibration(report, slice_name=slice_name, agent=agent)
        return CalibrationAnswer(
            **self._of_report("calibration", report, items, {"agent": agent, "slice": slice_name}, paging),
            slice=slice_name,
            slices=[] if report is None else rows.slices(report),
        )

    def separability(
        self, report_filter: ReportFilter, *, agent: str | None, paging: PageRequest
    ) -> SeparabilityAnswer:
        report = self.report(report_filter)
        items = [] if report is None else rows.pairs(report, agent=agent)
        return SeparabilityAnswer(**self._of_report("separability", report, items, {"agent": agent}, paging))

    def evidence(self, report_filter: ReportFilter, *, agent: str | None, paging: PageRequest) -> EvidenceAnswer:
        """One row per published leaderboard and agent, oldest first."""
        season = report_filter.season or self._season()
        filters = {"season": season, "agent_id": agent}
        scope = {"track": report_filter.track, "as_of": report_filter.as_of, "known_at": report_filter.known_at}
        page = self._queries.page(
            "evidence", records.STANDINGS, filters, paging, where=report_filter.where, scope=scope
        )
        return EvidenceAnswer(**self._queries.listing(EvidenceData, page), reason=None if page.rows else NO_ROWS)

    def of_agent(self, agent_id: str, *, season: str, tracks: Sequence[TrackName]) -> list[AgentBoard]:
        """The agent's row on the newest leaderboard of each track on which it has one."""
        boards: list[AgentBoard] = []
        for track in tracks:
            report = self.report(ReportFilter(season=season, track=track))
            row = None if report is None else rows.standing_of(report, agent_id)
            if report is not None and row is not None:
                (standing,) = self._with_claims(report, [row])
                boards.append(AgentBoard(report=rows.stamp(report), standing=standing))
        return boards

    def _with_claims(self, report: StoredReport | None, items: Sequence[StandingData]) -> list[StandingData]:
        """The rows with the claims about their agents that were registered when the leaderboard was made."""
        if report is None:
            return []
        others = self._queries.rows.every(records.AGENTS, [("other_model_forecasts", "gt", 0)])
        counts = {row["agent_id"]: int(row["other_model_forecasts"]) for row in others}
        claims = self._claims.of_board(report["season"], report["track"])
        return rows.with_claims(report, rows.with_other_models(items, counts), claims)

    def report(self, report_filter: ReportFilter) -> StoredReport | None:
        """The newest published report that fits; None if there is none."""
        season: Condition = ("season", "eq", report_filter.season or self._season())
        order = ("known_at.desc", "as_of.desc", "created_at.desc", "digest")
        return self._queries.rows.one(records.REPORTS, [season, *report_filter.where], newest=order)

    def report_with(self, digest: str) -> StoredReport | None:
        """The published report with this digest; None if there is none."""
        return self._queries.rows.one(records.REPORTS, [("digest", "eq", digest)])

    def _season(self) -> str:
        return season_of(utc_from(self._queries.clock()))

    def _of_report(
        self,
        kind: str,
        report: StoredReport | None,
        items: Sequence[Answer],
        filters: Mapping[str, str | None],
        paging: PageRequest,
    ) -> dict[str, Any]:
        """A page of items. Its cursor is valid for this report only: a newer one may have other rows."""
        scope = {**filters, "digest": None if report is None else report["digest"]}
        return {
            **self._queries.listing_of(kind, items, scope, paging),
            "report": None if report is None else rows.stamp(report),
            "reason": NO_REPORT if report is None else None if items else NO_ROWS,
        }
