"""Make new leaderboards where rounds or results have changed since the newest report."""

from __future__ import annotations

from datetime import datetime, timedelta

from coliseum.arena.calendar import season_of
from coliseum.arena.forecasts import Track
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.reporting.reports import make_report, save_report
from coliseum.arena.season_cells.rows import ReportKey
from coliseum.feed.entries import Candidate

LATE_RESULTS = timedelta(days=45)
"""How long after its end a season's last markets may still settle."""


def make_due_leaderboards(records: ArenaRecords, *, now: datetime) -> tuple[Candidate, ...]:
    """Make and store the leaderboards that are due. Returns their `leaderboard_changed` entries."""
    entries: list[Candidate] = []
    for season in sorted({season_of(now - LATE_RESULTS), season_of(now)}):
        for track in Track:
            if records.report_due(season, track):
                key = ReportKey(season=season, track=track, as_of=now, known_at=now)
                entries += save_report(records, make_report(records, key))
    return tuple(entries)
