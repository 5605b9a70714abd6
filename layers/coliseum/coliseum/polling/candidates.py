"""What the poller publishes, as candidates for the log, each with the identity that marks a repetition. Pure."""

from __future__ import annotations

from typing import Any

from coliseum.bot.parse import RejectedTrade
from coliseum.feed.entries import Candidate, EntryKind, event_candidate, trade_json
from coliseum.feed.timestamps import rfc3339
from coliseum.polling.checkpoint import SourceGap
from coliseum.trading.trades import Trade, TradeSource


def trade_candidate(trade: Trade, *, run: str) -> Candidate:
    """A trade of the bot's run `run`. The log decides whether it is new, a correction or a repetition."""
    return Candidate(
        kind=EntryKind.TRADE,
        key=f"trade:{trade.trade_id}",
        digest=trade.digest(),
        data=trade_json(trade),
        boot=run.replace("|", " "),
        at=repr(trade.timestamp),
        correctable=trade.source is TradeSource.BOT_LIVE,
    )


def rejected_trade_candidate(rejected: RejectedTrade) -> Candidate:
    """The announcement of a row that is no valid trade. Readers cannot get it, so it counts as a gap of one."""
    data = {
        "reason": "invalid_trade",
        "lost": 1,
        "trade_id": rejected.trade_id,
        "detail": rejected.problem,
    }
    return event_candidate(EntryKind.SOURCE_GAP, f"invalid_trade:{rejected.trade_id or ''}:{rejected.digest}", data)


def source_gap_candidate(gap: SourceGap, *, late: bool = False) -> Candidate:
    """The announcement of a gap: how many trades are missing, and how many the exchange supplied.

    A `late` one replaces an earlier announcement of the same gap (same reason, from and to).
    """
    data: dict[str, Any] = {
        "reason": gap.reason,
        "from": rfc3339(gap.from_ms),
        "to": rfc3339(gap.to_ms),
        "lost": gap.lost,
        "backfilled": gap.backfilled,
    }
    if gap.lost is None:
        data["at_least"] = gap.at_least
    if late:
        data["late"] = True
    key = f"{gap.key}:late:{gap.lost}:{gap.backfilled}" if late else gap.key
    return event_candidate(EntryKind.SOURCE_GAP, key, data)


def bot_status_candidate(status: dict[str, Any], *, marked_ms: int | None = None) -> Candidate:
    """The bot went online or offline, or changed between paper and live; or a mark changed at `marked_ms`."""
    key = f"{status['status']}:{status.get('mode')}:{status['since']}"
    return event_candidate(EntryKind.BOT_STATUS, key if marked_ms is None else f"{key}:{marked_ms}", status)
