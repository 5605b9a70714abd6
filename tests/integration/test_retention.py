"""Pruning of the history in an embedded Postgres."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from coliseum.portfolio.snapshots import HistoryPruner
from coliseum.store.client import Store

NOON = datetime(2024, 11, 20, 12, tzinfo=UTC)
DAY = 86_400.0


def _insert(store: Store, count: int) -> None:
    """Insert `count` balance snapshots within one hour of last month."""
    start = NOON - timedelta(days=30)
    rows = [
        {"taken_at": start + timedelta(minutes=number), "cash": 1, "portfolio_value": 0, "source": "kalshi"}
        for number in range(count)
    ]
    store.insert("balance_snapshots", rows)


def _count(store: Store) -> int:
    return len(store.select("balance_snapshots", "taken_at"))


def test_only_the_first_call_of_a_day_prunes(store: Store) -> None:
    _insert(store, 6)
    pruner = HistoryPruner(store)
    now = NOON.timestamp()

    assert pruner.run(now, time_left=lambda: 60.0) == {
        "balance_snapshots": 5,
        "market_snapshots": 0,
        "feed_events": 0,
    }
    assert pruner.run(now + 60, time_left=lambda: 60.0) is None
    assert pruner.run(now + DAY, time_left=lambda: 60.0) == dict.fromkeys(
        ("balance_snapshots", "market_snapshots", "feed_events"), 0
    )


def test_work_that_does_not_fit_into_the_time_is_done_by_the_next_call(store: Store) -> None:
    _insert(store, 6)
    pruner = HistoryPruner(store, rows_per_call=2)
    seconds_left = iter([60.0, 0.0])

    pruner.run(NOON.timestamp(), time_left=lambda: next(seconds_left))
    assert _count(store) == 4
    pruner.run(NOON.timestamp() + 60, time_left=lambda: 60.0)
    assert _count(store) == 1
