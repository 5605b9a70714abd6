"""Rows of the exports. Times are exact, so that a published leaderboard can be made again from them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, PlainSerializer

from coliseum.arena.api.accounts.answers import MarkData
from coliseum.arena.api.answers import AgentData, AttemptData, ForecastData, FrozenMarketData, RoundRow
from coliseum.arena.api.public.answers import Probability, TrackName
from coliseum.http.answers import Answer
from coliseum.http.field_types import Contracts, ExactUtcTime, Price, exact_utc_text

NOT_DUE = "inf"
"""`due_at` of a cell whose cluster is not due yet."""
DueTime = Annotated[
    datetime | None, PlainSerializer(lambda time: NOT_DUE if time is None else exact_utc_text(time), return_type=str)
]


class AgentRow(AgentData):
    """A contestant."""

    created_at: ExactUtcTime
    rule: str | None = Field(description="How a contestant without a model computes its answer.")


class ExportedRound(RoundRow):
    """One round."""

    slot: ExactUtcTime
    opened_at: ExactUtcTime
    closes_at: ExactUtcTime


class MarketRow(FrozenMarketData):
    """A market as it was frozen for a round, with what the contestants were shown."""

    close_time: ExactUtcTime
    snapshot_at: ExactUtcTime
    closes_at: ExactUtcTime
    season: str
    outcomes: int = Field(description="Number of markets of the event.")
    mutually_exclusive: bool = Field(description="Whether at most one market of the event can be YES.")


class ForecastRow(ForecastData):
    """A forecast with everything that its seal covers."""

    created_at: ExactUtcTime
    payload: dict[str, Any] | None
    season: str
    closes_at: ExactUtcTime


class SealRow(Answer):
    """The seal of a forecast: a leaf of the tree of the UTC day of `created_at`."""

    seal: str
    forecast_id: str
    created_at: ExactUtcTime


class SealRootRow(Answer):
    """The published Merkle root over the seals of a UTC day."""

    day: date
    root: str
    leaves: int
    created_at: ExactUtcTime


class DecisionRow(Answer):
    """A question to an agent, and its status."""

    decision_id: str
    round_id: str
    ticker: str
    agent_id: str
    track: TrackName
    status: str
    attempt: int
    opened: bool
    reason: str | None = Field(description="Null until the round is closed.")
    created_at: ExactUtcTime
    finished_at: ExactUtcTime | None
    season: str
    closes_at: ExactUtcTime


class _OfDecision(Answer):
    decision_id: str


class AttemptRow(AttemptData, _OfDecision):
    """One attempt to get an answer from a contestant, in a closed round."""

    started_at: ExactUtcTime
    recorded_at: ExactUtcTime
    season: str
    track: TrackName


class _OfAccount(Answer):
    account_id: str


class MarkRow(MarkData, _OfAccount):
    """The value of an account at one time."""


class ResultRow(Answer):
    """One version of the outcome of a market. The highest version counts."""

    ticker: str
    version: int
    status: str
    result: str
    value: Price
    decided_at: ExactUtcTime | None
    recorded_at: ExactUtcTime


class ReportRow(Answer):
    """A published leaderboard."""

    digest: str
    season: str
    track: TrackName
    as_of: ExactUtcTime
    known_at: ExactUtcTime
    engine_version: str
    rules_version: str
    input_hash: str
    created_at: ExactUtcTime
    report: dict[str, Any]


class CellRow(Answer):
    """A cell of a published leaderboard, in the columns that `coliseum score` reads."""

    agent: str
    event: str
    market: str
    window: str = Field(description="The round.")
    p: Probability | None = Field(description="Null: asked and not answered.")
    q: Probability | None
    y: float | None
    category: str | None
    horizon: str | None
    track: TrackName
    volume: Contracts | None
    outcomes: int | None
    cluster: str | None
    yes_ask: Price | None
    no_ask: Price | None
    q_1h: Probability | None
    q_24h: Probability | None
    q_close: Probability | None
    structure: str | None
    strike: Decimal | None
    due_at: DueTime = Field(description="The scheduled end of the cluster; `inf` if it was not due yet.")
    settled_at: ExactUtcTime | None
    noise: float | None = Field(description="Variance of the replicates of which `p` is the mean. Null: asked once.")
