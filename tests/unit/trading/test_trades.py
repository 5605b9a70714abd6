from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.trading.trades import BookSide, Fill, Outcome, Side, Trade, TradeSource

TRADE = Trade(
    trade_id="t-1",
    ticker="KXRAIN-1",
    side=Side.BUY,
    outcome=Outcome.YES,
    quantity=Decimal(10),
    price=Decimal("0.58"),
    timestamp=1_795_168_800.25,
    fee=Decimal("0.17"),
    order_id="o-1",
)
FILL = Fill(
    fill_id="f-1",
    order_id="o-1",
    ticker="KXRAIN-1",
    book_side=BookSide.BID,
    outcome=Outcome.YES,
    sold=False,
    count=Decimal("10.50"),
    yes_price=Decimal("0.58"),
    no_price=Decimal("0.42"),
    fee=Decimal("0.179"),
    is_taker=True,
    timestamp=1_795_168_800.25,
)


def test_the_notation_of_a_number_does_not_change_the_digest() -> None:
    assert replace(TRADE, quantity=Decimal("10.000"), price=Decimal("0.5800")).digest() == TRADE.digest()


def test_the_source_of_a_report_does_not_change_the_digest() -> None:
    assert replace(TRADE, source=TradeSource.KALSHI, backfilled=True).digest() == TRADE.digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"trade_id": "t-2"},
        {"ticker": "KXRAIN-2"},
        {"side": Side.SELL},
        {"outcome": Outcome.NO},
        {"outcome": None},
        {"quantity": Decimal("10.01")},
        {"price": Decimal("0.5801")},
        {"timestamp": 1_795_168_800.251},
        {"fee": None},
        {"fee": Decimal(0)},
        {"order_id": None},
    ],
)
def test_every_fact_changes_the_digest(changes: dict[str, object]) -> None:
    assert replace(TRADE, **changes).digest() != TRADE.digest()  # type: ignore[arg-type]  # a table of facts


def test_two_facts_cannot_be_confused_by_joining_their_texts() -> None:
    one = replace(TRADE, trade_id="a", ticker="bc", order_id=None)
    assert one.digest() != replace(one, trade_id="ab", ticker="c").digest()


def test_an_outcome_has_its_opposite() -> None:
    assert (Outcome.YES.opposite, Outcome.NO.opposite) == (Outcome.NO, Outcome.YES)


def test_a_fill_keeps_its_facts_as_a_trade() -> None:
    trade = FILL.as_trade(backfilled=True)
    assert (trade.trade_id, trade.order_id, trade.fee) == ("f-1", "o-1", Decimal("0.179"))
    assert (trade.source, trade.backfilled, trade.timestamp) == (TradeSource.KALSHI, True, 1_795_168_800.25)


@given(st.sampled_from(BookSide), st.booleans(), st.decimals("0.01", "1000", places=2))
def test_a_trade_changes_the_position_by_as_much_as_its_fill(book_side: BookSide, sold: bool, count: Decimal) -> None:
    outcome = Outcome.YES if book_side is BookSide.BID else Outcome.NO
    fill = replace(FILL, book_side=book_side, outcome=outcome, sold=sold, count=count)
    trade = fill.as_trade()
    towards_yes = (trade.side is Side.BUY) == (trade.outcome is Outcome.YES)
    assert fill.yes_delta == (count if towards_yes else -count)
    assert trade.price == (fill.yes_price if trade.outcome is Outcome.YES else fill.no_price)
