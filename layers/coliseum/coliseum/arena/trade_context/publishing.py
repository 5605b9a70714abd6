"""When the live bot trades, say on its stream what the panel last said about that market.

The log itself remembers what was told: a trade whose `trade_context` stands behind it is done. So there is no cursor
to keep, and a run that was stopped is made good by the next one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from coliseum.arena.forecasts import Track
from coliseum.arena.records import public as records
from coliseum.arena.records.public import PublicRecords
from coliseum.arena.trade_context.context import PanelForecast, trade_context
from coliseum.feed.entries import Candidate, Entry, EntryKind, event_candidate
from coliseum.feed.feed import Feed

ENTRIES = 500
"""How far back in the log a run looks."""
YOUNG = timedelta(minutes=15)
"""A trade that nobody could comment on by then stays without comment."""
REMEMBERED = timedelta(days=2)
"""How long what the panel said counts."""
MARKETS_AT_ONCE = 50
TOLD_AT_ONCE = 50
"""Contexts of one entry."""


def publish_trade_contexts(feed: Feed, rows: PublicRecords, *, now: datetime) -> int:
    """Publish the context of young trades that have none yet; how many that were.

    Forecasts of open rounds are secret, so the panel speaks with those of closed ones. A trade is in Postgres within a
    minute: while there is no young one, the log is not read, which Redis would bill.
    """
    if rows.one(records.BOT_TRADES, [("executed_at", "gte", now - YOUNG)]) is None:
        return 0
    fresh = _uncommented(feed.latest(ENTRIES).reading.entries, since_ms=int((now - YOUNG).timestamp() * 1000))
    tickers = sorted({entry.data["ticker"] for entry in fresh})[:MARKETS_AT_ONCE]
    if not tickers:
        return 0
    said = _said(rows, tickers, since=now - REMEMBERED)
    contexts = [
        context
        for entry in fresh
        if (context := trade_context(entry.data, str(entry.id), said.get(entry.data["ticker"], ()))) is not None
    ]
    parts = [contexts[start : start + TOLD_AT_ONCE] for start in range(0, len(contexts), TOLD_AT_ONCE)]
    if parts:
        feed.publish([_told(part) for part in parts], now_ms=int(now.timestamp() * 1000))
    return len(contexts)


def _told(contexts: Sequence[Mapping[str, object]]) -> Candidate:
    """One `trade_context` entry."""
    tickers = sorted({str(context["ticker"]) for context in contexts})
    data: dict[str, object] = {"tickers": tickers, "contexts": list(contexts), "count": len(contexts)}
    return event_candidate(EntryKind.TRADE_CONTEXT, str(contexts[0]["trade_event_id"]), data)


def _uncommented(entries: Sequence[Entry], *, since_ms: int) -> list[Entry]:
    told = {
        context["trade_event_id"]
        for entry in entries
        if entry.kind is EntryKind.TRADE_CONTEXT
        for context in entry.data.get("contexts", ())
    }
    return [
        entry
        for entry in entries
        if entry.kind is EntryKind.TRADE and entry.id.ms >= since_ms and str(entry.id) not in told
    ]


def _said(rows: PublicRecords, tickers: Sequence[str], *, since: datetime) -> dict[str, list[PanelForecast]]:
    """Opened forecasts by market."""
    kinds = {row["agent_id"]: row["kind"] for row in rows.every(records.AGENTS)}
    found: dict[str, list[PanelForecast]] = {}
    opened = rows.every(
        records.FORECASTS,
        [("ticker", "in", tickers), ("opened", "is", True), ("abstain", "is", False), ("created_at", "gte", since)],
    )
    for row in opened:
        voice = PanelForecast(
            agent_id=row["agent_id"],
            kind=kinds[row["agent_id"]],
            track=Track(row["track"]),
            p=Decimal(row["p"]),
            round_id=row["round_id"],
            made_at=datetime.fromisoformat(row["created_at"]).astimezone(UTC),
        )
        found.setdefault(row["ticker"], []).append(voice)
    return found
