"""Rows of the arena's tables as frozen values, and how a row is read. Pure.

Money and probabilities are read as text (`::text`), so that no digit is lost on the way through JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from coliseum.arena.forecasts import Track
from coliseum.arena.frozen_context import book_from
from coliseum.trading.markets import OrderBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A contestant under the terms of its season."""

    agent_id: str
    kind: str
    """llm, statistical, consensus or entrant."""
    name: str
    model: str | None
    tracks: tuple[Track, ...]
    status: str
    """active, needs_key, paused or retired."""
    season: str
    output_mode: str
    params: Mapping[str, Any]
    created_at: datetime | None = None
    """When it first took part; None where that was not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round. It is open from `opened_at` to `closes_at`, whenever in its slot it was opened."""

    round_id: str
    slot: datetime
    season: str
    opened_at: datetime
    closes_at: datetime
    status: str
    exchange: str
    seed: int
    markets: int
    funded_at: datetime | None = None
    """When the money for its models was set aside; None until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedMarket:
    """The part of a round's market that scoring needs."""

    round_id: str
    ticker: str
    event_ticker: str
    series_ticker: str
    category: str
    close_time: datetime
    q: Decimal | None
    """The market's probability when the round opened; None where it had no usable quote."""
    yes_bid: Decimal | None
    yes_ask: Decimal | None
    volume_24h: Decimal
    """Contracts."""
    outcomes: int
    """Of the whole event."""
    mutually_exclusive: bool
    snapshot_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundMarket:
    """One market as it was frozen for a round."""

    round_id: str
    ticker: str
    event_ticker: str
    series_ticker: str
    category: str
    title: str
    close_time: datetime
    context: Mapping[str, Any]
    context_hash: str
    book: OrderBook
    q: Decimal | None
    volume_24h: Decimal
    snapshot_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One question to one agent: a market of a round on a track. `attempt` counts its leases."""

    decision_id: str
    round_id: str
    ticker: str
    agent_id: str
    track: Track
    status: str
    attempt: int
    reason: str | None
    reserved: Decimal = Decimal(0)
    """Dollars set aside for it that no attempt has used yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The part of a forecast that is public at once."""

    forecast_id: str
    ticker: str
    track: Track
    seal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredForecast:
    """A sealed forecast. `p` is None for an abstention."""

    forecast_id: str
    seal: str
    round_id: str
    ticker: str
    agent_id: str
    track: Track
    p: Decimal | None
    payload: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredForecast:
    """The part of a forecast that scoring needs. `p` is None for an abstention."""

    round_id: str
    ticker: str
    agent_id: str
    p: Decimal | None
    created_at: datetime
    replicates: tuple[Decimal, ...] = ()
    """The probabilities of which `p` is the mean; empty where the agent was asked once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionWork:
    """A decision and the totals of all its attempts. None is unknown, never 0."""

    agent_id: str
    round_id: str
    ticker: str
    status: str
    reason: str | None
    p: Decimal | None
    attempts: int
    latency_ms: int | None
    """Of the last attempt."""
    tokens: int | None
    cost_usd: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One version of a market's outcome. `value` is dollars per YES contract."""

    ticker: str
    version: int
    result: str
    value: Decimal
    decided_at: datetime | None
    recorded_at: datetime

    @property
    def graded(self) -> int | None:
        """1 or 0 for YES or NO; None for void and scalar results, which pay but are not scored."""
        return {"yes": 1, "no": 0}.get(self.result)


