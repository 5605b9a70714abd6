"""Makes and stores the report of a season and track: scores, ranks, and the figures shown with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from coliseum.arena.calendar import time_text
from coliseum.arena.forecasts import Track
from coliseum.arena.leaderboard import Gates, leaderboard_body
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import AskedMarket, Result, Round, ScoredForecast
from coliseum.arena.reporting.cells import MarketKey, QuestionKey, asked_until, cells
from coliseum.arena.reporting.ranking import leans, score_and_rank
from coliseum.arena.reporting.work import with_value_for_money, work_figures
from coliseum.arena.scoring.cells import Cell
from coliseum.arena.scoring.intervals import DRAWS
from coliseum.arena.scoring.report import ENGINE_VERSION, RULES_VERSION, ScoreReport, digest_of
from coliseum.feed.entries import Candidate, EntryKind, event_candidate

SANDBOX_GATES = Gates(coverage=0.5, events=5, days=0.0)
"""Lower gates for the sandbox, so that a new user sees ranks within minutes. Its reports are labelled as sandbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportKey:
    """Identifies a report. With its two times any past report can be made again."""

    season: str
    track: Track
    as_of: datetime
    """Only results that were decided until this time count."""
    known_at: datetime
    """Only rows that were recorded until this time count."""


@dataclass(frozen=True, slots=True)
class SeasonReport:
    """The scores and ranks of a season and track. `body` is ready for JSON and covered by `digest`."""

    key: ReportKey
    report: ScoreReport
    body: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON of `body`, in hex."""
        return digest_of(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SeasonRows:
    """What both tracks of a report are made of: closed rounds, their markets and results."""

    rounds: Mapping[str, Round]
    markets: Mapping[MarketKey, AskedMarket]
    results: Mapping[str, Result]
    questions_until: datetime
    """The `now` of `reporting.cells.cells`."""

    @property
    def is_sandbox(self) -> bool:
        return any(round_.exchange == "sandbox" for round_ in self.rounds.values())

    @property
    def exchange(self) -> str | None:
        return "sandbox" if self.is_sandbox else next((round_.exchange for round_ in self.rounds.values()), None)

    def cells(self, track: Track, answers: Iterable[ScoredForecast], questions: Iterable[QuestionKey]) -> list[Cell]:
        return cells(
            track=track, markets=self.markets, questions=questions, answers=answers, results=self.results,
            now=self.questions_until,
        )  # fmt: skip


def make_report(
    records: ArenaRecords, key: ReportKey, *, draws: int = DRAWS, gates: Gates | None = None
) -> SeasonReport:
    """Score and rank a season. Only closed rounds count, because the forecasts of open rounds are secret.

    `gates` None: those of the exchange, which are lower on the sandbox.
    """
    rows = _season_rows(records, key)
    answers = _answers(records, rows.rounds, key.track, key.known_at)
    work = records.decision_work(rows.rounds, key.track)
    gates = gates or (SANDBOX_GATES if rows.is_sandbox else Gates())
    track_cells = rows.cells(key.track, answers, [(item.agent_id, item.round_id, item.ticker) for item in work])
    report, leaderboard = score_and_rank(
        track_cells,
        season=key.season,
        track=key.track,
        sandbox=rows.is_sandbox,
        days=_days(answers, rows.rounds),
        gates=gates,
        pools=[agent.agent_id for agent in records.agents() if agent.kind == "consensus"],
        draws=draws,
    )
    body: dict[str, Any] = {
        "season": key.season,
        "track": key.track.value,
        "exchange": rows.exchange,
        "rounds": len(rows.rounds),
        "gates": asdict(gates),
        **leaderboard_body(report, leaderboard),
        "operations": with_value_for_money(work_figures(work), report.scores()),
    }
    if key.track is Track.AWARE:
        blind_cells = rows.cells(Track.BLIND, _answers(records, rows.rounds, Track.BLIND, key.known_at), ())
        body["leans"] = leans(blind_cells, track_cells, season=key.season, sandbox=rows.is_sandbox, draws=draws)
    return SeasonReport(key, report, body)


def _season_rows(records: ArenaRecords, key: ReportKey) -> _SeasonRows:
    opened = records.rounds(season=key.season, limit=None)
    rounds = {round_.round_id: round_ for round_ in opened if round_.closes_at <= key.known_at}
    markets = {(market.round_id, market.ticker): market for market in records.asked_markets(rounds)}
    return _SeasonRows(
        rounds=rounds,
        markets=markets,
        results=_known(records.results({ticker for _, ticker in markets}), key),
        questions_until=min(key.as_of, asked_until(opened, key.known_at)),
    )


def save_report(records: ArenaRecords, season_report: SeasonReport) -> tuple[Candidate, ...]:
    """Store a report and return the entry that announces it; nothing if the same report is stored already."""
    key, body = season_report.key, season_report.body
    is_new = records.save_report(
        {
            "digest": season_report.digest,
            "season": key.season,
            "track": key.track.value,
            "as_of": key.as_of.isoformat(),
            "known_at": key.known_at.isoformat(),
            "engine_version": ENGINE_VERSION,
            "rules_version": RULES_VERSION,
            "input_hash": season_report.report.body["input_hash"],
            "report": dict(body),
        }
    )
    if not is_new:
        return ()
    scores = season_report.report.scores()
    top = [
        {
            "agent_id": standing["agent"],
            "rank": standing["rank"],
            "tier": standing["tier"],
            "skill": scores[standing["agent"]]["skill"],
        }
        for standing in body["standings"][:10]
    ]
    data: dict[str, object] = {
        "season": key.season,
        "track": key.track.value,
        "digest": season_report.digest,
        "as_of": time_text(key.as_of),
        "standings": top,
    }
    return (event_candidate(EntryKind.LEADERBOARD_CHANGED, season_report.digest, data),)


def _answers(records: ArenaRecords, rounds: Iterable[str], track: Track, known_at: datetime) -> list[ScoredForecast]:
    return [answer for answer in records.scored_forecasts(rounds, track) if answer.created_at <= known_at]


def _known(versions: Mapping[str, Sequence[Result]], key: ReportKey) -> dict[str, Result]:
    """The newest version of each result that was decided by `as_of` and recorded by `known_at`."""
    known: dict[str, Result] = {}
    for ticker, all_versions in versions.items():
        for version in all_versions:  # oldest first
            decided = version.decided_at or version.recorded_at
            if version.recorded_at <= key.known_at and decided <= key.as_of:
                known[ticker] = version
    return known


def _days(answers: Sequence[ScoredForecast], rounds: Mapping[str, Round]) -> dict[str, float]:
    """Days between the first and the last round of each agent."""
    slots: defaultdict[str, list[datetime]] = defaultdict(list)
    for answer in answers:
        slots[answer.agent_id].append(rounds[answer.round_id].slot)
    return {agent: (max(times) - min(times)).total_seconds() / 86_400 for agent, times in slots.items()}
