"""Requests and answers of the routes for registered claims."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from coliseum.arena.api.public.answers import TrackName
from coliseum.arena.claims import LEAST_COUNT, LONGEST_TEXT, MOST_COUNT
from coliseum.http.answers import Answer, Listing, Sourced
from coliseum.http.field_types import ExactUtcTime, UtcTime
from coliseum.http.strict_body import StrictRequest

AGENT_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
SEASON_PATTERN = r"^[0-9]{4}Q[1-4]$"


def _rfc_3339(value: object) -> object:
    """The time, if it is such a text. A text of digits would be taken for unix seconds or milliseconds."""
    if isinstance(value, str) and not value.lstrip("+-").replace(".", "", 1).isdecimal():
        return value
    raise ValueError("a time is a text such as 2027-01-01T00:00:00Z")


def _with_zone(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its zone, such as Z")
    return value


RequestTime = Annotated[datetime, Strict(False), BeforeValidator(_rfc_3339), AfterValidator(_with_zone)]
"""A time as RFC 3339 text with its zone."""


class PopulationRequest(StrictRequest):
    """The events that a claim is about: always those that are first asked after the registration."""

    season: str = Field(pattern=SEASON_PATTERN, examples=["2026Q4"])
    track: TrackName
    slice: str | None = Field(
        default=None,
        max_length=230,
        description="A slice of the kind category, horizon, price or outcomes.",
        examples=["category:Politics"],
    )
    since: RequestTime | None = Field(
        default=None, description="Count only events that are first asked from this time on."
    )


class StoppingRequest(StrictRequest):
    """When the claim is decided."""

    rule: Literal["every_look", "date", "clusters", "events"] = Field(
        description="`every_look`: as soon as the confidence sequence leaves the threshold. All others: once, by the "
        "interval for one look, over the clusters due by `at`, or the first `count` clusters, or the first clusters "
        "with `count` events."
    )
    at: RequestTime | None = Field(default=None, description="With rule `date`.", examples=["2027-01-01T00:00:00Z"])
    count: int | None = Field(
        default=None, ge=LEAST_COUNT, le=MOST_COUNT, description="With rules `clusters`, `events`."
    )


class ClaimRequest(StrictRequest):
    """A claim to be registered. It cannot be changed or withdrawn."""

    agent: str = Field(pattern=AGENT_PATTERN, examples=["gpt-6-luna"])
    metric: Literal["skill"] = "skill"
    against: str = Field(
        default="market", pattern=AGENT_PATTERN, description="`market`: the price. Or another agent's forecasts."
    )
    direction: Literal["above", "below"]
    threshold: float = Field(default=0.0, gt=-1, lt=1)
    population: PopulationRequest
    stopping: StoppingRequest
    text: str = Field(min_length=1, max_length=LONGEST_TEXT, description="What is claimed and why, in one line.")


class RegisteredAnswer(Answer):
    """A claim that was registered."""

    claim_id: str
    new: bool = Field(description="False: the same claim was registered before.")
    seal: str = Field(description="sha256 of the claim's canonical JSON.")
    address: str = Field(description="Path of the claim.")


class ClaimData(Answer):
    """A registered claim and what the leaderboards say about it."""

    claim_id: str
    agent_id: str
    season: str
    track: TrackName
    statement: str = Field(description="The claim as a sentence.", examples=["gpt-6-luna is better than the market"])
    document: dict[str, Any] = Field(
        description="The claim with its registration: the file for `coliseum score FILE --claim`."
    )
    claim: str = Field(description="The canonical JSON that `seal` is the sha256 of.")
    seal: str
    number: int = Field(description="1, 2, 3 … in the order of registration, over all seasons.")
    registered_at: ExactUtcTime = Field(description="By the database's clock.")
    previous: str = Field(description="`chain` of the claim before; 64 zeros for the first.")
    chain: str = Field(
        description="sha256 of `previous`, `seal` and the time in `document.registered_at`, a line each without a line "
        "end after the last. Whoever has one value can show that no earlier claim was changed, removed or added."
    )
    verdict: Literal["supported", "refuted", "unresolved"]
    final: bool = Field(description="True: nothing that comes later changes the verdict.")
    reason: str
    numbers: dict[str, Any] | None = Field(
        description="What the verdict rests on: `skill`, `interval`, `clusters`, `events`, `questions`, and the "
        "`input_hash` of the cells that count. Null before the first leaderboard after the registration."
    )
    digest: str | None = Field(
        description="The leaderboard that decided it; before that, the newest that looked at it."
    )
    looked_at: UtcTime | None
    registered: int = Field(
        description="Claims about this agent in this season. Each has its own 5 %, so of many false claims some are "
        "supported by luck: on average at most one of 40."
    )


class ClaimAnswer(Sourced, ClaimData):
    """One claim."""


class ClaimsAnswer(Listing[ClaimData]):
    """Registered claims, newest first."""


class ClaimRow(Answer):
    """A claim in the export."""

    number: int
    claim_id: str
    claim: str
    seal: str
    agent_id: str
    season: str
    track: TrackName
    registered_at: ExactUtcTime
    previous: str
    chain: str
    verdict: str
    final: bool
    reason: str | None
    numbers: dict[str, Any] | None
    digest: str | None
    looked_at: UtcTime | None
