"""Make new leaderboards where rounds or results have changed since the newest report."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from coliseum.arena.calendar import LATE_RESULTS, season_of
from coliseum.arena.forecasts import Track
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.reporting.claims import look_at_claims
from coliseum.arena.reporting.reports import SeasonReport, make_report, save_report
from coliseum.arena.season_cells.rows import ReportKey
from coliseum.feed.entries import Candidate


def make_due_leaderboards(records: ArenaRecords, *, now: datetime) -> tuple[Candidate, ...]:
    """Make and store the leaderboards that are due, and what they say about claims.

    Returns their `leaderboard_changed` entries. If a run is killed between a leaderboard and its claims, the next one
    looks at these again.
    """
    entries: list[Candidate] = []
    for season in sorted({season_of(now - LATE_RESULTS), season_of(now)}):
        for track in Track:
            if records.report_due(season, track) or records.claims_due(season, track):
                board = make_report(records, ReportKey(season=season, track=track, as_of=now, known_at=now))
                announced = save_report(records, board)
                decided = _decide_claims(records, board)
                entries += [replace(entry, data={**entry.data, "claims": decided}) for entry in announced]
    return tuple(entries)


def _decide_claims(records: ArenaRecords, board: SeasonReport) -> list[dict[str, str]]:
    """Store what the leaderboard says about claims. Returns those that it decided, as the stream shows them."""
    looks = look_at_claims(records, board)
    decided = set(records.save_claim_looks(looks))
    return [{"claim_id": look["claim_id"], "verdict": look["verdict"]} for look in looks if look["claim_id"] in decided]
