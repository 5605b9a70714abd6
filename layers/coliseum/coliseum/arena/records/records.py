"""The arena's rows and what they mean. This file and `paper/records.py` are the only ones that know its tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from coliseum.arena.forecasts import Track
from coliseum.arena.paper.records import PaperRecords
from coliseum.arena.paper.sizing import policies_of
from coliseum.arena.rounds.selection import Slot, season_span
from coliseum.errors import NotFound
from coliseum.store.client import Condition, Store
from coliseum.trading.markets import Level, OrderBook
from coliseum.trading.money import decimal_text

DEPOSIT = Decimal(10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A contestant as it is fielded this season."""

    agent_id: str
    kind: str
    """llm, statistical or consensus."""
    name: str
    model: str | None
    tracks: tuple[Track, ...]
    status: str
    """active, needs_key, paused or retired."""
    season: str
    output_mode: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
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
    """When the money for its models was set aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedMarket:
    """What scoring needs of a market in a round."""

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
    decision_id: str
    round_id: str
    ticker: str
    agent_id: str
    track: Track
    status: str
    attempt: int
    reason: str | None
    reserved: Decimal = Decimal(0)
    """Dollars set aside for it and not yet accounted for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What is public of a forecast at once."""

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
class Answer:
    """What scoring needs of a forecast. `p` is None for an abstention."""

    round_id: str
    ticker: str
    agent_id: str
    p: Decimal | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A question that an agent was asked, and what all its attempts took. None is unknown, never 0."""

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
        """1 or 0 for a clean outcome; None for void and scalar ones, which pay but are not graded."""
        return {"yes": 1, "no": 0}.get(self.result)


_AGENT = "agent_id,kind,name,model,tracks,status,season,output_mode,params"
_ROUND = "round_id,slot,season,opened_at,closes_at,status,exchange,seed,markets,funded_at"
_MARKET = (
    "round_id,ticker,event_ticker,series_ticker,category,title,close_time,context,context_hash,book,"
    "q::text,volume_24h::text,snapshot_at"
)
_ASKED = (
    "round_id,ticker,event_ticker,series_ticker,category,close_time,q::text,yes_bid::text,yes_ask::text,"
    "volume_24h::text,outcomes,mutually_exclusive,snapshot_at"
)
_DECISION = "decision_id,round_id,ticker,agent_id,track,status,attempt,reason,reserved_usd::text"
_FORECAST = "forecast_id,seal,round_id,ticker,agent_id,track,p::text,payload,created_at"
_ANSWER = "round_id,ticker,agent_id,p::text,created_at"
_WORK = "agent_id,round_id,ticker,status,reason,p::text,attempts,latency_ms,tokens,cost_usd::text"
_RESULT = "ticker,version,result,value::text,decided_at,recorded_at"
ROUNDS_AT_ONCE = 60
"""Ids of one question: they travel in its URL."""


