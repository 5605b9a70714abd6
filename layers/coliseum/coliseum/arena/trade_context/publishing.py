"""Publish the panel's last forecasts of a market after the live bot has traded in it.

The log itself shows which trades are done: those with a `trade_context` behind them. So no cursor is stored, and the
next run completes one that was stopped.
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
"""Entries of the log that a run reads."""
RECENT = timedelta(minutes=15)
"""Older trades get no context any more."""
FORECASTS_COUNT_FOR = timedelta(days=2)
"""Older forecasts do not count."""
MARKETS_AT_ONCE = 50
CONTEXTS_PER_ENTRY = 50
"""The most contexts in one entry."""


def publish_trade_contexts(feed: Feed, rows: PublicRecords, *, now: datetime) -> int:
    """Publish the context of recent trades that have none yet. Returns how many that were.

    Only forecasts of closed rounds are used, since those of open rounds are secret. A trade is in Postgres within a
    minute. While Postgres has no recent trade the log is not read, because every Redis command is billed.
    """
    if rows.one(records.BOT_TRADES, [("executed_at", "gte", now - RECENT)]) is None:
        return 0
    fresh = _uncommented(feed.latest(ENTRIES).reading.entries, since_ms=int((now - RECENT).timestamp() * 1000))
    tickers = sorted({entry.data["ticker"] for entry in fresh})[:MARKETS_AT_ONCE]
    if not tickers:
        return 0
    forecasts = _panel_forecasts(rows, tickers, since=now - FORECASTS_COUNT_FOR)
    contexts = [
        context
        for entry in fresh
        if (context := trade_context(entry.data, str(entry.id), forecasts.get(entry.data["ticker"], ()))) is not None
    ]
    parts = [contexts[start : start + CONTEXTS_PER_ENTRY] for start in range(0, len(contexts), CONTEXTS_PER_ENTRY)]
    if parts:
        feed.publish([_context_entry(part) for part in parts], now_ms=int(now.timestamp() * 1000))
    return len(contexts)


def _context_entry(contexts: Sequence[Mapping[str, object]]) -> Candidate:
    """One `trade_context` entry."""
    tickers = sorted({str(context["ticker"]) for context in contexts})
    data: dict[str, object] = {"tickers": tickers, "contexts": list(contexts), "count": len(contexts)}
    return event_candidate(EntryKind.TRADE_CONTEXT, str(contexts[0]["trade_event_id"]), data)


def _uncommented(entries: Sequence[Entry], *, since_ms: int) -> list[Entry]:
    with_context = {
        context["trade_event_id"]
        for entry in entries
        if entry.kind is EntryKind.TRADE_CONTEXT
        for context in entry.data.get("contexts", ())
    }
    return [
        entry
        for entry in entries
        if entry.kind is EntryKind.TRADE and entry.id.ms >= since_ms and str(entry.id) not in with_context
    ]


def _panel_forecasts(rows: PublicRecords, tickers: Sequence[str], *, since: datetime) -> dict[str, list[PanelForecast]]:
    """Opened forecasts since `since`, by ticker."""
    kinds = {row["agent_id"]: row["kind"] for row in rows.every(records.AGENTS)}
    by_ticker: dict[str, list[PanelForecast]] = {}
    opened = rows.every(
        records.FORECASTS,
        [("ticker", "in", tickers), ("opened", "is", True), ("abstain", "is", False), ("created_at", "gte", since)],
    )
    for row in opened:
        forecast = PanelForecast(
            agent_id=row["agent_id"],
            kind=kinds[row["agent_id"]],
            track=Track(row["track"]),
            p=Decimal(row["p"]),
            round_id=row["round_id"],
            made_at=datetime.fromisoformat(row["created_at"]).astimezone(UTC),
        )
        by_ticker.setdefault(row["ticker"], []).append(forecast)
    return by_ticker
