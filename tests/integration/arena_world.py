"""A small arena over a real database: contestants, rounds of invented markets, forecasts, results, killed processes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from secrets import token_hex
from typing import Any

from tests.fixtures.postgres import PostgresServer
from tests.unit.arena.offers import book, market

from coliseum.arena import forecasts
from coliseum.arena.agents.enrollment import enroll
from coliseum.arena.calendar import season_of, slot_at, time_text
from coliseum.arena.forecasts import Forecast, Track
from coliseum.arena.frozen_context import CandidateMarket, book_json, build_context, context_hash, shown_hash
from coliseum.arena.paper.records import PaperRecords
from coliseum.arena.paper.trading import trade_forecast
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import StoredForecast, decision_id
from coliseum.arena.rounds.opening import decisions
from coliseum.store.client import Store
from coliseum.trading.markets import OrderBook

CONTESTANTS: list[dict[str, Any]] = [
    {"agent_id": "market", "kind": "statistical", "name": "Market", "model": None, "tracks": ["aware"]},
    {"agent_id": "uniform", "kind": "statistical", "name": "Uniform", "model": None, "tracks": ["blind"]},
    {"agent_id": "panel", "kind": "consensus", "name": "Panel", "model": None, "tracks": ["blind"]},
]
MODEL = {
    "agent_id": "oracle",
    "kind": "llm",
    "name": "Oracle",
    "model": "delphi/oracle-1",
    "tracks": ["blind", "aware"],
}
TERMS = {"fee_type": "quadratic", "fee_multiplier": "1.00", "mutually_exclusive": False}


class Killed(BaseException):
    """The process was killed here."""


class DyingStore(Store):
    """A store whose process is killed right after its `steps`-th write, which the database has stored."""

    def __init__(self, living: Store, *, steps: int) -> None:
        self.__dict__.update(living.__dict__)
        self._steps = steps
        self.writes = 0

    def rpc(self, function: str, args: Mapping[str, Any]) -> Any:
        return self._write(lambda: Store.rpc(self, function, args))

    def insert(self, *args: Any, **more: Any) -> int:
        return int(self._write(lambda: Store.insert(self, *args, **more)))

    def upsert(self, *args: Any, **more: Any) -> int:
        return int(self._write(lambda: Store.upsert(self, *args, **more)))

    def _write(self, write: Any) -> Any:
        self.writes += 1
        answer = write()
        if self.writes == self._steps:
            raise Killed
        return answer


def now() -> datetime:
    return datetime.now(UTC)


def paper(records: ArenaRecords) -> PaperRecords:
    """The paper accounts of the same database."""
    return PaperRecords(records.store)


def enrolled(records: ArenaRecords, *, model: bool = False, season: str | None = None) -> str:
    """Enrol the contestants. Returns the season."""
    season = season or season_of(now())
    contestants = [{**one, "status": "active", "params": {}} for one in (*CONTESTANTS, *([MODEL] if model else []))]
    enroll(records, season, contestants)
    return season


def open_round(
    records: ArenaRecords,
    tickers: Sequence[str] = ("A",),
    *,
    books: OrderBook | None = None,
    ago: timedelta = timedelta(0),
    minutes: float = 10,
    exchange: str = "sandbox",
) -> str:
    """Open a round of these tickers for all active agents. Returns its id. Each `ago` needs a different slot."""
    opened_at = now() - ago
    slot = slot_at(opened_at, every=timedelta(seconds=1))
    # In the first minutes of a quarter `ago` reaches into the season before, in which no contestant is enrolled.
    (newest,) = records.store.select("arena_seasons", "season", order=("starts_at.desc",), limit=1)
    slot = replace(slot, season=max(slot.season, newest["season"]))
    agents = [agent for agent in records.agents() if agent.status == "active"]
    assert records.open_round(
        slot,
        opened_at=opened_at,
        closes_at=opened_at + timedelta(minutes=minutes),
        exchange=exchange,
        markets=[_frozen(slot.round_id, ticker, books or book(), opened_at) for ticker in tickers],
        decisions=decisions(agents, tickers, slot),
    )
    return slot.round_id


def answer(
    records: ArenaRecords,
    round_id: str,
    *,
    agent: str = "uniform",
    ticker: str = "A",
    track: Track = Track.BLIND,
    p: str | None = "0.70",
    stake: str | None = None,
    traded: bool = True,
    replicates: tuple[Decimal, ...] | None = None,
) -> StoredForecast:
    """Seal a forecast, and let the accounts trade it unless `traded` is false."""
    shown = shown_hash(records.round_market(round_id, ticker).context, track)
    row = forecast_row(
        round_id, agent=agent, ticker=ticker, track=track, p=p, stake=stake, shown=shown, replicates=replicates
    )
    assert records.finish_decision(row["forecast_id"], status="done", forecast=row)
    (stored,) = records.forecasts(where=[("forecast_id", "eq", row["forecast_id"])])
    if traded:
        trade_forecast(records, paper(records), stored)
    return stored


def forecast_row(
    round_id: str,
    *,
    agent: str = "uniform",
    ticker: str = "A",
    track: Track = Track.BLIND,
    p: str | None = "0.70",
    stake: str | None = None,
    shown: str = "0" * 64,
    replicates: tuple[Decimal, ...] | None = None,
) -> dict[str, Any]:
    """The row of a sealed forecast, as a worker hands it in. `shown` is the hash of what its track shows."""
    about: dict[str, Any] = {"round_id": round_id, "ticker": ticker, "agent_id": agent, "track": track}
    forecast = Forecast(
        probability=None if p is None else Decimal(p),
        stake=None if stake is None else Decimal(stake),
        replicates=replicates,
    )
    decision = decision_id(round_id, ticker, agent, track)
    payload = forecasts.payload(
        **about, context_hash=shown, forecast=forecast, made_at=time_text(now()), nonce=token_hex(16)
    )
    return {
        **about,
        "track": track.value,
        "forecast_id": decision,
        "seal": forecasts.seal(payload),
        "p": p,
        "abstain": p is None,
        "payload": payload,
    }


def entered(records: ArenaRecords, name: str = "Outsider") -> str:
    """The id of a new outside agent."""
    made = records.store.rpc(
        "arena_register_entrant_from",
        {
            "p": {
                "name": name,
                "contact": "a@b.org",
                "endpoint": None,
                "token_hash": _token_hash(name),
                "claim_hash": "b" * 64,
                "status": "active",
                "requests_per_minute": 30,
                "forecasts_per_day": 100,
            },
            "p_from": "c" * 64,
            "p_most": 60,
        },
    )
    return str(made["entrant_id"])


def seal_as_entrant(
    records: ArenaRecords, entrant: str, round_id: str, ticker: str, *, name: str = "Outsider", p: str = "0.37"
) -> str:
    """Store the only forecast of an outside agent (with its name), and return the seal."""
    payload = forecasts.payload(
        round_id=round_id,
        ticker=ticker,
        agent_id=entrant,
        track=Track.OPEN,
        context_hash=records.round_market(round_id, ticker).context_hash,
        forecast=Forecast(probability=Decimal(p)),
        made_at=time_text(now()),
        nonce=token_hex(16),
    )
    seal = forecasts.seal(payload)
    args = {
        "p_token_hash": _token_hash(name),
        "p_question": f"{round_id}.{ticker}",
        "p_payload": payload,
        "p_seal": seal,
    }
    assert records.store.rpc("arena_submit_forecast", args)["seal"] == seal
    return seal


def _token_hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def end_round(server: PostgresServer, round_id: str) -> None:
    """Let the round be over now. The gateway's keys cannot do this."""
    behind(server, f"update public.arena_rounds set closes_at = now() where round_id = '{round_id}'")  # noqa: S608 - a test's own id


