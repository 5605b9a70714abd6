"""The journal of orders: what a later process knows of them, also after a line was cut."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from coliseum.trading.trades import Outcome, Side
from coliseum_local.bot.models import OrderIntent
from coliseum_local.bot.order_journal import KEPT_ORDERS, RECENT_SECONDS, OrderJournal

INTENT = OrderIntent(
    strategy="spread",
    ticker="KXA-1",
    side=Side.SELL,
    outcome=Outcome.NO,
    count=Decimal("4.92"),
    price=Decimal("0.6500"),
    rests=True,
    why="the spread is wide",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot" / "orders.log"


def journal_of(path: Path, *times: float) -> OrderJournal:
    journal = OrderJournal(path)
    for number, at in enumerate(times):
        journal.note(f"o{number}", INTENT, at=at)
    return journal


def test_nothing_was_sent(path: Path) -> None:
    assert OrderJournal(path).recent() == (None, {})


def test_a_later_process_knows_the_orders_without_a_close(path: Path) -> None:
    journal_of(path, 100.0, 101.0)
    assert OrderJournal(path).recent() == (100.0, {"o0": INTENT, "o1": INTENT})


def test_orders_long_before_the_newest_one_are_not_recent(path: Path) -> None:
    journal = journal_of(path, 100.0, 101.0 + RECENT_SECONDS)
    assert journal.recent() == (101.0 + RECENT_SECONDS, {"o1": INTENT})


@pytest.mark.parametrize("cut", [b'{"client_order_id": "o9", "at', b"\xff\x00", b"[]", b'{"at": 1.0}', b"7"])
def test_a_line_that_cannot_be_read_is_left_out(path: Path, cut: bytes) -> None:
    journal_of(path, 100.0)
    with path.open("ab") as file:
        file.write(cut)
    again = OrderJournal(path)
    again.note("o1", INTENT, at=101.0)
    assert OrderJournal(path).recent()[1].keys() == {"o0", "o1"}


def test_the_file_is_shortened_at_each_start(path: Path) -> None:
    journal_of(path, *(float(number) for number in range(KEPT_ORDERS + 5)))
    OrderJournal(path)
    assert path.read_text().count("\n") == KEPT_ORDERS
