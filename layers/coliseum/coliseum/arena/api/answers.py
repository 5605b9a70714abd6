"""Answers of the arena's routes. Money is text with exact decimals, probabilities are numbers, secrets are null."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import Field, computed_field

from coliseum.arena.api.accounts.answers import AccountData
from coliseum.arena.api.leaderboards.answers import AgentBoard
from coliseum.arena.api.public.answers import Probability, TrackName
from coliseum.http.answers import Answer, Listing, Sourced
from coliseum.http.field_types import Contracts, Dollars, Price, UtcTime
from coliseum.llm.names import same_model

_SECRET = "Null until the round is closed."  # noqa: S105  # a description, not a secret


class AgentData(Answer):
    """A contestant as it takes part in this season."""

    agent_id: str
    kind: Literal["llm", "statistical", "consensus", "entrant"]
    name: str
    model: str | None = Field(description="OpenRouter's name of the model. Null for contestants that need no model.")
    tracks: list[TrackName] = Field(
        description="`blind` sees no price, `aware` the frozen quote, `informed` dated sources, `open` everything."
    )
    status: Literal["active", "needs_key", "paused", "retired"]
    season: str
    created_at: UtcTime
    method: str | None = Field(description="Of a prompt variant: the steps in which the model is asked to work.")
    other_model_forecasts: int = Field(
        description="Forecasts of closed rounds that another model than `model` gave. They count as this agent's."
    )


class AgentsAnswer(Listing[AgentData]):
    """Contestants by id."""


class SourceFeedData(Answer):
    """A feed of the informed track, and how its last reading ended."""

    feed_id: str
    name: str = Field(description="The publisher.")
    url: str = Field(description="Without its query, which may hold a key.")
    origin: Literal["list", "settlement"] = Field(
        description="`list`: of the setting ARENA_SOURCES or the shipped list. `settlement`: a settlement source."
    )
    series: list[str] = Field(description="Of a settlement source: the series that it settles.")
    status: Literal["new", "read", "unchanged", "failed", "refused"] = Field(
        description="How the last try ended. `refused`: by robots.txt, or because the address is not public."
    )
    problem: str | None = Field(description="Why the last try failed or was refused.")
    items: int = Field(description="Usable items of the last whole reading.")
    dropped: dict[str, int] = Field(description="Unusable items of the last whole reading, by reason.")
    checked_at: UtcTime | None = Field(description="The last try.")
    read_at: UtcTime | None = Field(description="The last whole reading.")


class SourceFeedsAnswer(Listing[SourceFeedData]):
    """Feeds by name."""


class TotalsData(Answer):
    """What a contestant has done so far, and what it has cost."""

    decisions: dict[str, int] = Field(description="Questions by status.")
    attempts: int
    failures: dict[str, int] = Field(description="Failed attempts by class of error.")
    cost_usd: Dollars = Field(description="Sum over the attempts whose cost is known.")
    cost_unknown: int = Field(description="Number of model attempts whose cost is not known. They are not free.")
    input_tokens: int
    output_tokens: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None


class AgentAnswer(Sourced, AgentData):
    """A contestant with its totals, leaderboard rows and paper accounts."""

    totals: TotalsData
    boards: list[AgentBoard] = Field(description="By track. Empty before its first leaderboard.")
    accounts: list[AccountData]


class RoundRow(Answer):
    """One round: when which markets were asked about."""

    round_id: str
    slot: UtcTime
    season: str
    opened_at: UtcTime
    closes_at: UtcTime = Field(description="Forecasts are sealed until this time, and public afterwards.")
    status: Literal["open", "closed", "complete", "partial"]
    exchange: Literal["sandbox", "kalshi", "replay"]
    markets: int


class RoundData(RoundRow):
    """One round with the number of its questions by status."""

    decisions: dict[str, int] = Field(description="Questions by status.")


class RoundsAnswer(Listing[RoundData]):
    """Rounds, newest first."""


class MarketData(Answer):
    """A market as it was frozen for a round."""

    round_id: str
    ticker: str
    event_ticker: str
    series_ticker: str
    category: str
    title: str
    close_time: UtcTime
    yes_bid: Price | None
    yes_ask: Price | None
    probability: Probability | None = Field(
        validation_alias="q", description="Mid of the frozen quote. Null if the spread was wider than 10 cents."
    )
    volume_24h: Contracts
    snapshot_at: UtcTime
    context_hash: str = Field(description="sha256 of the whole context, of which each track shows a part.")
    exchange: Literal["sandbox", "kalshi", "replay"]
    closes_at: UtcTime = Field(description="When the round closes.")
    opened: bool = Field(description="Whether the round is closed and its forecasts are public.")
    result: Literal["yes", "no", "scalar", "void"] | None
    value: Price | None = Field(description="Dollars per YES contract at settlement.")


class MarketsAnswer(Listing[MarketData]):
    """The markets of the open rounds."""


class FrozenMarketData(MarketData):
    """A market of a round with what the contestants were shown."""

    context: dict[str, Any] | None = Field(description=f"The context that aware contestants saw. {_SECRET}")
    book: dict[str, Any] | None = Field(description=f"The order book that paper trades were filled from. {_SECRET}")


class FrozenMarketAnswer(Sourced, FrozenMarketData):
    """One market of a round."""


class RoundAnswer(Sourced, RoundData):
    """A round with its markets."""

    asked: list[MarketData] = Field(description="Its markets, by ticker.")


class ForecastData(Answer):
    """A sealed forecast. The seal is public at once, the forecast itself when the round is closed."""

    forecast_id: str = Field(examples=["r-20261121T070000Z/KXA-1/market/aware"])
    seal: str = Field(description="sha256 of the canonical JSON of `payload`.")
    round_id: str
    ticker: str
    agent_id: str
    track: TrackName
    created_at: UtcTime
    opened: bool
    probability: Probability | None = Field(validation_alias="p", description=f"Of YES. {_SECRET}")
    low: Probability | None
    high: Probability | None
    abstain: bool | None = Field(description=_SECRET)
    served_model: str | None = Field(
        description=f"The model that replied, where that is another one than was asked. {_SECRET}"
    )


class ForecastsAnswer(Listing[ForecastData]):
    """Forecasts, newest round first."""


class AttemptData(Answer):
    """One attempt to get an answer from a contestant."""

    attempt: int
    started_at: UtcTime
    latency_ms: int
    model_requested: str | None
    model_served: str | None
    host: str | None
    output_mode: str | None
    context_hash: str | None = Field(
        description="sha256 of the part of the context that the track shows. In older rows that of the whole context."
    )
    prompt: str | None
    raw_reply: str | None
    repairs: list[str] | None = Field(
        description="What of the reply was repaired before it was read, such as `percent:probability`. Null: unknown."
    )
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Dollars | None = Field(description="Null: unknown, not free.")
    cost_source: Literal["billed", "estimated", "bound"] | None
    error_class: str | None


class MarkedAttemptData(AttemptData):
    """An attempt, with a mark where another model replied."""

    @computed_field(description="A model other than the requested one replied. Null: no reply names its model.")  # type: ignore[prop-decorator]
    @property
    def other_model(self) -> bool | None:
        if self.model_requested is None or self.model_served is None:
            return None
        return not same_model(self.model_requested, self.model_served)


class ForecastAnswer(Sourced, ForecastData):
    """A forecast with everything that its seal covers, and with the attempts to get it."""

    payload: dict[str, Any] | None = Field(description=f"Everything that the seal covers. {_SECRET}")
    attempts: list[MarkedAttemptData] = Field(description="Empty until the round is closed.")
    result: Literal["yes", "no", "scalar", "void"] | None


class ProofStep(Answer):
    """One level of the Merkle tree."""

    side: Literal["left", "right"] = Field(description="The side of the sibling.")
    sibling: str


class RootData(Answer):
    """The Merkle root over the seals of a UTC day."""

    day: date
    root: str
    leaves: int
    status: Literal["published", "provisional"] = Field(
        description="`provisional`: the day is not over or its root is not published yet, so seals may be added."
    )


class ProofAnswer(Sourced):
    """Proof that a seal is in the tree of its day. `recipe` says how to check it without trusting this API."""

    forecast_id: str
    seal: str
    root: RootData
    steps: list[ProofStep]
    verified: bool
    payload: dict[str, Any] | None = Field(description=_SECRET)
    recipe: list[str]


class SealsAnswer(Listing[str]):
    """All seals of a day, in order, and their root."""

    root: RootData | None = Field(description="Null on a day without forecasts.")
