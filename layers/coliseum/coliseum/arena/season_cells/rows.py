"""The rows of a season that a report counts, as they were known at its two times. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from coliseum.arena.forecasts import Track
from coliseum.arena.records.rows import AskedMarket, Result, ScoredForecast
from coliseum.arena.scoring.cell import Cell
from coliseum.arena.season_cells.cells import MarketKey, QuestionKey, RoundTimes, asked_until, cells


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportKey:
    """Identifies a report. With its two times any past report can be made again."""

    season: str
    track: Track
    as_of: datetime
    """Only results that were decided until this time count."""
    known_at: datetime
    """Only rows that were recorded until this time count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeasonRows:
    """What both tracks of a report are made of: closed rounds, their markets and results."""

    key: ReportKey
    rounds: Mapping[str, RoundTimes]
    markets: Mapping[MarketKey, AskedMarket]
    results: Mapping[str, Result]
    questions_until: datetime
    """The `now` of `season_cells.cells.cells`."""

    @property
    def is_sandbox(self) -> bool:
        return any(round_.exchange == "sandbox" for round_ in self.rounds.values())

    @property
    def exchange(self) -> str | None:
        return "sandbox" if self.is_sandbox else next((round_.exchange for round_ in self.rounds.values()), None)

    def answers(self, forecasts: Iterable[ScoredForecast]) -> list[ScoredForecast]:
        """Those of the forecasts that the report counts."""
        return [
            forecast
            for forecast in forecasts
            if forecast.created_at <= self.key.known_at and forecast.round_id in self.rounds
        ]

    def cells(self, track: Track, answers: Iterable[ScoredForecast], questions: Iterable[QuestionKey]) -> list[Cell]:
        """The cells of a track; `answers` are those of `answers()`."""
        return cells(
            track=track, markets=self.markets, questions=questions, answers=answers, results=self.results,
            now=self.questions_until,
        )  # fmt: skip

    def days(self, answers: Iterable[ScoredForecast]) -> dict[str, float]:
        """Days between the first and the last round of each agent."""
        slots: defaultdict[str, list[datetime]] = defaultdict(list)
        for answer in answers:
            slots[answer.agent_id].append(self.rounds[answer.round_id].slot)
        return {agent: (max(times) - min(times)).total_seconds() / 86_400 for agent, times in slots.items()}


def closed_rounds(opened: Iterable[RoundTimes], key: ReportKey) -> dict[str, RoundTimes]:
    """The rounds of the season that were closed at `known_at`. The forecasts of all others are secret."""
    return {round_.round_id: round_ for round_ in opened if round_.closes_at <= key.known_at}


def season_rows(
    opened: Sequence[RoundTimes],
    markets: Iterable[AskedMarket],
    versions: Mapping[str, Sequence[Result]],
    key: ReportKey,
) -> SeasonRows:
    """The rows that count.

    `opened` are all rounds of the season, `versions` the versions of each result, oldest first. Markets of rounds that
    were not closed are left out.
    """
    rounds = closed_rounds(opened, key)
    return SeasonRows(
        key=key,
        rounds=rounds,
        markets={(market.round_id, market.ticker): market for market in markets if market.round_id in rounds},
        results=_known(versions, key),
        questions_until=min(key.as_of, asked_until(opened, key.known_at)),
    )


def _known(versions: Mapping[str, Sequence[Result]], key: ReportKey) -> dict[str, Result]:
    """The newest version of each result that was decided by `as_of` and recorded by `known_at`."""
    known: dict[str, Result] = {}
    for ticker, all_versions in versions.items():
        for version in all_versions:  # oldest first
            decided = version.decided_at or version.recorded_at
            if version.recorded_at <= key.known_at and decided <= key.as_of:
                known[ticker] = version
    return known
