"""The history's upkeep against an embedded Postgres."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coliseum.portfolio import snapshots as service
from coliseum.portfolio.snapshots import HistoryPruner
from coliseum.store.client import Store

NOON = datetime(2024, 11, 20, 12, tzinfo=UTC)
DAY = 86_400.0


def _keep(store: Store, count: int) -> None:
    """So many balances within one hour of last month."""
    start = NOON - timedelta(days=30)
    rows = [
        {"taken_at": start + timedelta(minutes=number), "cash": 1, "portfolio_value": 0, "source": "kalshi"}
        for number in range(count)
    ]
    store.insert("balance_snapshots", rows)


def _kept(store: Store) -> int:
    return len(store.select("balance_snapshots", "taken_at"))


def test_a_days_first_call_thins_and_the_others_do_nothing(store: Store) -> None:
    _keep(store, 6)
    retention = HistoryPruner(store)
    now = NOON.timestamp()

    assert retention.run(now, time_left=lambda: 60.0) == {
        "balance_snapshots": 5,
        "market_snapshots": 0,
        "feed_events": 0,
    }
    assert retention.run(now + 60, time_left=lambda: 60.0) is None
    assert retention.run(now + DAY, time_left=lambda: 60.0) == dict.fromkeys(
        ("balance_snapshots", "market_snapshots", "feed_events"), 0
    )


def test_what_time_does_not_allow_is_done_by_the_next_call(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_PRUNED_PER_CALL", 2)
    _keep(store, 6)
    retention = HistoryPruner(store)
    left = iter([60.0, 0.0])

    retention.run(NOON.timestamp(), time_left=lambda: next(left))
    assert _kept(store) == 4
    retention.run(NOON.timestamp() + 60, time_left=lambda: 60.0)
    assert _kept(store) == 1
