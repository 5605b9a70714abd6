"""Boards as the settler published them, at any time of the past. Nothing is scored here, so no numpy is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coliseum.arena.api.leaderboards import rows as lines
from coliseum.arena.api.leaderboards.answers import (
    AgentBoard,
    CalibrationAnswer,
    EvidenceAnswer,
    EvidenceData,
    LeaderboardAnswer,
    SeparabilityAnswer,
)
from coliseum.arena.api.leaderboards.rows import StoredReport
from coliseum.arena.api.public.answers import TrackName
from coliseum.arena.api.public.queries import PageRequest, PublicQueries
from coliseum.arena.calendar import season_of
from coliseum.arena.records import public as records
from coliseum.http.answers import Answer
from coliseum.http.field_types import utc_from
from coliseum.store.client import Condition

NO_REPORT = "No board was published for this season and track by then: the first comes when a round is closed."
NO_LINES = "No line of the board answers this: the agent was not asked."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFilter:
    """Which board: of a season and track, as it stood at a time, as far as it was known at another (unix seconds)."""

    track: str
    season: str | None = None
    """None is the season that runs now."""
    as_of: float | None = None
    known_at: float | None = None

    @property
    def where(self) -> list[Condition]:
        limits: list[Condition] = [("track", "eq", self.track)]
        for name, seconds in (("as_of", self.as_of), ("known_at", self.known_at)):
            if seconds is not None:
                limits.append((name, "lte", utc_from(seconds)))
        return limits


class LeaderboardQueries:
    """Leaderboard, calibration, separability and their history."""

    def __init__(self, shelf: PublicQueries) -> None:
        self._shelf = shelf

    def leaderboard(
        self, question: ReportFilter, *, metric: str, slice_name: str, paging: PageRequest
    ) -> LeaderboardAnswer:
        report = self._report(question)
        found = [] if report is None else lines.standings(report, metric=metric, slice_name=slice_name)
        return LeaderboardAnswer(
            **self._of_report("leaderboard", report, found, {"metric": metric, "slice": slice_name}, paging),
            metric=metric,
            slice=slice_name,
            slices=[] if report is None else lines.slices(report),
        )

    def calibration(
        self, question: ReportFilter, *, slice_name: str, agent: str | None, paging: PageRequest
    ) -> CalibrationAnswer:
        report = self._report(question)
        found = [] if report is None else lines.calibration(report, slice_name=slice_name, agent=agent)
        return CalibrationAnswer(
            **self._of_report("calibration", report, found, {"agent": agent, "slice": slice_name}, paging),
            slice=slice_name,
            slices=[] if report is None else lines.slices(report),
        )

    def separability(self, question: ReportFilter, *, agent: str | None, paging: PageRequest) -> SeparabilityAnswer:
        report = self._report(question)
        found = [] if report is None else lines.pairs(report, agent=agent)
        return SeparabilityAnswer(**self._of_report("separability", report, found, {"agent": agent}, paging))

    def evidence(self, question: ReportFilter, *, agent: str | None, paging: PageRequest) -> EvidenceAnswer:
        """One line per published board and agent, oldest first."""
        season = question.season or self._season()
        kept = {"season": season, "agent_id": agent}
        scope = {"track": question.track, "as_of": question.as_of, "known_at": question.known_at}
        page = self._shelf.page("evidence", records.STANDINGS, kept, paging, where=question.where, scope=scope)
        return EvidenceAnswer(**self._shelf.listed(EvidenceData, page), reason=None if page.rows else NO_LINES)

    def of_agent(self, agent_id: str, *, season: str, tracks: Sequence[TrackName]) -> list[AgentBoard]:
        """Where an agent stands on the newest board of each track."""
        found: list[AgentBoard] = []
        for track in tracks:
            report = self._report(ReportFilter(season=season, track=track))
            line = None if report is None else lines.standing_of(report, agent_id)
            if report is not None and line is not None:
                found.append(AgentBoard(report=lines.stamp(report), standing=line))
        return found

    def _report(self, question: ReportFilter) -> StoredReport | None:
        season: Condition = ("season", "eq", question.season or self._season())
        order = ("known_at.desc", "as_of.desc", "created_at.desc", "digest")
        return self._shelf.rows.one(records.REPORTS, [season, *question.where], newest=order)

    def _season(self) -> str:
        return season_of(utc_from(self._shelf.clock()))

    def _of_report(
        self,
        kind: str,
        report: StoredReport | None,
        found: Sequence[Answer],
        filters: Mapping[str, str | None],
        paging: PageRequest,
    ) -> dict[str, Any]:
        """A page of lines; its cursor holds for the report it began with and no other."""
        scope = {**filters, "digest": None if report is None else report["digest"]}
        return {
            **self._shelf.sliced(kind, found, scope, paging),
            "report": None if report is None else lines.stamp(report),
            "reason": NO_REPORT if report is None else None if found else NO_LINES,
        }
