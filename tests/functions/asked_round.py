"""A round that is open now, with markets frozen by hand, as the forecaster finds it in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from coliseum.arena.agents.enrollment import enroll_roster
from coliseum.arena.agents.roster import BOTH, MODEL_TRACKS, Roster, roster
from coliseum.arena.calendar import slot_at, time_text
from coliseum.arena.frozen_context import book_json, context_hash
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.rounds.opening import decisions
from coliseum.arena.sources.source import DatedSource
from coliseum.store.client import Store
from coliseum.trading.markets import Level, OrderBook
from coliseum_local.gateway.events import sqs

D = Decimal
TICKER = "KXRAIN-26NOV22-NYC"
MODELS = ("claude-haiku-5.5", "gpt-6-luna")
BOOK = OrderBook(
    yes_bids=(Level(D("0.30"), D(500)), Level(D("0.29"), D(900))),
    no_bids=(Level(D("0.68"), D(500)), Level(D("0.67"), D(900))),
)


@dataclass(frozen=True)
class AskedRound:
    round_id: str
    records: ArenaRecords

    def decision(self, agent_id: str, track: str, ticker: str = TICKER) -> str:
        return f"{self.round_id}/{ticker}/{agent_id}/{track}"

    def status(self, agent_id: str, track: str) -> tuple[str, int, str | None]:
        """(status, attempt, reason) of a decision."""
        wanted = self.decision(agent_id, track)
        found = next(one for one in self.records.decisions(self.round_id) if one.decision_id == wanted)
        return found.status, found.attempt, found.reason


def contestants(
    models: Sequence[str] = MODELS, *, tracks: Sequence[str] = BOTH, options: Mapping[str, Any] | None = None
) -> Roster:
    """The roster of the package with fewer models, on these tracks, with these options on top of its own."""
    full = roster()
    own = tuple(
        {
            **row,
            "tracks": list(tracks),
            "params": {**row["params"], "options": {**row["params"]["options"], **(options or {})}},
        }
        for row in full.models
        if row["agent_id"] in models
    )
    return Roster(own, full.others)


def ask(
    store: Store,
    *,
    models: Sequence[str] = MODELS,
    has_key: bool = True,
    open_for: timedelta = timedelta(minutes=30),
    tickers: Sequence[str] = (TICKER,),
    title: str = "Will it rain in New York?",
    sources: Sequence[DatedSource] = (),
    options: Mapping[str, Any] | None = None,
) -> AskedRound:
    """Enrol the roster and open a round over the markets, without reserving money for its models.

    With `sources` the models are informed, too.
    """
    records, now = ArenaRecords(store), datetime.now(UTC)
    slot = slot_at(now, every=timedelta(minutes=30))
    tracks = MODEL_TRACKS if sources else BOTH
    enroll_roster(
        records, slot.season, has_key=has_key, contestants=contestants(models, tracks=tracks, options=options)
    )
    active = [agent for agent in records.agents() if agent.status == "active"]
    made = records.open_round(
        slot,
        opened_at=now,
        closes_at=now + open_for,
        exchange="kalshi",
        markets=[market_row(slot.round_id, ticker, now, title, sources=sources) for ticker in tickers],
        decisions=decisions(active, tickers, slot),
    )
    assert made
    return AskedRound(slot.round_id, records)


def market_row(
    round_id: str, ticker: str, now: datetime, title: str, *, sources: Sequence[DatedSource] = ()
) -> dict[str, Any]:
    closes = now + timedelta(hours=36)
    full = {
        "as_of": time_text(now),
        "question": {
            "ticker": ticker,
            "event_ticker": ticker.rpartition("-")[0],
            "series_ticker": "KXRAIN",
            "category": "Climate and Weather",
            "title": title,
            "subtitle": "New York",
            "rules": "Resolves YES if it rains.",
            "rules_secondary": "",
            "open_time": time_text(now - timedelta(days=1)),
            "close_time": time_text(closes),
            "can_close_early": False,
            "other_outcomes": [],
        },
        "precedent": {"yes": 12, "resolved": 40},
        "sources": [source.shown() for source in sources],
        "terms": {"fee_type": "quadratic", "fee_multiplier": "1", "mutually_exclusive": True},
        "quote": {"yes_bid": "0.3000", "yes_ask": "0.3200", "probability": "0.3100", "last_price": "0.3100"},
        "history": [],
        "activity": {"volume_24h": "12000", "open_interest": "900"},
    }
    return {
        "round_id": round_id,
        "ticker": ticker,
        "event_ticker": ticker.rpartition("-")[0],
        "series_ticker": "KXRAIN",
        "category": "Climate and Weather",
        "title": title,
        "close_time": closes.isoformat(),
        "context": full,
        "context_hash": context_hash(full),
        "book": book_json(BOOK),
        "yes_bid": "0.3000",
        "yes_ask": "0.3200",
        "q": "0.3100",
        "volume_24h": "12000",
        "snapshot_at": full["as_of"],
    }


def event(*bodies: str, received: int = 1) -> dict[str, Any]:
    """A batch as SQS hands it over."""
    messages = [
        {
            "MessageId": str(uuid4()),
            "ReceiptHandle": uuid4().hex,
            "Body": body,
            "Attributes": {"ApproximateReceiveCount": str(received)},
            "MD5OfBody": "0" * 32,
        }
        for body in bodies
    ]
    return sqs(messages, queue_arn="arn:aws:sqs:us-east-1:123456789012:decisions")
