"""The arena's rows and what they mean. The only file that knows its tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from coliseum.arena.forecasts import Track
from coliseum.arena.paper.account import Row, RowKind
from coliseum.arena.paper.sizing import Policy
from coliseum.arena.rounds import Slot, season_span
from coliseum.errors import NotFound
from coliseum.store.client import Condition, Store
from coliseum.trading.markets import Level, OrderBook
from coliseum.trading.money import decimal_text
from coliseum.trading.trades import Outcome

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperAccount:
    account_id: str
    season: str
    agent_id: str
    policy: Policy
    deposit: Decimal


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A ledger row with the time of its happening."""

    row: Row
    at: datetime
    round_id: str | None


@dataclass(frozen=True, slots=True)
class Mark:
    """What an account was worth, in dollars: cash, and cash plus positions at the bid after fee."""

    at: datetime
    cash: Decimal
    equity: Decimal


_AGENT = "agent_id,kind,name,model,tracks,status,season,output_mode,params"
_ROUND = "round_id,slot,season,opened_at,closes_at,status,exchange,seed,markets"
_MARKET = (
    "round_id,ticker,event_ticker,series_ticker,category,title,close_time,context,context_hash,book,"
    "q::text,volume_24h::text,snapshot_at"
)
_DECISION = "decision_id,round_id,ticker,agent_id,track,status,attempt,reason"
_FORECAST = "forecast_id,seal,round_id,ticker,agent_id,track,p::text,payload,created_at"
_LEDGER = "seq,key,kind,ticker,side,contracts::text,price::text,cash::text,realized::text,round_id,at"


