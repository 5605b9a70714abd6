from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from coliseum.errors import LogError
from coliseum.feed.entries import Entry, EntryId, EntryKind, trade_json
from coliseum.portfolio.records import trades_from_feed
from coliseum.trading.trades import Outcome, Side, Trade

TRADE = Trade(
    trade_id="t1",
    ticker="KXA-1",
    side=Side.SELL,
    outcome=Outcome.NO,
    quantity=Decimal("10.50"),
    price=Decimal("0.1825"),
    timestamp=1698676800.123,
    fee=Decimal("0.0175"),
    order_id="o1",
)


def entry(seq: int, kind: EntryKind, data: dict[str, Any]) -> Entry:
    return Entry(EntryId(1698676800123, seq), kind, data)


def test_a_trade_in_the_feed_parses_back_unchanged() -> None:
    assert trades_from_feed([entry(1, EntryKind.TRADE, trade_json(TRADE))]) == (TRADE,)


def test_a_correction_replaces_the_newest_trade_of_its_id_and_other_entries_are_passed_over() -> None:
    corrected = replace(TRADE, price=Decimal("0.19"))
    rows = [
        entry(1, EntryKind.TRADE, trade_json(TRADE)),
        entry(2, EntryKind.BOT_STATUS, {"status": "online"}),
        entry(3, EntryKind.TRADE_CORRECTED, trade_json(corrected)),
    ]
    assert trades_from_feed(rows) == (corrected,)
    assert trades_from_feed(rows[2:]) == (corrected,)


def test_the_same_id_at_another_time_is_another_trade_and_the_newest_is_first() -> None:
    later = replace(TRADE, timestamp=TRADE.timestamp + 60)
    rows = [entry(1, EntryKind.TRADE, trade_json(TRADE)), entry(2, EntryKind.TRADE, trade_json(later))]
    assert trades_from_feed(rows) == (later, TRADE)


def test_an_invalid_trade_entry_is_a_log_error() -> None:
    with pytest.raises(LogError, match="1698676800123-1"):
        trades_from_feed([entry(1, EntryKind.TRADE, {"ticker": "A"})])
