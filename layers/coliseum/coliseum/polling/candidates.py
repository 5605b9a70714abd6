"""The poller's findings as entries for the log, each with what makes it the same finding twice. Pure."""

from __future__ import annotations

from typing import Any

from coliseum.bot.parse import RejectedTrade
from coliseum.feed.entries import Candidate, EntryKind, trade_json
from coliseum.polling.checkpoint import SourceGap
from coliseum.polling.status import rfc3339
from coliseum.trading.trades import Trade, TradeSource


def trade_candidate(trade: Trade, *, run: str) -> Candidate:
    """A trade as the bot's run `run` told it, or a correction of it; the log decides which."""
    return Candidate(
        kind=EntryKind.TRADE,
        key=f"trade:{trade.trade_id}",
        digest=trade.digest(),
        data=trade_json(trade),
        boot=run.replace("|", " "),
        at=repr(trade.timestamp),
        correctable=trade.source is TradeSource.BOT_LIVE,
    )


def rejected_trade_candidate(entry: RejectedTrade) -> Candidate:
    """A trade the bot told in a form we do not understand: lost for the readers, so announced."""
    data = {
        "reason": "invalid_trade",
        "lost": 1,
        "trade_id": entry.trade_id,
        "detail": entry.problem,
    }
    return _once(EntryKind.SOURCE_GAP, f"invalid_trade:{entry.trade_id or ''}:{entry.digest}", data)


def source_gap_candidate(hole: SourceGap, *, late: bool = False) -> Candidate:
    """A hole: how many trades remain unknown, and how many the exchange stood in for.

    `late` replaces an earlier announcement of the same hole (same reason, from and to).
    """
    data: dict[str, Any] = {
        "reason": hole.reason,
        "from": rfc3339(hole.from_ms),
        "to": rfc3339(hole.to_ms),
        "lost": hole.lost,
        "backfilled": hole.backfilled,
    }
    if hole.lost is None:
        data["at_least"] = hole.at_least
    if late:
        data["late"] = True
    return _once(EntryKind.SOURCE_GAP, f"{hole.key}:late:{hole.lost}:{hole.backfilled}" if late else hole.key, data)


def bot_status_candidate(status: dict[str, Any]) -> Candidate:
    """The bot went online or offline, or changed between paper and live."""
    return _once(EntryKind.BOT_STATUS, f"{status['status']}:{status.get('mode')}:{status['since']}", status)


def _once(kind: EntryKind, key: str, data: dict[str, Any]) -> Candidate:
    return Candidate(kind=kind, key=f"{kind.value}:{key}", digest="", data=data)
