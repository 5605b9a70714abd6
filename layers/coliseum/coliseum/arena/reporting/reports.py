"""A season's board: every sealed forecast beside its market's price and outcome, scored, ranked, stamped, stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from coliseum.arena.calendar import time_text
from coliseum.arena.forecasts import Track
from coliseum.arena.leaderboard import Gates, leaderboard_body
from coliseum.arena.records.arena import ArenaRecords
from coliseum.arena.records.rows import Result, Round, ScoredForecast
from coliseum.arena.reporting.cells import asked_until, cells
from coliseum.arena.reporting.ranking import leans, score_and_rank
from coliseum.arena.reporting.work import with_value_for_money, work_figures
from coliseum.arena.scoring.intervals import DRAWS
from coliseum.arena.scoring.report import ENGINE_VERSION, RULES_VERSION, ScoreReport, digest_of
from coliseum.feed.entries import Candidate, EntryKind, event_candidate

SANDBOX_GATES = Gates(coverage=0.5, events=5, days=0.0)
"""On the sandbox exchange a newcomer shall see a board within minutes; it is labelled as such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportKey:
    """Which board: bitemporal, so that any board of the past can be asked for again."""

    season: str
    track: Track
    as_of: datetime
    """Results decided until then."""
    known_at: datetime
    """Rows recorded until then."""


@dataclass(frozen=True, slots=True)
class SeasonReport:
    """A report and its ranking; `body` is JSON-ready and `digest` covers it."""

    question: ReportKey
    report: ScoreReport
    body: Mapping[str, Any]

    @property
    def digest(self) -> str:
        return digest_of(self.body)


def make_report(
    records: ArenaRecords, question: ReportKey, *, draws: int = DRAWS, gates: Gates | None = None
) -> SeasonReport:
    """Score and rank. Only rounds that are closed count: an open round's forecasts are still secret."""
    opened = records.rounds(season=question.season, limit=None)
    rounds = {one.round_id: one for one in opened if one.closes_at <= question.known_at}
    markets = {(market.round_id, market.ticker): market for market in records.asked_markets(rounds)}
    results = _known(records.results({ticker for _, ticker in markets}), question)
    answers = _answers(records, rounds, question.track, question.known_at)
    work = records.decision_work(rounds, question.track)
    offers = [(one.agent_id, one.round_id, one.ticker) for one in work]
    sandbox = any(one.exchange == "sandbox" for one in rounds.values())
    gates = gates or (SANDBOX_GATES if sandbox else Gates())
    now = min(question.as_of, asked_until(opened, question.known_at))
    asked = cells(track=question.track, markets=markets, offers=offers, answers=answers, results=results, now=now)
    report, board = score_and_rank(
        asked,
        season=question.season,
        track=question.track,
        sandbox=sandbox,
        days=_days(answers, rounds),
        gates=gates,
        pools=[one.agent_id for one in records.agents() if one.kind == "consensus"],
        draws=draws,
    )
    body: dict[str, Any] = {
        "season": question.season,
        "track": question.track.value,
        "exchange": "sandbox" if sandbox else next((one.exchange for one in rounds.values()), None),
        "rounds": len(rounds),
        "gates": asdict(gates),
        **leaderboard_body(report, board),
        "operations": with_value_for_money(work_figures(work), report.scores()),
    }
    if question.track is Track.AWARE:
        unpriced = _answers(records, rounds, Track.BLIND, question.known_at)
        blind = cells(track=Track.BLIND, markets=markets, offers=(), answers=unpriced, results=results, now=now)
        body["leans"] = leans(blind, asked, season=question.season, sandbox=sandbox, draws=draws)
    return SeasonReport(question, report, body)


def save_report(records: ArenaRecords, board: SeasonReport) -> tuple[Candidate, ...]:
    """Store a board that says something new, and the entry that announces it; nothing for an unchanged one."""
    new = records.save_report(
        {
            "digest": board.digest,
            "season": board.question.season,
            "track": board.question.track.value,
            "as_of": board.question.as_of.isoformat(),
            "known_at": board.question.known_at.isoformat(),
            "engine_version": ENGINE_VERSION,
            "rules_version": RULES_VERSION,
            "input_hash": board.report.body["input_hash"],
            "report": dict(board.body),
        }
    )
    if not new:
        return ()
    scores = board.report.scores()
    top = [
        {"agent_id": line["agent"], "rank": line["rank"], "tier": line["tier"], "skill": scores[line["agent"]]["skill"]}
        for line in board.body["standings"][:10]
    ]
    data: dict[str, object] = {
        "season": board.question.season,
        "track": board.question.track.value,
        "digest": board.digest,
        "as_of": time_text(board.question.as_of),
        "standings": top,
    }
    return (event_candidate(EntryKind.LEADERBOARD_CHANGED, board.digest, data),)


def _answers(records: ArenaRecords, rounds: Iterable[str], track: Track, known_at: datetime) -> list[ScoredForecast]:
    return [one for one in records.scored_forecasts(rounds, track) if one.created_at <= known_at]


def _known(versions: Mapping[str, Sequence[Result]], question: ReportKey) -> dict[str, Result]:
    """The newest version of each result that was decided by `as_of` and recorded by `known_at`."""
    found: dict[str, Result] = {}
    for ticker, all_versions in versions.items():
        for one in all_versions:
            decided = one.decided_at or one.recorded_at
            if one.recorded_at <= question.known_at and decided <= question.as_of:
                found[ticker] = one
    return found


def _days(answers: Sequence[ScoredForecast], rounds: Mapping[str, Round]) -> dict[str, float]:
    """Days between an agent's first and last round."""
    slots: defaultdict[str, list[datetime]] = defaultdict(list)
    for answer in answers:
        slots[answer.agent_id].append(rounds[answer.round_id].slot)
    return {agent: (max(times) - min(times)).total_seconds() / 86_400 for agent, times in slots.items()}
