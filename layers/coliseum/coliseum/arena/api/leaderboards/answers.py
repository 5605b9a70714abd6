"""What the routes of the boards answer."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from coliseum.arena.api.public.answers import Probability, TrackName
from coliseum.http.answers import Answer, Listing, Sourced
from coliseum.http.field_types import UtcTime


class StandingData(Answer):
    """One line of the board. The rank comes from skill against the market, whatever the lines are sorted by."""

    agent_id: str
    rank: int | None = Field(description="Among the listed; agents that cannot be told apart may share a tier.")
    tier: int | None = Field(description="Agents of one tier cannot be told apart.")
    rank_interval: tuple[int, int] | None = Field(default=None, description="95 % of the draws' ranks.")
    best_probability: Probability | None = Field(default=None, description="Share of the draws in which it is first.")
    listed: bool
    missing: list[str] = Field(description="What keeps a provisional agent from being listed.")
    separated: str | None = Field(description="`above` or `below` the market where that is more than luck.")
    value: float | None = Field(description="The metric that was asked for, in the slice that was asked for.")
    scores: dict[str, Any] = Field(description="Every number of the slice; docs/scoring.md has the formulas.")
    operations: dict[str, Any] | None = Field(
        default=None, description="What its answers took: failures by reason, time, tokens, cost; never ranked on."
    )
    lean: dict[str, Any] | None = Field(
        default=None, description="Aware board: how far it leans on the price it is shown, against its blind answers."
    )


class GatesData(Answer):
    """What an agent needs to be listed."""

    coverage: Probability = Field(description="Share of its questions that it answered.")
    events: int
    days: float = Field(description="Between its first and last round.")


class ReportStamp(Answer):
    """Which report the numbers are from, so that anyone can ask for it again."""

    season: str
    track: TrackName
    as_of: UtcTime = Field(description="Results decided until then.")
    known_at: UtcTime = Field(description="Rows recorded until then.")
    digest: str = Field(description="sha256 of the report's canonical JSON.")
    input_hash: str
    engine_version: str
    rules_version: str
    exchange: str | None = Field(description="`sandbox`: simulated markets, no statement about the world.")
    rounds: int | None
    gates: GatesData | None = Field(default=None, description="To be ranked; lower on the sandbox.")


class FromReport(Sourced):
    """An answer out of a stored report. Without one `report` is null and `reason` says why."""

    report: ReportStamp | None
    reason: str | None = Field(description="Why there are no items.")


class LeaderboardAnswer(Listing[StandingData], FromReport):
    """The board, best first by the metric; agents without a value come last."""

    metric: str
    slice: str
    slices: list[str] = Field(description="What the report can be sliced by.")


class AgentBoard(Answer):
    """Where an agent stands on one track's newest board."""

    report: ReportStamp
    standing: StandingData


class CalibrationBin(Answer):
    """Forecasts of one tenth of the scale and how often they came true."""

    low: Probability
    high: Probability
    count: int
    forecast: Probability | None = Field(description="Their mean.")
    observed: Probability | None = Field(description="Share that was YES.")
    interval: tuple[float, float] | None = Field(description="95 % Wilson interval of `observed`.")


class CalibrationData(Answer):
    """One agent's calibration in one slice."""

    agent_id: str
    graded: int | None
    bins: list[CalibrationBin]
    numbers: dict[str, Any] = Field(description="ECE, ACE, MCE, bias, Platt line, Murphy's parts, AUC, sharpness.")


class CalibrationAnswer(Listing[CalibrationData], FromReport):
    """Reliability bins by agent."""

    slice: str
    slices: list[str]


class PairData(Answer):
    """Two agents on the events both answered: the first minus the second."""

    model_config = ConfigDict(frozen=True, extra="allow")

    first: str
    second: str
    difference: float | None
    interval: tuple[float, float] | None = Field(description="95 %, from the same draws as the board.")
    superiority: float | None = Field(description="Share of the draws in which the first is ahead.")
    events: int
    events_needed: int | None = Field(description="Events in total until this difference would stand out.")


class SeparabilityAnswer(Listing[PairData], FromReport):
    """Every pair of agents."""


class EvidenceData(Answer):
    """What one published board said of one agent."""

    agent_id: str
    as_of: UtcTime
    known_at: UtcTime
    digest: str
    log10_evidence: float | None = Field(
        description="log10 of the e-value against the market; 1.30 or more refutes it at 5 %, whenever one looks."
    )
    skill: float | None
    skill_low: float | None
    skill_high: float | None
    events: int | None
    rank: int | None
    tier: int | None


class EvidenceAnswer(Listing[EvidenceData]):
    """How evidence, skill and rank came to be, oldest first."""

    reason: str | None = Field(description="Why there are no items.")
