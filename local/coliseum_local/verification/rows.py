"""Rows of exports as they are read for a verification: only what it needs, checked field by field. Pure.

Exports come from an untrusted address or folder. A row of another form is refused with its place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

TrackName = Literal["blind", "aware", "informed", "open"]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=400)]


def _with_zone(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("a time needs its zone")
    return time


Time = Annotated[datetime, AfterValidator(_with_zone)]


class UnreadableSource(Exception):
    """An address or folder cannot be read, or holds something else than exports. The message is one sentence."""


class CheckedRow(BaseModel):
    """Base of all rows. Further fields are ignored: a newer deployment may have them."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CheckedAgent(CheckedRow):
    agent_id: Name
    kind: str
    name: str
    model: str | None
    tracks: list[TrackName]
    status: str
    season: str
    created_at: Time
    rule: str | None = None


class CheckedClaim(CheckedRow):
    number: int = Field(ge=1)
    claim_id: str
    claim: str = Field(max_length=4000)
    seal: Hash
    agent_id: Name
    season: str
    track: TrackName
    registered_at: Time
    previous: Hash
    chain: Hash
    verdict: Literal["supported", "refuted", "unresolved"]
    final: bool
    reason: str | None
    numbers: dict[str, Any] | None
    digest: Hash | None
    looked_at: Time | None


class CheckedRound(CheckedRow):
    round_id: Name
    slot: Time
    season: str
    opened_at: Time
    closes_at: Time
    status: str
    exchange: str
    markets: int


class CheckedMarket(CheckedRow):
    season: str | None = None
    round_id: Name
    ticker: Name
    event_ticker: Name
    series_ticker: str
    category: str
    close_time: Time
    probability: Decimal | None
    yes_bid: Decimal | None
    yes_ask: Decimal | None
    volume_24h: Decimal
    outcomes: int
    mutually_exclusive: bool
    snapshot_at: Time
    context_hash: str
    context: dict[str, Any] | None


class CheckedForecast(CheckedRow):
    season: str | None = None
    forecast_id: Name
    seal: Hash
    round_id: Name
    ticker: Name
    agent_id: Name
    track: TrackName
    created_at: Time
    opened: bool
    probability: Decimal | None
    low: Decimal | None
    high: Decimal | None
    abstain: bool | None
    served_model: str | None = None
    payload: dict[str, Any] | None


class CheckedDecision(CheckedRow):
    season: str | None = None
    decision_id: Name
    round_id: Name
    ticker: Name
    agent_id: Name
    track: TrackName
    status: str
    attempt: int
    reason: str | None
    created_at: Time | None = None
    finished_at: Time | None


class CheckedAttempt(CheckedRow):
    decision_id: Name
    attempt: int
    latency_ms: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    recorded_at: Time


class CheckedResult(CheckedRow):
    ticker: Name
    version: int
    result: str
    value: Decimal
    decided_at: Time | None
    recorded_at: Time


class CheckedSeal(CheckedRow):
    seal: Hash
    forecast_id: Name
    created_at: Time


class CheckedSealRoot(CheckedRow):
    day: date
    root: Hash
    leaves: int


class CheckedCell(CheckedRow):
    model_config = ConfigDict(frozen=True, extra="allow")

    agent: Name
    event: Name
    market: Name
    window: Name
    p: float | None
    q: float | None
    y: float | None
    due_at: Time | Literal["inf"] | None
    settled_at: Time | None
    volume: float | None
    yes_ask: float | None
    no_ask: float | None
    q_1h: float | None
    q_24h: float | None
    q_close: float | None
    strike: float | None
    noise: float | None = None

    @property
    def place(self) -> tuple[str, str, str]:
        return self.agent, self.window, self.market


class CheckedReport(CheckedRow):
    digest: Hash
    season: str
    track: TrackName
    as_of: Time
    known_at: Time
    engine_version: str
    rules_version: str
    input_hash: str
    report: dict[str, Any]


Row = TypeVar("Row", bound=CheckedRow)


def row_from(model: type[Row], line: str | bytes, place: str) -> Row:
    """A line of JSON as a row. Raises UnreadableSource, which names `place`."""
    try:
        return model.model_validate(json_from(line))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or "row"
        raise UnreadableSource(f"{place}: {field}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise UnreadableSource(f"{place}: not JSON: {error}") from None


def json_from(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError for NaN, infinity, and an object with a repeated key."""
    return json.loads(text, object_pairs_hook=_object, parse_constant=_refused)


def database_rows(rows: Mapping[str, Iterable[CheckedRow]]) -> dict[str, list[dict[str, Any]]]:
    """The rows with the names of the database's columns, as plain JSON: what `rebuild.rebuild` takes."""
    return {name: [_database_row(row) for row in table] for name, table in rows.items()}


def _database_row(row: CheckedRow) -> dict[str, Any]:
    values = {name: _plain(value) for name, value in row}
    if isinstance(row, CheckedCell):
        return cell_values(row)
    if isinstance(row, CheckedAgent):
        return {**values, "output_mode": "auto", "params": {} if row.rule is None else {"rule": row.rule}}
    if isinstance(row, CheckedRound):
        return {**values, "seed": 0, "funded_at": None}
    if isinstance(row, CheckedMarket):
        del values["context"], values["context_hash"]
        return {**values, "q": values.pop("probability")}
    if isinstance(row, CheckedForecast):
        replicates = (values.pop("payload") or {}).get("replicates")
        return {**values, "p": values["probability"], "replicates": replicates}
    return values


def cell_values(row: CheckedCell) -> dict[str, Any]:
    """The values of an exported cell as those of the engine's `Cell`; an infinite time is the text `inf`."""
    values = dict(row)
    values["settled_at"] = None if row.settled_at is None else row.settled_at.timestamp()
    values["due_at"] = row.due_at.timestamp() if isinstance(row.due_at, datetime) else row.due_at
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("an object has the same key twice")
    return made


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
