from __future__ import annotations

from typing import Any

from coliseum.feed.entries import Candidate, EntryId, Kind
from coliseum.polling.metrics import Minute, Tick


def tick(*told: tuple[Kind, dict[str, Any]], failed: bool = False) -> Tick:
    entries = tuple(
        (EntryId(1, number), Candidate(kind=kind, key=str(number), digest="", data=data))
        for number, (kind, data) in enumerate(told)
    )
    return Tick(published=entries, redis_failed=failed, at_ms=10_000)


def test_a_minute_counts_trades_gaps_and_refusals_apart() -> None:
    minute = Minute()
    minute.add(tick((Kind.TRADE, {"timestamp": 9.0}), (Kind.SOURCE_GAP, {"reason": "restart"})))
    minute.add(tick((Kind.SOURCE_GAP, {"reason": "invalid_trade"}), (Kind.BOT_STATUS, {}), failed=True))

    assert (minute.ticks, minute.trades, minute.source_gaps, minute.rejected, minute.redis_errors) == (2, 1, 1, 1, 1)


def test_the_lag_is_the_longest_of_the_trades_told_live() -> None:
    minute = Minute()
    assert minute.lag_ms is None
    minute.add(tick((Kind.TRADE, {"timestamp": 9.5}), (Kind.TRADE, {"timestamp": 8.0})))
    minute.add(tick((Kind.TRADE, {"timestamp": 1.0, "backfilled": True}), (Kind.TRADE, {"timestamp": 9.9})))

    assert minute.lag_ms == 2000


def test_a_bot_whose_clock_is_ahead_has_no_negative_lag() -> None:
    minute = Minute()
    minute.add(tick((Kind.TRADE, {"timestamp": 99.0})))

    assert minute.lag_ms == 0