def behind(server: PostgresServer, sql: str) -> None:
    """Run SQL as the superuser with all triggers off."""
    server.execute(f"set session_replication_role = replica; {sql}")


def ledgers_of(records: ArenaRecords) -> dict[str, list[tuple[Any, ...]]]:
    """The ledger rows of every account, without times."""
    return {
        book.account.account_id: [
            (entry.row.key, entry.row.kind, entry.row.contracts, entry.row.cash, entry.row.realized)
            for entry in paper(records).ledger(book.account.account_id)
        ]
        for book in paper(records).accounts()
    }


def _frozen(round_id: str, ticker: str, frozen: OrderBook, at: datetime) -> dict[str, Any]:
    asked = market(ticker, event_ticker=f"EVENT-{ticker}", close_time=at + timedelta(hours=6))
    offer = CandidateMarket(market=asked, series_ticker="KXRAIN", category="Weather")
    full = build_context(offer, frozen, as_of=at, terms=TERMS)
    return {
        "round_id": round_id,
        "ticker": ticker,
        "event_ticker": asked.event_ticker,
        "series_ticker": offer.series_ticker,
        "category": offer.category,
        "title": asked.title,
        "close_time": asked.close_time.isoformat(),
        "context": full,
        "context_hash": context_hash(full),
        "book": book_json(frozen),
        "yes_bid": full["quote"]["yes_bid"],
        "yes_ask": full["quote"]["yes_ask"],
        "q": full["quote"]["probability"],
        "volume_24h": "100000",
        "snapshot_at": full["as_of"],
    }
