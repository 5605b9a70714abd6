"""When the live bot trades, say on its stream what the panel last said about that market.

The log itself remembers what was told: a trade whose `trade_context` stands behind it is done. So there is no cursor
to keep, and a run that was stopped is made good by the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from coliseum.arena.forecasts import Track
from coliseum.arena.panel.context import Voice, trade_context
from coliseum.arena.public import records
from coliseum.arena.public.records import PublicRecords
from coliseum.feed.entries import Entry, Kind
from coliseum.feed.service import Feed, candidate

ENTRIES = 500
"""How far back in the log a run looks."""
YOUNG = timedelta(minutes=15)
"""A trade that nobody could comment on by then stays without comment."""
REMEMBERED = timedelta(days=2)
"""How long what the panel said counts."""
MARKETS_AT_ONCE = 50


def tell_of_trades(feed: Feed, rows: PublicRecords, *, now: datetime) -> int:
    """Publish the context of young trades that have none yet; how many that were.

    Forecasts of open rounds are secret, so the panel speaks with those of closed ones.
    """
    fresh = _uncommented(feed.latest(ENTRIES).reading.entries, since_ms=int((now - YOUNG).timestamp() * 1000))
    tickers = sorted({entry.data["ticker"] for entry in fresh})[:MARKETS_AT_ONCE]
    if not tickers:
        return 0
    said = _said(rows, tickers, since=now - REMEMBERED)
    candidates = [
        candidate(Kind.TRADE_CONTEXT, str(entry.id), data)
        for entry in fresh
        if (data := trade_context(entry.data, str(entry.id), said.get(entry.data["ticker"], ()))) is not None
    ]
    if not candidates:
        return 0
    return len(feed.publish(candidates, now_ms=int(now.timestamp() * 1000)).entries)


def _uncommented(entries: Sequence[Entry], *, since_ms: int) -> list[Entry]:
    told = {entry.data.get("trade_event_id") for entry in entries if entry.kind is Kind.TRADE_CONTEXT}
    return [
        entry for entry in entries if entry.kind is Kind.TRADE and entry.id.ms >= since_ms and str(entry.id) not in told
    ]


def _said(rows: PublicRecords, tickers: Sequence[str], *, since: datetime) -> dict[str, list[Voice]]:
    """Opened forecasts by market."""
    kinds = {row["agent_id"]: row["kind"] for row in rows.every(records.AGENTS)}
    found: dict[str, list[Voice]] = {}
    opened = rows.every(
        records.FORECASTS,
        [("ticker", "in", tickers), ("opened", "is", True), ("abstain", "is", False), ("created_at", "gte", since)],
    )
    for row in opened:
        voice = Voice(
            agent_id=row["agent_id"],
            kind=kinds[row["agent_id"]],
            track=Track(row["track"]),
            p=Decimal(row["p"]),
            round_id=row["round_id"],
            made_at=datetime.fromisoformat(row["created_at"]).astimezone(UTC),
        )
        found.setdefault(row["ticker"], []).append(voice)
    return found
