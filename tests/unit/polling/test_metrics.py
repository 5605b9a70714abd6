from __future__ import annotations

from typing import Any

from coliseum.feed.entries import Candidate, EntryId, EntryKind
from coliseum.polling.metrics import MinuteMetrics, TickResult


def tick(*published: tuple[EntryKind, dict[str, Any]], failed: bool = False) -> TickResult:
    entries = tuple(
        (EntryId(1, number), Candidate(kind=kind, key=str(number), digest="", data=data))
        for number, (kind, data) in enumerate(published)
    )
    return TickResult(published=entries, redis_failed=failed, at_ms=10_000)


def test_trades_gaps_and_rejected_rows_are_counted_separately() -> None:
    minute = MinuteMetrics()
    minute.add(tick((EntryKind.TRADE, {"timestamp": 9.0}), (EntryKind.SOURCE_GAP, {"reason": "restart"})))
    minute.add(tick((EntryKind.SOURCE_GAP, {"reason": "invalid_trade"}), (EntryKind.BOT_STATUS, {}), failed=True))

    assert (minute.ticks, minute.trades, minute.source_gaps, minute.rejected, minute.redis_errors) == (2, 1, 1, 1, 1)


def test_the_lag_is_the_longest_one_of_the_live_trades() -> None:
    minute = MinuteMetrics()
    assert minute.lag_ms is None
    minute.add(tick((EntryKind.TRADE, {"timestamp": 9.5}), (EntryKind.TRADE, {"timestamp": 8.0})))
    minute.add(tick((EntryKind.TRADE, {"timestamp": 1.0, "backfilled": True}), (EntryKind.TRADE, {"timestamp": 9.9})))

    assert minute.lag_ms == 2000


def test_a_bot_whose_clock_is_ahead_has_no_negative_lag() -> None:
    minute = MinuteMetrics()
    minute.add(tick((EntryKind.TRADE, {"timestamp": 99.0})))

    assert minute.lag_ms == 0