class ArenaRecords:
    """Reads and writes of the arena's tables."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.paper = PaperRecords(store)

    # -- who plays

    def field(self, agents: Sequence[Mapping[str, Any]], season: str) -> None:
        """Make the season, its agents and their accounts with their deposits exist, in one transaction.

        What is there stays as it is, slugs included; agents of an earlier season enter this one under the new terms.
        Between `active` and `needs_key` the given status counts; paused and retired ones stay so.
        """
        start, end = season_span(season)
        accounts = [
            {
                "account_id": f"{season}/{agent['agent_id']}/{policy.value}",
                "agent_id": agent["agent_id"],
                "policy": policy.value,
                "deposit": decimal_text(DEPOSIT),
                # Who plays both tracks trades the one on which it sees no price.
                "track": (Track.BLIND if Track.BLIND in agent["tracks"] else Track.AWARE).value,
            }
            for agent in agents
            for policy in policies_of(agent["kind"])
        ]
        named = {"season": season, "starts_at": start.isoformat(), "ends_at": end.isoformat()}
        body = {"season": named, "agents": [dict(agent) for agent in agents], "accounts": accounts}
        self._store.rpc("arena_field", {"p": body})

    def agents(self) -> tuple[Agent, ...]:
        rows = self._store.select("arena_agents", _AGENT, order=("agent_id",))
        return tuple(_agent(row) for row in rows)

    def agent(self, agent_id: str) -> Agent:
        """Raises NotFound for an unknown agent."""
        rows = self._store.select("arena_agents", _AGENT, where=[("agent_id", "eq", agent_id)], limit=1)
        if not rows:
            raise NotFound("agent", agent_id)
        return _agent(rows[0])

    def set_agent_status(self, agent_id: str, status: str) -> None:
        """Raises NotFound for an unknown agent."""
        self._set_agent(agent_id, p_status=status)

    def set_output_mode(self, agent_id: str, output_mode: str) -> None:
        """Remember how this agent's model can be made to answer. Raises NotFound for an unknown agent."""
        self._set_agent(agent_id, p_output_mode=output_mode)

    def _set_agent(self, agent_id: str, **changes: str) -> None:
        if not self._store.rpc("arena_set_agent", {"p_agent": agent_id, **changes}):
            raise NotFound("agent", agent_id)

    # -- rounds

    def open_round(
        self,
        slot: Slot,
        *,
        opened_at: datetime,
        closes_at: datetime,
        exchange: str,
        markets: Sequence[Mapping[str, Any]],
        decisions: Sequence[Mapping[str, Any]],
    ) -> bool:
        """True where this call made it. Rows go in together or not at all; a slot has one round."""
        answer = self._store.rpc(
            "arena_open_round",
            {
                "p": {
                    "round": {
                        "round_id": slot.round_id,
                        "slot": slot.starts_at.isoformat(),
                        "season": slot.season,
                        "opened_at": opened_at.isoformat(),
                        "closes_at": closes_at.isoformat(),
                        "status": "open",
                        "exchange": exchange,
                        "seed": slot.seed,
                        "markets": len(markets),
                    },
                    "markets": list(markets),
                    "decisions": list(decisions),
                }
            },
        )
        return bool(answer["opened"])

    def find_round(self, round_id: str) -> Round | None:
        rows = self._store.select("arena_rounds", _ROUND, where=[("round_id", "eq", round_id)], limit=1)
        return _round(rows[0]) if rows else None

    def round(self, round_id: str) -> Round:
        found = self.find_round(round_id)
        if found is None:
            raise NotFound("round", round_id)
        return found

    def fund_round(self, round_id: str, *, each: Mapping[str, Decimal], cap: Decimal) -> frozenset[str] | None:
        """Pay for a round, once; the agents whose whole round is paid for. None where it had been done before.

        `each` is what one of an agent's decisions may cost. The cheapest agents come first; those whose round the
        day's `cap` forbids have their decisions skipped.
        """
        amounts = {agent_id: decimal_text(amount, places=6) for agent_id, amount in each.items()}
        args = {"p_round": round_id, "p_each": amounts, "p_cap": decimal_text(cap, places=6)}
        funded = self._store.rpc("arena_fund_round", args)
        return None if funded is None else frozenset(funded)

    def close_round(self, round_id: str) -> bool:
        """Close a round whose time is over; what is unanswered has failed. False where nothing was to be done."""
        return bool(self._store.rpc("arena_close_round", {"p_round": round_id}))

    def rounds(
        self,
        *,
        season: str | None = None,
        status: str | None = None,
        before: datetime | None = None,
        limit: int | None = 50,
    ) -> tuple[Round, ...]:
        """Newest first."""
        where: list[Condition] = [] if season is None else [("season", "eq", season)]
        if status is not None:
            where.append(("status", "eq", status))
        if before is not None:
            where.append(("slot", "lt", before.isoformat()))
        rows = self._store.select("arena_rounds", _ROUND, where=where, order=("slot.desc",), limit=limit)
        return tuple(_round(row) for row in rows)

    def round_market(self, round_id: str, ticker: str) -> RoundMarket:
        rows = self._store.select(
            "arena_round_markets", _MARKET, where=[("round_id", "eq", round_id), ("ticker", "eq", ticker)], limit=1
        )
        if not rows:
            raise NotFound("round market", f"{round_id}/{ticker}")
        return round_market_from(rows[0])

    def asked_markets(self, round_ids: Iterable[str]) -> tuple[AskedMarket, ...]:
        """All markets of these rounds, without what contestants were shown of them."""
        rows = self._by_rounds("arena_asked_markets", _ASKED, round_ids, order=("round_id", "ticker"))
        return tuple(_asked(row) for row in rows)

    def _by_rounds(
        self,
        table: str,
        columns: str,
        round_ids: Iterable[str],
        *,
        where: Sequence[Condition] = (),
        order: Sequence[str],
    ) -> list[dict[str, Any]]:
        """Rows of many rounds in few questions."""
        ids = sorted(set(round_ids))
        parts = [ids[start : start + ROUNDS_AT_ONCE] for start in range(0, len(ids), ROUNDS_AT_ONCE)]
        return [
            row
            for part in parts
            for row in self._store.select(table, columns, where=[("round_id", "in", part), *where], order=order)
        ]

    # -- decisions and forecasts

    def decisions(self, round_id: str, *, status: str | None = None) -> tuple[Decision, ...]:
        where: list[Condition] = [("round_id", "eq", round_id)]
        if status is not None:
            where.append(("status", "eq", status))
        rows = self._store.select("arena_decisions", _DECISION, where=where, order=("decision_id",))
        return tuple(_decision(row) for row in rows)

    def hand_out(self, *, again_seconds: int, attempts: int) -> tuple[str, ...]:
        """Decisions to put on the queue now, marked as queued; unanswered, they are due again after `again_seconds`.

        A decision whose worker died `attempts` times has failed.
        """
        given = self._store.rpc("arena_hand_out", {"p_again": again_seconds, "p_attempts": attempts})
        return tuple(given)

    def work(self, rounds: Iterable[str], track: Track) -> tuple[Work, ...]:
        """What agents were asked in these rounds and what it took; what the house skipped was not asked."""
        rows = self._by_rounds(
            "arena_work", _WORK, rounds, where=[("track", "eq", track.value)], order=("decision_id",)
        )
        return tuple(_work(row) for row in rows)

    def lease_decision(self, decision_id: str, *, seconds: int) -> Decision | None:
        """The decision, taken for `seconds`; None where it is finished, taken, or its round is over."""
        row = self._store.rpc("arena_lease_decision", {"p_decision": decision_id, "p_seconds": seconds})
        return _decision(row) if row else None

    def finish_decision(
        self,
        decision_id: str,
        *,
        status: str,
        lease: int | None = None,
        reason: str | None = None,
        attempt: Mapping[str, Any] | None = None,
        forecast: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record an attempt, its cost, its forecast and the decision's status in one transaction.

        `lease` is the attempt that speaks, the newest one by default. False for a repetition.
        """
        body = {
            "decision_id": decision_id,
            "lease": lease,
            "status": status,
            "reason": reason,
            "attempt": None if attempt is None else dict(attempt),
            "forecast": None if forecast is None else dict(forecast),
        }
        return bool(self._store.rpc("arena_finish_decision", {"p": body})["changed"])

    def forecasts(
        self,
        *,
        where: Sequence[Condition] = (),
        order: Sequence[str] = ("created_at.desc", "forecast_id"),
        limit: int | None = None,
    ) -> tuple[StoredForecast, ...]:
        rows = self._store.select("arena_forecasts", _FORECAST, where=where, order=order, limit=limit)
        return tuple(_forecast(row) for row in rows)

    def said(self, round_id: str, agent_id: str) -> tuple[Seal, ...] | None:
        """What an agent has sealed in a round, once it has nothing more to say there; None until then."""
        rows = self._store.rpc("arena_said", {"p_round": round_id, "p_agent": agent_id})
        return None if rows is None else tuple(Seal(**{**row, "track": Track(row["track"])}) for row in rows)

    def seals(self, round_id: str) -> dict[str, tuple[Seal, ...]]:
        """All seals of a round, by agent."""
        columns = "forecast_id,ticker,track,seal,agent_id"
        rows = self._store.select(
            "arena_forecasts", columns, where=[("round_id", "eq", round_id)], order=("agent_id", "forecast_id")
        )
        found: dict[str, list[Seal]] = {}
        for row in rows:
            seal = Seal(
                forecast_id=row["forecast_id"], ticker=row["ticker"], track=Track(row["track"]), seal=row["seal"]
            )
            found.setdefault(row["agent_id"], []).append(seal)
        return {agent_id: tuple(seals) for agent_id, seals in found.items()}

    def answers(self, round_ids: Iterable[str], track: Track) -> tuple[Answer, ...]:
        """All forecasts of these rounds and this track, without their reasons."""
        rows = self._by_rounds(
            "arena_forecasts", _ANSWER, round_ids, where=[("track", "eq", track.value)], order=("forecast_id",)
        )
        return tuple(_answer(row) for row in rows)

    def waiting_tickers(self) -> tuple[str, ...]:
        """Markets that were put into a round and have no result, or one so young that it may be amended."""
        rows = self._store.select("arena_waiting_tickers", "ticker", order=("ticker",))
        return tuple(row["ticker"] for row in rows)

    # -- money for models

    def reserve(self, decision_id: str, amount: Decimal, *, cap: Decimal) -> bool:
        """Set money of the round's day aside for a decision; False where the cap forbids it.

        It is accounted for when the attempt is written down, or when its worker is not heard of again.
        """
        amounts = {"p_amount": decimal_text(amount, places=6), "p_cap": decimal_text(cap, places=6)}
        return bool(self._store.rpc("arena_reserve", {"p_decision": decision_id, **amounts}))

    def budget_warning(self, share: Decimal) -> Mapping[str, str] | None:
        """A day (`day`, `spent_usd`, `cap_usd`) whose budget is spent to this share; once per day."""
        found = self._store.rpc("arena_budget_warning", {"p_share": decimal_text(share)})
        return found or None

    # -- results

    def record_result(
        self, ticker: str, *, status: str, result: str, value: Decimal, decided_at: datetime | None
    ) -> int:
        """The result's version; a repetition of the newest one changes nothing."""
        return int(
            self._store.rpc(
                "arena_record_result",
                {
                    "p_ticker": ticker,
                    "p_status": status,
                    "p_result": result,
                    "p_value": decimal_text(value, places=4),
                    "p_decided": None if decided_at is None else decided_at.isoformat(),
                },
            )
        )

    def results(self, tickers: Iterable[str] | None = None) -> dict[str, tuple[Result, ...]]:
        """All versions per ticker, oldest first."""
        if tickers is None:
            rows = self._store.select("arena_results", _RESULT, order=("ticker", "version"))
        else:
            names = sorted(set(tickers))
            rows = self._store.select("arena_results", _RESULT, where=[("ticker", "in", names)]) if names else []
        found: dict[str, list[Result]] = {}
        for row in sorted(rows, key=lambda row: (row["ticker"], row["version"])):
            found.setdefault(row["ticker"], []).append(_result(row))
        return {ticker: tuple(versions) for ticker, versions in found.items()}

    def young_results(self, *, since: datetime) -> tuple[Result, ...]:
        """Results recorded at that time or later."""
        rows = self._store.select(
            "arena_results", _RESULT, where=[("recorded_at", "gte", since.isoformat())], order=("ticker", "version")
        )
        return tuple(_result(row) for row in rows)

    # -- reports

    def save_report(self, values: Mapping[str, Any]) -> bool:
        """True where this digest is new."""
        return self._store.insert("arena_reports", [values], ignore_duplicates_on="digest") > 0

    def report_due(self, season: str, track: Track) -> bool:
        """Whether a round has closed or a result has come in since the season's newest report."""
        return bool(self._store.rpc("arena_report_due", {"p_season": season, "p_track": track.value}))

    # -- proofs

    def unrooted_days(self) -> tuple[date, ...]:
        """UTC days that are over and have forecasts, but no Merkle root."""
        rows = self._store.select("arena_unrooted_days", "day", order=("day",))
        return tuple(date.fromisoformat(row["day"]) for row in rows)

    def day_seals(self, day: date) -> tuple[str, ...]:
        """The seals of all forecasts of a UTC day."""
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        end = start + timedelta(days=1)
        rows = self._store.select(
            "arena_forecasts",
            "seal",
            where=[("created_at", "gte", start.isoformat()), ("created_at", "lt", end.isoformat())],
            order=("seal",),
        )
        return tuple(row["seal"] for row in rows)

    def save_seal_root(self, day: date, root: str, leaves: int) -> None:
        """The first root of a day stays."""
        row = {"day": day.isoformat(), "root": root, "leaves": leaves}
        self._store.insert("arena_seal_roots", [row], ignore_duplicates_on="day")


def decision_id(round_id: str, ticker: str, agent_id: str, track: Track) -> str:
    """A decision's identity: asked once per round, market, agent and track."""
    return f"{round_id}/{ticker}/{agent_id}/{track.value}"


def book_from(value: Mapping[str, Any]) -> OrderBook:
    """The frozen depth as `rounds.book_json` wrote it."""

    def levels(side: str) -> tuple[Level, ...]:
        return tuple(Level(Decimal(price), Decimal(count)) for price, count in value[side])

    return OrderBook(yes_bids=levels("yes"), no_bids=levels("no"))


def _agent(row: Mapping[str, Any]) -> Agent:
    return Agent(**{**row, "tracks": tuple(Track(name) for name in row["tracks"])})


def _round(row: Mapping[str, Any]) -> Round:
    times = {name: _moment(row[name]) for name in ("slot", "opened_at", "closes_at")}
    funded_at = None if row["funded_at"] is None else _moment(row["funded_at"])
    return Round(**{**row, **times, "funded_at": funded_at})


def _asked(row: Mapping[str, Any]) -> AskedMarket:
    times = {name: _moment(row[name]) for name in ("close_time", "snapshot_at")}
    numbers = {name: None if row[name] is None else Decimal(row[name]) for name in ("q", "yes_bid", "yes_ask")}
    return AskedMarket(**{**row, **times, **numbers, "volume_24h": Decimal(row["volume_24h"])})


def _answer(row: Mapping[str, Any]) -> Answer:
    p = None if row["p"] is None else Decimal(row["p"])
    return Answer(**{**row, "p": p, "created_at": _moment(row["created_at"])})


def _work(row: Mapping[str, Any]) -> Work:
    numbers = {name: None if row[name] is None else Decimal(row[name]) for name in ("p", "cost_usd")}
    return Work(**{**row, **numbers})


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


def _decision(row: Mapping[str, Any]) -> Decision:
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


def _forecast(row: Mapping[str, Any]) -> StoredForecast:
    return StoredForecast(
        **{
            **row,
            "track": Track(row["track"]),
            "p": None if row["p"] is None else Decimal(row["p"]),
            "payload": _json(row["payload"]),
            "created_at": _moment(row["created_at"]),
        }
    )


def _result(row: Mapping[str, Any]) -> Result:
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
