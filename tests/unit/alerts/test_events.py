from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.unit.alerts.test_findings import STORED, position

from coliseum.alert_settings import parse_limits
from coliseum.alerts.events import board_events, closing_events, log_events
from coliseum.alerts.facts import ExchangeFacts
from coliseum.alerts.rules import rules_for
from coliseum.alerts.states import AlertChange
from coliseum.feed.entries import Entry, EntryId, EntryKind

NOW = 1_796_000_000.0
GAP = {
    "reason": "window",
    "from": "2026-12-01T00:00:00.000Z",
    "to": "2026-12-01T00:01:00.000Z",
    "lost": 3,
    "backfilled": 0,
}


def told(kind: EntryKind, *data: dict[str, Any], limits: str = "") -> tuple[AlertChange, ...]:
    parsed = parse_limits(limits)
    entries = tuple(Entry(EntryId(number, number), kind, each) for number, each in enumerate(data, start=1))
    return log_events(entries, rules_for(parsed), parsed, now=NOW)


@pytest.mark.parametrize(
    ("gap", "lost"),
    [
        ({}, 3),
        ({"backfilled": 1}, 2),
        ({"backfilled": 3}, None),
        ({"lost": None, "at_least": 5}, 5),
        ({"lost": 0}, None),
        ({"lost": None}, None),
    ],
)
def test_a_gap_is_told_where_trades_stay_lost(gap: dict[str, Any], lost: int | None) -> None:
    changes = told(EntryKind.SOURCE_GAP, {**GAP, **gap})
    assert [f" {lost} of its trades" in change.text for change in changes] == ([] if lost is None else [True])


def test_a_late_announcement_of_a_gap_has_the_same_id() -> None:
    first, late = told(EntryKind.SOURCE_GAP, GAP, {**GAP, "lost": 2, "backfilled": 1, "late": True})
    (other,) = told(EntryKind.SOURCE_GAP, {**GAP, "to": "2026-12-01T00:02:00.000Z"})
    assert first.alert_id == late.alert_id != other.alert_id


def test_the_limit_counts_trades() -> None:
    assert told(EntryKind.SOURCE_GAP, GAP, limits="trades_lost_count=4") == ()
    assert told(EntryKind.SOURCE_GAP, GAP, limits="trades_lost_count=off") == ()


def test_a_rejected_row_is_one_lost_trade() -> None:
    (change,) = told(EntryKind.SOURCE_GAP, {"reason": "invalid_trade", "lost": 1, "trade_id": "x", "detail": "price"})
    assert change.text == "The bot lost 1 of its trades (invalid_trade)."


def test_a_changed_field_is_told_once() -> None:
    change = {"object": "Market", "field": "yes_bid", "change": "renamed_field", "depends_on": "quotes"}
    first, again = told(EntryKind.EXCHANGE_CHANGED, change, change)
    assert first.alert_id == again.alert_id == "exchange_changed:Market.yes_bid.renamed_field:1"
    assert first.text == "The exchange changed Market.yes_bid (renamed field). It concerns quotes."


@pytest.mark.parametrize(("hours", "expected"), [(-1, 0), (0, 0), (1.9, 1), (2, 1), (2.1, 0)])
def test_a_market_that_closes_soon_is_told_once_for_its_position(hours: float, expected: int) -> None:
    limits = parse_limits(None)
    stored = replace(STORED, positions=(position("KXA-1", "5"),))
    exchange = ExchangeFacts(closes={"KXA-1": NOW + 3600 * hours, "KXB-1": NOW + 60}, equity=Decimal(1))
    changes = closing_events(stored, exchange, rules_for(limits), limits, now=NOW)
    assert len(changes) == expected
    assert {change.alert_id for change in changes} <= {f"closing:KXA-1:{int(NOW + 3600 * hours)}"}


@pytest.mark.parametrize(("hours_before", "expected"), [(1.9, 0), (2.1, 1), (None, 1)])
def test_a_position_that_was_traded_in_the_last_hours_is_not_told(hours_before: float | None, expected: int) -> None:
    limits, closes = parse_limits(None), NOW + 3600
    traded = None if hours_before is None else closes - 3600 * hours_before
    stored = replace(STORED, positions=(replace(position("KXA-1", "5"), last_fill_at=traded),))
    changes = closing_events(stored, ExchangeFacts(closes={"KXA-1": closes}), rules_for(limits), limits, now=NOW)
    assert len(changes) == expected


def test_another_leader_is_told_and_the_first_one_only_remembered() -> None:
    rules = rules_for(parse_limits("board_rank_count=1"))

    def board(leader: str, digest: str) -> Entry:
        data = {"season": "2026Q4", "track": "blind", "digest": digest, "as_of": "2026-12-01T00:00:00Z"}
        return Entry(EntryId(1, 1), EntryKind.LEADERBOARD_CHANGED, {**data, "standings": [{"agent_id": leader}]})

    changes, memory = board_events((board("a", "d1"), board("a", "d2"), board("b", "d3")), {"told": []}, rules, now=NOW)
    assert [change.text for change in changes] == ["b leads the board 2026Q4.blind now, before a."]
    assert memory == {"told": [], "leaders": {"2026Q4.blind": "b"}}
    assert board_events((board("c", "d4"),), memory, rules_for(parse_limits(None)), now=NOW)[0] == ()
