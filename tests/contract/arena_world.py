"""A small season of the arena, written by the arena's own code into a real Postgres.

Six markets of six events in a closed round, and one in a round that is still open. The closed
round is moved into the past, which only a superuser without triggers can do.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.fixtures.postgres import _EMPTY, PostgresServer

from coliseum.arena import forecasts
from coliseum.arena.agents.enrollment import enroll
from coliseum.arena.calendar import RoundSlot, season_of, time_text
from coliseum.arena.forecasts import Forecast, Track
from coliseum.arena.frozen_context import context_hash
from coliseum.arena.paper.records import PaperRecords
from coliseum.arena.paper.trading import trade_forecast
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import decision_id
from coliseum.arena.reporting import reports as reporting
from coliseum.arena.season_cells.rows import ReportKey
from coliseum.arena.settling.accounts import mark_accounts, settle_accounts
from coliseum.store.client import Store

MID = Decimal("0.425")
BOOK = {
    "yes": [["0.4000", "400.00"], ["0.3900", "800.00"]],
    "no": [["0.5500", "400.00"], ["0.5300", "800.00"]],
}
SAID = {"sharp": "0.9100", "uniform": "0.5000", "market": "0.4250", "modest": "0.4400"}
"""What each agent forecasts for every market, where it does not abstain."""
BLIND = ("sharp", "uniform", "shy")
SECRET = Decimal("0.8642")
"""What `sharp` forecasts in the open round. No answer may show it."""
SECRET_TICKER = "KXSECRET-26"
REASONS = "the weather told me"
SECRET_REASONS = "a bird told me"
SHY = "shy"


def agents() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {
            "agent_id": name,
            "kind": "statistical",
            "name": name.title(),
            "model": None,
            "tracks": ["blind"] if name in BLIND else ["aware"],
            "status": "active",
            "output_mode": "auto",
            "params": {"rule": "base_rate"},
        }
        for name in [*SAID, SHY]
    ]
    model = {"agent_id": "lama", "kind": "llm", "name": "Lama", "model": "meta/lama-9", "tracks": ["blind", "aware"]}
    return [*rows, {**rows[0], **model, "status": "needs_key", "params": {}}]


@dataclass(frozen=True)
class World:
    """Ids of what the season contains."""

    season: str
    closed: str
    open: str
    tickers: tuple[str, ...]
    """Of the closed round."""
    secret_ticker: str
    digest: str
    """Of the blind board."""
    made_at: datetime
    """When that board was made."""

    @property
    def forecast_id(self) -> str:
        return f"{self.closed}/{self.tickers[0]}/sharp/blind"

    @property
    def secret_id(self) -> str:
        return f"{self.open}/{self.secret_ticker}/sharp/blind"

    @property
    def account(self) -> str:
        return f"{self.season}/sharp/flat"


def build_alone(server: PostgresServer) -> World:
    """Play the season in an emptied database, for the tests of a whole module."""
    server.execute(_EMPTY)
    store = Store(server.url, server.secret_key)
    try:
        return build(store, server)
    finally:
        store.close()


def build(store: Store, server: PostgresServer, *, now: datetime | None = None) -> World:
    """Play the season. All markets of the closed round are settled but the last."""
    records, paper, now = ArenaRecords(store), PaperRecords(store), now or datetime.now(UTC)
    season = season_of(now)
    enroll(records, season, agents())
    tickers = tuple(f"KXA{number}-26" for number in range(6))
    closed = _play(records, season, tickers, now - timedelta(minutes=10))
    _pass_time(server, closed)
    for number, ticker in enumerate(tickers[:-1]):
        outcome = "yes" if number else "no"
        value = Decimal(1 if outcome == "yes" else 0)
        records.record_result(ticker, status="finalized", result=outcome, value=value, decided_at=now)
    settle_accounts(paper, now=now)
    mark_accounts(paper, season=season, also=(), now=now - timedelta(minutes=5), exchange="sandbox")
    records.close_round(closed)
    made_at = datetime.now(UTC)
    digests = []
    for track in (Track.BLIND, Track.AWARE):
        question = ReportKey(season=season, track=track, as_of=made_at, known_at=made_at)
        board = reporting.make_report(records, question, draws=200)
        reporting.save_report(records, board)
        digests.append(board.digest)
    secret = _play(records, season, (SECRET_TICKER,), now)
    # Dated at the minute's beginning, which lies before the round's opening.
    mark_accounts(paper, season=season, also=(), now=datetime.now(UTC), exchange="sandbox")
    return World(season, closed, secret, tickers, SECRET_TICKER, digests[0], made_at)


def _play(records: ArenaRecords, season: str, tickers: tuple[str, ...], opened_at: datetime) -> str:
    slot = RoundSlot(starts_at=opened_at, season=season, seed=7)
    round_id = slot.round_id
    markets = [_market(round_id, ticker, opened_at) for ticker in tickers]
    asked = [
        (ticker, agent["agent_id"], Track(track))
        for agent in agents()
        if agent["status"] == "active"
        for ticker in tickers
        for track in agent["tracks"]
    ]
    opened = records.open_round(
        slot,
        opened_at=opened_at,
        closes_at=datetime.now(UTC) + timedelta(hours=1),
        exchange="sandbox",
        markets=markets,
        decisions=[
            {
                "decision_id": decision_id(round_id, ticker, agent, track),
                "round_id": round_id,
                "ticker": ticker,
                "agent_id": agent,
                "track": track.value,
            }
            for ticker, agent, track in asked
        ],
    )
    assert opened
    for ticker, agent, track in asked:
        _answer(records, decision_id(round_id, ticker, agent, track), secret=ticker == SECRET_TICKER)
    return round_id


def _answer(records: ArenaRecords, decision: str, *, secret: bool) -> None:
    round_id, ticker, agent, track = decision.split("/")
    leased = records.lease_decision(decision, seconds=60)
    assert leased is not None
    attempt = {"decision_id": decision, "attempt": 1, "started_at": datetime.now(UTC).isoformat(), "latency_ms": 7}
    if agent == "modest" and ticker == "KXA1-26":
        failed = {**attempt, "error_class": "timeout", "model_requested": "x/y"}
        records.finish_decision(decision, status="failed", reason="timeout", attempt=failed)
        return
    text = None if agent == SHY else str(SECRET) if secret and agent == "sharp" else SAID[agent]
    forecast = Forecast(
        probability=None if text is None else Decimal(text),
        rationale=SECRET_REASONS if secret else REASONS,
        stake=Decimal(25) if agent == "sharp" else None,
    )
    payload = forecasts.payload(
        round_id=round_id,
        ticker=ticker,
        agent_id=agent,
        track=Track(track),
        context_hash="c" * 64,
        forecast=forecast,
        made_at="2026-11-21T08:00:00Z",
        nonce=hashlib.sha256(decision.encode()).hexdigest(),
    )
    row = {
        "forecast_id": decision,
        "seal": forecasts.seal(payload),
        "round_id": round_id,
        "ticker": ticker,
        "agent_id": agent,
        "track": track,
        "p": payload["probability"],
        "low": None,
        "high": None,
        "abstain": forecast.abstain,
        "payload": payload,
    }
    billed = {**attempt, "cost_usd": "0.001250", "cost_source": "billed", "input_tokens": 100, "output_tokens": 20}
    records.finish_decision(decision, status="done", attempt=billed, forecast=row)
    (stored,) = records.forecasts(where=[("forecast_id", "eq", decision)])
    trade_forecast(records, PaperRecords(records.store), stored)


def _market(round_id: str, ticker: str, at: datetime) -> dict[str, Any]:
    context = {
        "as_of": time_text(at),
        "question": {"ticker": ticker, "title": f"Will {ticker}?"},
        "quote": {"probability": str(MID)},
        "terms": {"fee_type": "quadratic", "fee_multiplier": "1.00", "mutually_exclusive": False},
    }
    return {
        "round_id": round_id,
        "ticker": ticker,
        "event_ticker": ticker.removesuffix("-26"),
        "series_ticker": "KXA",
        "category": "Weather" if ticker < "KXA3" else "Politics",
        "title": f"Will {ticker}?",
        "close_time": (datetime.now(UTC) + timedelta(hours=30)).isoformat(),
        "context": context,
        "context_hash": context_hash(context),
        "book": BOOK,
        "yes_bid": "0.4000",
        "yes_ask": "0.4500",
        "q": str(MID),
        "volume_24h": "100000.00",
        "snapshot_at": at.isoformat(),
    }


def _pass_time(server: PostgresServer, round_id: str) -> None:
    """An hour passes for one round."""
    moved = f"update arena_rounds set closes_at = now() where round_id = '{round_id}'"  # noqa: S608
    server.execute(f"set session_replication_role = replica; {moved}")
