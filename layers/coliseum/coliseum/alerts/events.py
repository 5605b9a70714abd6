"""Alerts about single events: lost trades, a changed exchange, a market that closes, another leader. Pure.

Each has an id that depends on the event alone. A log that begins a new epoch may hold the same event again, and the
database drops an id that it knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from coliseum.alert_settings import AlertLimits
from coliseum.alerts.facts import ExchangeFacts, StoredFacts
from coliseum.alerts.findings import subject
from coliseum.alerts.rules import Rule, RuleName
from coliseum.alerts.states import AlertChange, noted
from coliseum.feed.entries import Entry, EntryKind
from coliseum.feed.timestamps import rfc3339


def log_events(
    entries: tuple[Entry, ...], rules: Mapping[RuleName, Rule], limits: AlertLimits, *, now: float
) -> tuple[AlertChange, ...]:
    """The events among the entries."""
    found: list[AlertChange] = []
    for entry in entries:
        if entry.kind is EntryKind.SOURCE_GAP and RuleName.TRADES_LOST in rules:
            found += _lost_trades(entry.data, rules[RuleName.TRADES_LOST], limits, now)
        elif entry.kind is EntryKind.EXCHANGE_CHANGED and RuleName.EXCHANGE_CHANGED in rules:
            found.append(_changed(entry.data, rules[RuleName.EXCHANGE_CHANGED], now))
    return tuple(found)


def _lost_trades(data: Mapping[str, Any], rule: Rule, limits: AlertLimits, now: float) -> Iterator[AlertChange]:
    reported = data.get("lost") if data.get("lost") is not None else data.get("at_least")
    lost = _whole(reported) - _whole(data.get("backfilled"))
    if lost < (limits.trades_lost_count or 1):
        return
    at_least = "at least " if data.get("lost") is None else ""
    between = f" between {data['from']} and {data['to']}" if data.get("from") and data.get("to") else ""
    text = f"The bot lost {at_least}{lost} of its trades{between} ({data.get('reason')})."
    # A late announcement of the same gap has the same reason, beginning and end, and so the same id.
    identity = "|".join(str(data.get(name)) for name in ("reason", "from", "to", "trade_id", "detail"))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    yield noted(rule, f"{subject(str(data.get('reason')))}-{digest}", _seconds(data.get("from")), text, now=now)


def _changed(data: Mapping[str, Any], rule: Rule, now: float) -> AlertChange:
    name = f"{data.get('object')}.{data.get('field')}"
    text = (
        f"The exchange changed {name} ({str(data.get('change')).replace('_', ' ')}). "
        f"It concerns {data.get('depends_on') or 'nothing here'}."
    )
    return noted(rule, subject(f"{name}.{data.get('change')}"), 1, text, now=now)


def closing_events(
    stored: StoredFacts, exchange: ExchangeFacts, rules: Mapping[RuleName, Rule], limits: AlertLimits, *, now: float
) -> tuple[AlertChange, ...]:
    """One for each open position whose market closes soon, unless it was traded within these last hours.

    A bot that trades markets of minutes or hours knows that they close. What is meant is a position from before.
    """
    rule = rules.get(RuleName.CLOSING)
    if rule is None or limits.closing_hours is None or stored.positions is None:
        return ()
    found: list[AlertChange] = []
    for position in stored.positions:
        closes = exchange.closes.get(position.ticker)
        if closes is None or not now < closes <= now + 3600 * limits.closing_hours:
            continue
        if position.last_fill_at is None or position.last_fill_at < closes - 3600 * limits.closing_hours:
            side = "YES" if position.contracts > 0 else "NO"
            at = rfc3339(int(closes * 1000))
            text = f"{position.ticker} closes at {at}, and {abs(position.contracts)} {side} contracts are open."
            found.append(noted(rule, subject(position.ticker), int(closes), text, now=now))
    return tuple(found)


def board_events(
    entries: tuple[Entry, ...], memory: Mapping[str, Any], rules: Mapping[RuleName, Rule], *, now: float
) -> tuple[tuple[AlertChange, ...], Mapping[str, Any]]:
    """Changes of the leader of each board, and the memory with the present leaders."""
    leaders = dict(memory.get("leaders") or {})
    rule, found = rules.get(RuleName.BOARD_RANK), []
    for entry in entries:
        standings = entry.data.get("standings") if entry.kind is EntryKind.LEADERBOARD_CHANGED else None
        if not isinstance(standings, list) or not standings or not isinstance(standings[0], dict):
            continue
        board, leader = f"{entry.data.get('season')}.{entry.data.get('track')}", str(standings[0].get("agent_id"))
        before = leaders.get(board)
        if rule is not None and before is not None and before != leader:
            text = f"{leader} leads the board {board} now, before {before}."
            digest = str(entry.data.get("digest"))[:12]
            found.append(noted(rule, subject(f"{board}.{digest}"), _seconds(entry.data.get("as_of")), text, now=now))
        leaders[board] = leader
    # A leader's name is kept for the boards of a year and a bit.
    return tuple(found), {**memory, "leaders": dict(list(leaders.items())[-20:])} if leaders else dict(memory)


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _seconds(text: object) -> int:
    """Unix seconds of an RFC 3339 time; 1 where there is none."""
    with suppress(ValueError):
        return int(datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp())
    return 1
