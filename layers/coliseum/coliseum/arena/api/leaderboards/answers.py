"""Answers of the routes for leaderboards."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from coliseum.arena.api.public.answers import Probability, TrackName
from coliseum.http.answers import Answer, Listing, Sourced
from coliseum.http.field_types import ExactUtcTime, UtcTime


class BoardClaim(Answer):
    """A registered claim beside a standing. `/arena/claims/{claim_id}` has all of it."""

    claim_id: str
    statement: str
    verdict: Literal["supported", "refuted", "unresolved"]
    final: bool
    reason: str
    digest: str | None = Field(
        description="The leaderboard that decided it; before that, the newest that looked at it."
    )


class StandingData(Answer):
    """One row of the leaderboard. The rank comes from skill against the market, whatever the rows are sorted by."""

    agent_id: str
    rank: int | None = Field(
        description="By skill, among the listed agents. Ranks differ by luck too: see `tier` and `rank_interval`."
    )
    tier: int | None = Field(
        description="1: no agent is significantly better. Agents of one tier cannot be told apart. Equal agents fall "
        "into more than one tier in at most 5 % of seasons."
    )
    tier_reason: str | None = Field(
        default=None, description="Why there is no tier, and with it no rank interval and no `best_probability`."
    )
    rank_interval: tuple[int, int] | None = Field(
        default=None, description="Interval of the rank. The intervals of all agents hold at once with 95 %."
    )
    best_probability: Probability | None = Field(
        default=None,
        description="First in this share of the resamples, among the agents of tier 1; the shares add up to 1. It is "
        "not a probability.",
    )
    best_probability_reason: str | None = Field(
        default=None, description="Why an agent with a tier has no `best_probability`."
    )
    listed: bool
    missing: list[str] = Field(description="What an agent lacks to be listed (ranked).")
    separated: str | None = Field(
        description="`above` or `below` the market, if `skill_sequence`, the bounds of the mean skill that hold at "
        "every look, exclude 0 now. Evidence (`log10_evidence`) does not count here."
    )
    role: Literal["competitor", "reference", "copy"] | None = Field(
        default=None,
        description="Only competitors are ranked. `reference`: shown for comparison, such as the market's own price. "
        "`copy`: repeats the market's price. Null in leaderboards of before engine 2.0.0.",
    )
    role_reason: str | None = Field(default=None, description="Why an agent is a reference or a copy.")
    verdict: Literal["better", "worse", "undecided", "unknown"] = Field(
        description="The agent against the market's price, from `skill_sequence`, the bounds of its mean skill that "
        "hold at every look. `better`: they are above 0. `worse`: below 0. `undecided`: they contain 0. `unknown`: "
        "there are none."
    )
    reading: str = Field(description="The verdict in words.", examples=["worse than the market"])
    explanation: dict[str, str] = Field(
        description="What the row's numbers mean and why some are missing, by the name of the number: `interval`, "
        "`sequence`, `detectable`, `evidence`, `rank`, `tier`, `rank_interval`, `best_probability`, `coverage`."
    )
    noise: bool | None = Field(
        default=None,
        description="Whether `skill_interval` contains 0, so that the skill may be luck. Null: no interval.",
    )
    value: float | None = Field(description="The requested metric in the requested slice.")
    scores: dict[str, Any] = Field(description="Every number of the slice. docs/scoring.md has the formulas.")
    other_model_forecasts: int = Field(
        default=0, description="So many of the agent's forecasts came from another model than it is named after."
    )
    claims: list[BoardClaim] = Field(default=[], description="Registered claims about the agent, oldest first.")
    operations: dict[str, Any] | None = Field(
        default=None, description="Failures by reason, time, tokens and cost. It does not affect the rank."
    )
    lean: dict[str, Any] | None = Field(
        default=None,
        description="Aware track: how far the agent moves from its blind answers towards the price it is shown.",
    )
    news: dict[str, Any] | None = Field(
        default=None,
        description="Informed track: what the sources are worth to the agent, against its blind answers.",
    )


class GatesData(Answer):
    """What an agent needs to be listed."""

    coverage: Probability = Field(description="Share of its questions that the agent answered.")
    events: int
    days: float = Field(description="Between its first and last round.")


class ReportStamp(Answer):
    """Identifies the report that the numbers are from, so that it can be requested again."""

    season: str
    track: TrackName
    as_of: ExactUtcTime = Field(description="It counts results that were decided until this time.")
    known_at: ExactUtcTime = Field(description="It counts rows that were recorded until this time.")
    digest: str = Field(description="sha256 of the report's canonical JSON.")
    input_hash: str
    engine_version: str
    rules_version: str
    exchange: str | None = Field(
        description="`sandbox`: the markets are simulated, so the numbers say nothing about the real world."
    )
    rounds: int | None
    gates: GatesData | None = Field(default=None, description="Needed to be ranked. They are lower on the sandbox.")


class FromReport(Sourced):
    """An answer from a stored report. If there is no report, `report` is null and `reason` says why."""

    report: ReportStamp | None
    reason: str | None = Field(description="Why there are no items.")


class LeaderboardAnswer(Listing[StandingData], FromReport):
    """The leaderboard, best first by the metric. Agents without a value come last."""

    metric: str
    slice: str
    slices: list[str] = Field(description="Names of the slices of the report.")


class AgentBoard(Answer):
    """The row of an agent on the newest leaderboard of one track."""

    report: ReportStamp
    standing: StandingData


class CalibrationBin(Answer):
    """Forecasts in one tenth of the scale, and the share of them that came true."""

    low: Probability
    high: Probability
    count: int
    forecast: Probability | None = Field(description="Mean of the forecasts.")
    observed: Probability | None = Field(description="Share of the outcomes that were YES.")
    interval: tuple[float, float] | None = Field(description="95 % interval of `observed`, for dependent forecasts.")


class CalibrationData(Answer):
    """One agent's calibration in one slice."""

    agent_id: str
    graded: int | None
    bins: list[CalibrationBin]
    numbers: dict[str, Any] = Field(
        description="ECE (also with numpy's edges), ACE, MCE, bias, Platt line, Murphy's parts, AUC, sharpness, "
        "confidence and overconfidence."
    )


