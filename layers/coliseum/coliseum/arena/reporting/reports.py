"""Makes and stores the report of a season and track: scores, ranks, and the figures shown with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from coliseum.arena.calendar import time_text
from coliseum.arena.forecasts import Track
from coliseum.arena.leaderboard import Gates, leaderboard_body
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import Agent, AskedMarket, DecisionWork, Result, Round, ScoredForecast
from coliseum.arena.reporting.ranking import leans, news_values, references_among, score_and_rank
from coliseum.arena.reporting.work import with_value_for_money, work_figures
from coliseum.arena.scoring.cell import Cell
from coliseum.arena.scoring.report import DRAWS, ENGINE_VERSION, RULES_VERSION, ScoreReport, digest_of
from coliseum.arena.season_cells.rows import ReportKey, SeasonRows, closed_rounds, season_rows
from coliseum.feed.entries import Candidate, EntryKind, event_candidate

SANDBOX_GATES = Gates(coverage=0.5, events=5, days=0.0)
"""Lower gates for the sandbox, so that a new user sees ranks within minutes. Its reports are labelled as sandbox."""


@dataclass(frozen=True, slots=True)
class SeasonReport:
    """The scores and ranks of a season and track. `body` is ready for JSON and covered by `digest`."""

    key: ReportKey
    report: ScoreReport
    body: Mapping[str, Any]
    cells: Sequence[Cell]
    left_out: frozenset[str]
    """Horizons that do not count."""
    questions_until: datetime
    """All questions and results until this time are in `cells`."""

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON of `body`, in hex."""
        return digest_of(self.body)


class ReportSource(Protocol):
    """Where the rows of a report come from: the arena's tables, or exports of them."""

    def rounds(self, *, season: str, limit: None) -> Sequence[Round]:
        """All rounds of a season."""
        ...

    def asked_markets(self, round_ids: Iterable[str]) -> Sequence[AskedMarket]: ...

    def results(self, tickers: Iterable[str]) -> Mapping[str, Sequence[Result]]:
        """All versions per ticker, oldest first."""
        ...

    def scored_forecasts(self, round_ids: Iterable[str], track: Track) -> Sequence[ScoredForecast]: ...

    def decision_work(
        self, round_ids: Iterable[str], track: Track, *, known_at: datetime
    ) -> Sequence[DecisionWork]: ...

    def agents(self) -> Sequence[Agent]: ...


def make_report(
    records: ReportSource, key: ReportKey, *, draws: int = DRAWS, gates: Gates | None = None
) -> SeasonReport:
    """Score and rank a season. Only closed rounds count, because the forecasts of open rounds are secret.

    `gates` None: those of the exchange, which are lower on the sandbox.
    """
    rows = _season_rows(records, key)
    answers = rows.answers(records.scored_forecasts(rows.rounds, key.track))
    work = records.decision_work(rows.rounds, key.track, known_at=key.known_at)
    gates, agents = gates or (SANDBOX_GATES if rows.is_sandbox else Gates()), _known_agents(records.agents(), key)
    track_cells = rows.cells(key.track, answers, [(item.agent_id, item.round_id, item.ticker) for item in work])
    report, leaderboard = score_and_rank(
        track_cells,
        season=key.season,
        track=key.track,
        sandbox=rows.is_sandbox,
        days=rows.days(answers),
        gates=gates,
        pools=[agent.agent_id for agent in agents if agent.kind == "consensus"],
        references=references_among((agent.agent_id, agent.params) for agent in agents),
        draws=draws,
    )
    operations = with_value_for_money(work_figures(work), report.scores())
    body: dict[str, Any] = {
        "season": key.season,
        "track": key.track.value,
        "exchange": rows.exchange,
        "rounds": len(rows.rounds),
        "gates": asdict(gates),
        **leaderboard_body(report, leaderboard, operations=operations),
        "operations": operations,
    }
    if key.track in {Track.AWARE, Track.INFORMED}:
        blind_answers = rows.answers(records.scored_forecasts(rows.rounds, Track.BLIND))
        blind_cells = rows.cells(Track.BLIND, blind_answers, ())
        name, compare = ("leans", leans) if key.track is Track.AWARE else ("news", news_values)
        body[name] = compare(blind_cells, track_cells, sandbox=rows.is_sandbox)
    left_out = frozenset(report.body["rules"]["left_out"])
    return SeasonReport(key, report, body, track_cells, left_out, rows.questions_until)


def _season_rows(records: ReportSource, key: ReportKey) -> SeasonRows:
    opened = records.rounds(season=key.season, limit=None)
    markets = records.asked_markets(closed_rounds(opened, key))
    return season_rows(opened, markets, records.results({market.ticker for market in markets}), key)


def _known_agents(agents: Iterable[Agent], key: ReportKey) -> list[Agent]:
    """The agents without those that came after the report."""
    return [agent for agent in agents if agent.created_at is None or agent.created_at <= key.known_at]


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
