"""What the bot remembers: averages, its own fills, the newest hundred trades."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from coliseum.trading.trades import Outcome, Side
from coliseum_local.bot.memory import KEPT_TRADES, REMEMBERED, Averages, Blotter, trade_body
from coliseum_local.bot.models import OrderIntent, Quote
from coliseum_local.bot.parse import FillRow

D = Decimal
INTENT = OrderIntent(
    strategy="s", ticker="T", side=Side.SELL, outcome=Outcome.YES, count=D(2), price=D("0.18"), rests=False, why="w"
)
FILL = FillRow(
    fill_id="f1",
    order_id="o1",
    ticker="T",
    outcome_side="no",
    action="sell",
    count=D("1.50"),
    yes_price=D("0.18"),
    no_price=D("0.82"),
    fee=D("0.0104"),
    time=1_795_262_400.123456,
)


def blotter() -> Blotter:
    book = Blotter()
    book.note_order("o1", INTENT)
    return book


def test_a_trade_says_what_the_bot_meant_with_the_fills_numbers() -> None:
    """A sale of YES arrives as a NO fill; without the deprecated words it is still a sale of YES."""
    for fill in (FILL, replace(FILL, action="")):
        (trade,) = blotter().learn([fill])
        assert trade_body(trade) == {
            "timestamp": 1_795_262_400.123456,
            "ticker": "T",
            "side": "SELL",
            "quantity": 1.5,
            "price": 0.18,
            "trade_id": "f1",
            "outcome": "yes",
            "fee": 0.0104,
            "order_id": "o1",
            "strategy": "s",
        }


def test_a_fill_counts_once_and_strangers_fills_never() -> None:
    book = blotter()
    assert len(book.learn([FILL, replace(FILL, order_id="not ours", fill_id="f2")])) == 1
    assert book.learn([FILL]) == []
    assert book.count == 1


def test_the_newest_hundred_stay_newest_first_and_the_count_goes_on() -> None:
    book = blotter()
    fills = [replace(FILL, fill_id=f"f{number}", time=float(number)) for number in range(150)]
    book.learn(reversed(fills))
    assert [trade.trade_id for trade in book.trades] == [f"f{number}" for number in range(149, 49, -1)]
    assert (len(book.trades), book.count) == (KEPT_TRADES, 150)


def test_old_orders_and_fills_are_forgotten_before_they_fill_the_memory() -> None:
    book = Blotter()
    for number in range(REMEMBERED + 10):
        book.note_order(f"o{number}", INTENT)
    assert len(book.orders) == REMEMBERED
    assert "o9" not in book.orders


def _quote(mid: str | None) -> Quote:
    price = None if mid is None else D(mid)
    return Quote(ticker="T", bid=price, ask=price, bid_size=D(1), ask_size=D(1), step=D("0.01"), close_time=0)


def test_an_average_needs_a_few_looks_follows_slowly_and_ends_with_its_market() -> None:
    averages = Averages()
    for mid in ("0.40", "0.40"):
        averages.see([_quote(mid)])
    assert averages.of("T") is None
    averages.see([_quote("0.50")])
    assert averages.of("T") == D("0.408")
    averages.see([_quote(None)])
    assert averages.of("T") == D("0.408")
    averages.see([])
    assert averages.of("T") is None


@pytest.mark.parametrize(("quantity", "kind"), [("8", int), ("8.00", int), ("8.25", float)])
def test_quantities_are_json_numbers(quantity: str, kind: type) -> None:
    (trade,) = blotter().learn([replace(FILL, count=D(quantity))])
    assert type(trade_body(trade)["quantity"]) is kind