class CalibrationAnswer(Listing[CalibrationData], FromReport):
    """Reliability bins by agent."""

    slice: str
    slices: list[str]


class PairData(Answer):
    """Two agents compared on the events that both answered: the first minus the second."""

    model_config = ConfigDict(frozen=True, extra="allow")

    first: str
    second: str
    difference: float | None
    interval: tuple[float, float] | None = Field(description="95 % interval, valid for one pair at one time.")
    adjusted_interval: tuple[float, float] | None = Field(
        default=None,
        description="Interval that holds for all pairs of agents with a tier at once, with 95 %. The difference is "
        "significant if it does not hold 0.",
    )
    reason: str | None = Field(
        default=None,
        description="Why an interval or `superiority` is missing. Without an interval it is not a tie.",
    )
    superiority: float | None = Field(
        description="Share of the resamples in which the first is ahead. It is not a probability."
    )
    events: int
    clusters: int | None = Field(
        default=None, description="Groups of these events that depend on each other. They are resampled together."
    )
    events_needed: int | None = Field(
        description="Total number of events needed until this difference would be significant."
    )


class SeparabilityAnswer(Listing[PairData], FromReport):
    """Every pair of agents."""


class EvidenceData(Answer):
    """What one published leaderboard says about one agent."""

    agent_id: str
    as_of: UtcTime
    known_at: UtcTime
    digest: str
    log10_evidence: float | None = Field(
        description="log10 of the e-value against the price. 1.30 or more says at 5 %, at any time, that the price is "
        "not exactly right. It does not say that the agent is better than the price."
    )
    skill_sequence_low: float | None = Field(
        description="95 % bounds of the mean skill over the settled clusters, valid at every look. Null in "
        "leaderboards of earlier rules, and where the report says why."
    )
    skill_sequence_high: float | None
    skill_sequence_clusters: int | None = Field(description="Number of clusters of events in the bounds.")
    separated: str | None = Field(description="`above` or `below` the market, by the rules of that leaderboard.")
    skill: float | None
    skill_low: float | None
    skill_high: float | None
    events: int | None
    rank: int | None
    tier: int | None


class EvidenceAnswer(Listing[EvidenceData]):
    """History of evidence, skill with its bounds, and rank, oldest first."""

    reason: str | None = Field(description="Why there are no items.")