class ArenaRecords:
    """Reads and writes of the arena's tables."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # -- who plays

    def field(self, agents: Sequence[Mapping[str, Any]], season: str) -> None:
        """Make the season and its agents and accounts exist; what is there stays as it is, slugs included.

        Agents of an earlier season enter this one under the new terms, unless they were paused or retired.
        """
        start, end = season_span(season)
        self._store.insert(
            "arena_seasons",
            [{"season": season, "starts_at": start.isoformat(), "ends_at": end.isoformat()}],
            ignore_duplicates_on="season",
        )
        known = {agent.agent_id: agent for agent in self.agents()}
        rows = [{**agent, "season": season} for agent in agents]
        self._store.insert("arena_agents", rows, ignore_duplicates_on="agent_id")
        entering = [row for row in rows if row["agent_id"] in known and _may_enter(known[row["agent_id"]], season)]
        self._store.upsert("arena_agents", entering, on_conflict="agent_id")
        accounts = [
            {
                "account_id": f"{season}/{agent['agent_id']}/{policy.value}",
                "season": season,
                "agent_id": agent["agent_id"],
                "policy": policy.value,
                "deposit": decimal_text(DEPOSIT),
            }
            for agent in agents
            for policy in Policy
        ]
        self._store.insert("arena_accounts", accounts, ignore_duplicates_on="account_id")

    def agents(self) -> tuple[Agent, ...]:
        rows = self._store.select("arena_agents", _AGENT, order=("agent_id",))
        return tuple(_agent(row) for row in rows)

    def agent(self, agent_id: str) -> Agent:
        """Raises NotFound for an unknown agent."""
        return _agent(self._agent_row(agent_id))

    def set_agent_status(self, agent_id: str, status: str) -> None:
        """Raises NotFound for an unknown agent."""
        row = self._agent_row(agent_id)
        self._store.upsert("arena_agents", [{**row, "status": status}], on_conflict="agent_id")

    def set_output_mode(self, agent_id: str, output_mode: str) -> None:
        """Remember how this agent's model can be made to answer. Raises NotFound for an unknown agent."""
        row = self._agent_row(agent_id)
        self._store.upsert("arena_agents", [{**row, "output_mode": output_mode}], on_conflict="agent_id")

    def _agent_row(self, agent_id: str) -> dict[str, Any]:
        found = self._store.select("arena_agents", _AGENT, where=[("agent_id", "eq", agent_id)], limit=1)
        if not found:
            raise NotFound("agent", agent_id)
        return found[0]

    # -- rounds

    def open_round(
        self,
        slot: Slot,
        *,
        opened_at: datetime,
        exchange: str,
        markets: Sequence[Mapping[str, Any]],
        decisions: Sequence[Mapping[str, Any]],
    ) -> tuple[bool, str]:
        """(made by this call, round id). Rows go in together or not at all; a slot has one round."""
        answer = self._store.rpc(
            "arena_open_round",
            {
                "p": {
                    "round": {
                        "round_id": slot.round_id,
                        "slot": slot.starts_at.isoformat(),
                        "season": slot.season,
                        "opened_at": opened_at.isoformat(),
                        "closes_at": slot.closes_at.isoformat(),
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
        return bool(answer["opened"]), str(answer["round_id"])

    def round(self, round_id: str) -> Round:
        rows = self._store.select("arena_rounds", _ROUND, where=[("round_id", "eq", round_id)], limit=1)
        if not rows:
            raise NotFound("round", round_id)
        return _round(rows[0])

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

    def set_round_status(self, round_id: str, status: str) -> None:
        found = self._store.select("arena_rounds", _ROUND, where=[("round_id", "eq", round_id)], limit=1)
        if not found:
            raise NotFound("round", round_id)
        self._store.upsert("arena_rounds", [{**found[0], "status": status}], on_conflict="round_id")

    def round_market(self, round_id: str, ticker: str) -> RoundMarket:
        rows = self._store.select(
            "arena_round_markets", _MARKET, where=[("round_id", "eq", round_id), ("ticker", "eq", ticker)], limit=1
        )
        if not rows:
            raise NotFound("round market", f"{round_id}/{ticker}")
        return _round_market(rows[0])

    def round_markets(self, round_ids: Iterable[str]) -> tuple[RoundMarket, ...]:
        rows = [
            row
            for round_id in round_ids
            for row in self._store.select(
                "arena_round_markets", _MARKET, where=[("round_id", "eq", round_id)], order=("ticker",)
            )
        ]
        return tuple(_round_market(row) for row in rows)

    # -- decisions and forecasts

    def decisions(self, round_id: str, *, status: str | None = None) -> tuple[Decision, ...]:
        where: list[Condition] = [("round_id", "eq", round_id)]
        if status is not None:
            where.append(("status", "eq", status))
        rows = self._store.select("arena_decisions", _DECISION, where=where, order=("decision_id",))
        return tuple(_decision(row) for row in rows)

    def expired(self, now: datetime) -> tuple[Decision, ...]:
        """Running decisions whose lease is over: their worker died."""
        rows = self._store.select(
            "arena_decisions",
            _DECISION,
            where=[("status", "eq", "running"), ("lease_until", "lt", now.isoformat())],
            order=("decision_id",),
        )
        return tuple(_decision(row) for row in rows)

    def offers(self, rounds: Iterable[str], track: Track) -> tuple[tuple[str, str, str], ...]:
        """(agent, round, ticker) of what agents were asked; what the house skipped (budget, circuit) was no offer."""
        return tuple(
            (row["agent_id"], round_id, row["ticker"])
            for round_id in rounds
            for row in self._store.select(
                "arena_decisions",
                "decision_id,agent_id,ticker",
                where=[("round_id", "eq", round_id), ("track", "eq", track.value), ("status", "neq", "skipped")],
                order=("decision_id",),
            )
        )

    def lease_decision(self, decision_id: str, *, seconds: int) -> Decision | None:
        """The decision, taken for `seconds`; None where it is finished, taken, or its round is over."""
        row = self._store.rpc("arena_lease_decision", {"p_decision": decision_id, "p_seconds": seconds})
        return _decision(row) if row else None

    def finish_decision(
        self,
        decision_id: str,
        *,
        status: str,
        reason: str | None = None,
        attempt: Mapping[str, Any] | None = None,
        forecast: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record an attempt, its forecast and the decision's status in one transaction; False for a repetition."""
        body = {
            "decision_id": decision_id,
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

    def forecast_tickers(self) -> frozenset[str]:
        """Every market that was ever put into a round and has not been settled for long."""
        rows = self._store.select("arena_waiting_tickers", "ticker", order=("ticker",))
        return frozenset(row["ticker"] for row in rows)

    # -- money for models

    def reserve(self, day: date, amount: Decimal, *, cap: Decimal, scope: str = "global") -> bool:
        """Set money of a day aside before it is spent; False where the cap forbids it."""
        args = {
            "p_day": day.isoformat(),
            "p_scope": scope,
            "p_amount": decimal_text(amount, places=6),
            "p_cap": decimal_text(cap, places=6),
        }
        return bool(self._store.rpc("arena_reserve", args))

    def settle_budget(self, day: date, *, reserved: Decimal, spent: Decimal, scope: str = "global") -> None:
        args = {
            "p_day": day.isoformat(),
            "p_scope": scope,
            "p_reserved": decimal_text(reserved, places=6),
            "p_spent": decimal_text(spent, places=6),
        }
        self._store.rpc("arena_settle", args)

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
        columns = "ticker,version,result,value::text,decided_at,recorded_at"
        if tickers is None:
            rows = self._store.select("arena_results", columns, order=("ticker", "version"))
        else:
            names = sorted(set(tickers))
            rows = self._store.select("arena_results", columns, where=[("ticker", "in", names)]) if names else []
        found: dict[str, list[Result]] = {}
        for row in sorted(rows, key=lambda row: (row["ticker"], row["version"])):
            found.setdefault(row["ticker"], []).append(
                Result(
                    ticker=row["ticker"],
                    version=row["version"],
                    result=row["result"],
                    value=Decimal(row["value"]),
                    decided_at=None if row["decided_at"] is None else _moment(row["decided_at"]),
                    recorded_at=_moment(row["recorded_at"]),
                )
            )
        return {ticker: tuple(versions) for ticker, versions in found.items()}

    # -- paper accounts

    def accounts(self, *, season: str | None = None, agent_id: str | None = None) -> tuple[PaperAccount, ...]:
        where: list[Condition] = []
        if season is not None:
            where.append(("season", "eq", season))
        if agent_id is not None:
            where.append(("agent_id", "eq", agent_id))
        rows = self._store.select(
            "arena_accounts", "account_id,season,agent_id,policy,deposit::text", where=where, order=("account_id",)
        )
        return tuple(
            PaperAccount(**{**row, "policy": Policy(row["policy"]), "deposit": Decimal(row["deposit"])}) for row in rows
        )

    def ledger(self, account_id: str, *, after: int = 0) -> tuple[LedgerEntry, ...]:
        rows = self._store.select(
            "arena_ledger", _LEDGER, where=[("account_id", "eq", account_id), ("seq", "gt", after)], order=("seq",)
        )
        return tuple(_ledger_entry(row) for row in rows)

    def append_ledger(self, account_id: str, rows: Sequence[Row], *, at: datetime, round_id: str | None = None) -> int:
        """Append rows that follow the ledger's end; a repetition changes nothing. Returns the last seq.

        Raises SourceRefused (40001) where another writer was faster: read the ledger again and decide anew.
        """
        if not rows:
            return 0
        body = [
            {
                "account_id": account_id,
                "seq": row.seq,
                "key": row.key,
                "kind": row.kind.value,
                "ticker": row.ticker,
                "side": None if row.side is None else row.side.value,
                "contracts": _text(row.contracts),
                "price": _text(row.price),
                "cash": decimal_text(row.cash),
                "realized": decimal_text(row.realized),
                "round_id": round_id,
                "at": at.isoformat(),
            }
            for row in rows
        ]
        args = {"p_account": account_id, "p_after": rows[0].seq - 1, "p_rows": body}
        return int(self._store.rpc("arena_append_ledger", args))

    def note_paper_decision(self, values: Mapping[str, Any]) -> None:
        """Why an account traded or did not; the first note of a decision and account stays."""
        self._store.insert("arena_paper_decisions", [values], ignore_duplicates_on="decision_id,account_id")

    def last_seen(self, tickers: Iterable[str]) -> dict[str, RoundMarket]:
        """Each market as the newest round froze it."""
        names = sorted(set(tickers))
        rows = self._store.select("arena_round_markets", _MARKET, where=[("ticker", "in", names)]) if names else []
        newest: dict[str, RoundMarket] = {}
        for market in map(_round_market, rows):
            if market.ticker not in newest or newest[market.ticker].snapshot_at < market.snapshot_at:
                newest[market.ticker] = market
        return newest

    def mark(self, account_id: str, *, at: datetime, cash: Decimal, equity: Decimal) -> None:
        """Write down what an account was worth; a second mark of the same instant is dropped."""
        self._store.insert(
            "arena_marks",
            [
                {
                    "account_id": account_id,
                    "at": at.isoformat(),
                    "cash": decimal_text(cash),
                    "equity": decimal_text(equity),
                }
            ],
            ignore_duplicates_on="account_id,at",
        )

    def marks(self, account_id: str, *, since: datetime | None = None) -> tuple[Mark, ...]:
        """Oldest first."""
        where: list[Condition] = [("account_id", "eq", account_id)]
        if since is not None:
            where.append(("at", "gte", since.isoformat()))
        rows = self._store.select("arena_marks", "at,cash::text,equity::text", where=where, order=("at",))
        return tuple(Mark(_moment(row["at"]), Decimal(row["cash"]), Decimal(row["equity"])) for row in rows)

    # -- reports

    def save_report(self, values: Mapping[str, Any]) -> bool:
        """True where this digest is new."""
        return self._store.insert("arena_reports", [values], ignore_duplicates_on="digest") > 0

    def save_seal_root(self, day: date, root: str, leaves: int) -> None:
        self._store.upsert(
            "arena_seal_roots", [{"day": day.isoformat(), "root": root, "leaves": leaves}], on_conflict="day"
        )


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


def _may_enter(agent: Agent, season: str) -> bool:
    return agent.season < season and agent.status not in {"paused", "retired"}


def _round(row: Mapping[str, Any]) -> Round:
    times = {name: _moment(row[name]) for name in ("slot", "opened_at", "closes_at")}
    return Round(**{**row, **times})


def _round_market(row: Mapping[str, Any]) -> RoundMarket:
    return RoundMarket(
        **{
            **row,
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


def _ledger_entry(row: Mapping[str, Any]) -> LedgerEntry:
    return LedgerEntry(
        Row(
            seq=row["seq"],
            key=row["key"],
            kind=RowKind(row["kind"]),
            cash=Decimal(row["cash"]),
            realized=Decimal(row["realized"]),
            ticker=row["ticker"],
            side=None if row["side"] is None else Outcome(row["side"]),
            contracts=None if row["contracts"] is None else Decimal(row["contracts"]),
            price=None if row["price"] is None else Decimal(row["price"]),
        ),
        _moment(row["at"]),
        row["round_id"],
    )


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else decimal_text(value)