AGENT_COLUMNS = "agent_id,kind,name,model,tracks,status,season,output_mode,params,created_at"
ROUND_COLUMNS = "round_id,slot,season,opened_at,closes_at,status,exchange,seed,markets,funded_at"
ROUND_MARKET_COLUMNS = (
    "round_id,ticker,event_ticker,series_ticker,category,title,close_time,context,context_hash,book,"
    "q::text,volume_24h::text,snapshot_at"
)
ASKED_MARKET_COLUMNS = (
    "round_id,ticker,event_ticker,series_ticker,category,close_time,q::text,yes_bid::text,yes_ask::text,"
    "volume_24h::text,outcomes,mutually_exclusive,snapshot_at"
)
DECISION_COLUMNS = "decision_id,round_id,ticker,agent_id,track,status,attempt,reason,reserved_usd::text"
FORECAST_COLUMNS = "forecast_id,seal,round_id,ticker,agent_id,track,p::text,payload,created_at"
SCORED_FORECAST_COLUMNS = "round_id,ticker,agent_id,p::text,created_at,replicates"
RESULT_COLUMNS = "ticker,version,result,value::text,decided_at,recorded_at"


def decision_id(round_id: str, ticker: str, agent_id: str, track: Track) -> str:
    """A decision's identity: asked once per round, market, agent and track."""
    return f"{round_id}/{ticker}/{agent_id}/{track.value}"


def agent_from(row: Mapping[str, Any]) -> Agent:
    created_at = row.get("created_at")
    return Agent(
        **{
            **row,
            "tracks": tuple(Track(name) for name in row["tracks"]),
            "created_at": None if created_at is None else _moment(created_at),
        }
    )


def round_from(row: Mapping[str, Any]) -> Round:
    times = {name: _moment(row[name]) for name in ("slot", "opened_at", "closes_at")}
    funded_at = None if row["funded_at"] is None else _moment(row["funded_at"])
    return Round(**{**row, **times, "funded_at": funded_at})


def asked_market_from(row: Mapping[str, Any]) -> AskedMarket:
    times = {name: _moment(row[name]) for name in ("close_time", "snapshot_at")}
    numbers = {name: None if row[name] is None else Decimal(row[name]) for name in ("q", "yes_bid", "yes_ask")}
    return AskedMarket(**{**row, **times, **numbers, "volume_24h": Decimal(row["volume_24h"])})


def scored_forecast_from(row: Mapping[str, Any]) -> ScoredForecast:
    p = None if row["p"] is None else Decimal(row["p"])
    replicates = tuple(map(Decimal, row["replicates"] or ()))
    return ScoredForecast(**{**row, "p": p, "created_at": _moment(row["created_at"]), "replicates": replicates})


def decision_work_from(row: Mapping[str, Any]) -> DecisionWork:
    numbers = {name: None if row[name] is None else Decimal(row[name]) for name in ("p", "cost_usd")}
    return DecisionWork(**{**row, **numbers})


def round_market_from(row: Mapping[str, Any]) -> RoundMarket:
    """A row of `arena_round_markets`, as it is stored or as it is about to be."""
    return RoundMarket(
        **{
            **{name: row[name] for name in RoundMarket.__dataclass_fields__},
            "close_time": _moment(row["close_time"]),
            "snapshot_at": _moment(row["snapshot_at"]),
            "context": _json(row["context"]),
            "book": book_from(_json(row["book"])),
            "q": None if row["q"] is None else Decimal(row["q"]),
            "volume_24h": Decimal(row["volume_24h"]),
        }
    )


def decision_from(row: Mapping[str, Any]) -> Decision:
    return Decision(
        decision_id=row["decision_id"],
        round_id=row["round_id"],
        ticker=row["ticker"],
        agent_id=row["agent_id"],
        track=Track(row["track"]),
        status=row["status"],
        attempt=row["attempt"],
        reason=row["reason"],
        reserved=Decimal(row["reserved_usd"]),
    )


def forecast_from(row: Mapping[str, Any]) -> StoredForecast:
    return StoredForecast(
        **{
            **row,
            "track": Track(row["track"]),
            "p": None if row["p"] is None else Decimal(row["p"]),
            "payload": _json(row["payload"]),
            "created_at": _moment(row["created_at"]),
        }
    )


def result_from(row: Mapping[str, Any]) -> Result:
    return Result(
        ticker=row["ticker"],
        version=row["version"],
        result=row["result"],
        value=Decimal(row["value"]),
        decided_at=None if row["decided_at"] is None else _moment(row["decided_at"]),
        recorded_at=_moment(row["recorded_at"]),
    )


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
