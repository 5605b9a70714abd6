from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from coliseum.bot.parse import RejectedTrade
from coliseum.feed.entries import EntryKind
from coliseum.polling.candidates import (
    bot_status_candidate,
    rejected_trade_candidate,
    source_gap_candidate,
    trade_candidate,
)
from coliseum.polling.checkpoint import SourceGap
from coliseum.trading.trades import Side, Trade, TradeSource

TRADE = Trade(
    trade_id="t1",
    ticker="ALPHA",
    side=Side.BUY,
    outcome=None,
    quantity=Decimal(1),
    price=Decimal("0.5"),
    timestamp=1_700_000_000.25,
)
GAP = SourceGap(
    reason="overflow", key="overflow:x", from_ms=1_700_000_000_000, to_ms=1_700_000_060_000, lost=None, at_least=4
)


def test_a_trade_keeps_its_key_when_its_facts_change() -> None:
    first, second = trade_candidate(TRADE, run="r"), trade_candidate(replace(TRADE, price=Decimal("0.6")), run="r")

    assert first.key == second.key == "trade:t1"
    assert first.digest != second.digest
    assert (first.kind, first.boot, first.at) == (EntryKind.TRADE, "r", "1700000000.25")


def test_only_the_bots_own_report_can_correct() -> None:
    assert trade_candidate(TRADE, run="r").correctable
    assert not trade_candidate(replace(TRADE, source=TradeSource.KALSHI), run="r").correctable


def test_a_trade_id_cannot_collide_with_the_key_of_another_kind() -> None:
    assert trade_candidate(replace(TRADE, trade_id="source_gap:x"), run="r").key == "trade:source_gap:x"


def test_a_rejected_row_is_one_lost_trade_with_its_reason() -> None:
    announcement = rejected_trade_candidate(RejectedTrade("t7", "price: got 65", "abcd"))

    assert announcement.kind is EntryKind.SOURCE_GAP
    assert announcement.data == {"reason": "invalid_trade", "lost": 1, "trade_id": "t7", "detail": "price: got 65"}
    assert announcement.key != rejected_trade_candidate(RejectedTrade("t7", "price: got 65", "other")).key


def test_a_gap_has_its_time_and_its_size_as_far_as_it_is_known() -> None:
    assert source_gap_candidate(GAP).data == {
        "reason": "overflow",
        "from": "2023-11-14T22:13:20.000Z",
        "to": "2023-11-14T22:14:20.000Z",
        "lost": None,
        "backfilled": 0,
        "at_least": 4,
    }
    assert "at_least" not in source_gap_candidate(replace(GAP, lost=3)).data


def test_a_late_announcement_of_a_gap_is_another_entry() -> None:
    later = source_gap_candidate(replace(GAP, lost=0, backfilled=4), late=True)

    assert later.data["late"]
    assert later.key != source_gap_candidate(GAP).key


def test_a_status_is_published_once_for_each_change() -> None:
    status = {"status": "online", "since": "2026-11-21T00:00:00.000Z", "trades": 1, "detail": None}

    assert bot_status_candidate(status).key == bot_status_candidate({**status, "trades": 2}).key
    assert bot_status_candidate(status).key != bot_status_candidate({**status, "since": "2026-11-21T00:00:01.000Z"}).key
    assert bot_status_candidate(status).key != bot_status_candidate({**status, "mode": "live"}).key
    assert bot_status_candidate(status).key != bot_status_candidate(status, marked_ms=5).key


def test_a_trade_says_by_how_much_its_time_is_ahead() -> None:
    ahead = trade_candidate(replace(TRADE, clock_ahead_seconds=18_000.0), run="r")

    assert (ahead.data["timestamp"], ahead.data["clock_ahead_seconds"]) == (TRADE.timestamp, 18_000.0)
    assert "clock_ahead_seconds" not in trade_candidate(TRADE, run="r").data
    assert ahead.digest == trade_candidate(TRADE, run="r").digest
