"""Builds the report of a replay: a leaderboard for each track, money figures of all accounts, one digest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from coliseum.arena.calendar import time_text
from coliseum.arena.forecasts import Track
from coliseum.arena.leaderboard import NO_GATES, Leaderboard, leaderboard_body
from coliseum.arena.replay.recording import Recording
from coliseum.arena.replay.season import ReplayPlan, ReplaySeason
from coliseum.arena.reporting.ranking import leans, score_and_rank
from coliseum.arena.scoring.cells import Cell
from coliseum.arena.scoring.money import MoneyFigures, money_figures
from coliseum.arena.scoring.report import ScoreReport, digest_of
from coliseum.arena.season_cells.cells import cells
from coliseum.trading.money import decimal_text


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The result of a replay."""

    leaderboards: Mapping[Track, tuple[ScoreReport, Leaderboard]]
    """The report and leaderboard of each track with contestants."""
    accounts: Mapping[str, MoneyFigures]
    body: Mapping[str, Any]
    """Ready for JSON; `digest` covers it."""

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON of `body`, in hex."""
        return digest_of(self.body)


def replay_report(recording: Recording, season: ReplaySeason, plan: ReplayPlan, *, draws: int) -> ReplayReport:
    """Score the season as the live arena does, but without gates, because a recording may cover a few hours only."""
    track_cells = {track: _cells(season, track, recording.end) for track in Track}
    leaderboards = {
        track: _leaderboard(season, track, track_cells[track], draws=draws)
        for track in Track
        if season.questions[track]
    }
    sandbox = season.exchange == "sandbox"
    accounts = {name: money_figures(ledger.rows, ledger.marks) for name, ledger in sorted(season.ledgers.all.items())}
    body = {
        "recording": {
            "digest": recording.digest,
            "exchange": recording.exchange,
            "from": time_text(recording.start),
            "to": time_text(recording.end),
        },
        "plan": {
            "every_seconds": int(plan.every.total_seconds()),
            "open_for_seconds": int(plan.open_for.total_seconds()),
            "markets": plan.markets,
            "per_event": plan.per_event,
        },
        "rounds": len(season.rounds),
        "markets": len({ticker for _, ticker in season.markets}),
        "problems": season.problems,
        "tracks": {track.value: leaderboard_body(*scored) for track, scored in leaderboards.items()},
        "leans": leans(track_cells[Track.BLIND], track_cells[Track.AWARE], sandbox=sandbox),
        "accounts": {
            name: {**_money_body(figures), "decisions": dict(season.reasons[name])}
            for name, figures in accounts.items()
        },
    }
    return ReplayReport(leaderboards, accounts, body)


def _cells(season: ReplaySeason, track: Track, end: datetime) -> list[Cell]:
    return cells(
        track=track,
        markets=season.markets,
        questions=season.questions[track],
        answers=season.answers[track],
        results=season.results,
        now=end,
    )


def _leaderboard(
    season: ReplaySeason, track: Track, track_cells: Sequence[Cell], *, draws: int
) -> tuple[ScoreReport, Leaderboard]:
    return score_and_rank(
        track_cells,
        season=season.name,
        track=track,
        sandbox=season.exchange == "sandbox",
        days={},
        gates=NO_GATES,
        pools=season.pools,
        references=season.references,
        draws=draws,
    )


def _money_body(figures: MoneyFigures) -> dict[str, Any]:
    """Dollars as strings, ratios as numbers."""
    values = {field.name: getattr(figures, field.name) for field in fields(figures)}
    return {name: decimal_text(value) if isinstance(value, Decimal) else value for name, value in values.items()}
