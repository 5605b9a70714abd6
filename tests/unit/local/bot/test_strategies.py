"""What the bot wants in one market, and why it wants nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.trading.trades import BookSide, Outcome, Side
from coliseum_local.bot.models import BotPosition, Idle, OrderIntent, Quote
from coliseum_local.bot.strategies import StrategyParameters, mean_reversion, spread

D = Decimal
NOW = 1_000.0
RULES = StrategyParameters()


def quote(bid: str | None = "0.40", ask: str | None = "0.42", *, closes: float = NOW + 3600, size: str = "50") -> Quote:
    return Quote(
        ticker="T",
        bid=None if bid is None else D(bid),
        ask=None if ask is None else D(ask),
        bid_size=D(size),
        ask_size=D(size),
        step=D("0.01"),
        close_time=closes,
    )


def holding(contracts: str) -> BotPosition:
    return BotPosition(ticker="T", contracts=D(contracts), cost=D("3"), realized=D(0), fees=D(0))


def revert(
    shown: Quote, average: str | None, *, held: BotPosition | None = None, seconds: float = 10.0
) -> tuple[str, ...] | str:
    """(side, outcome, count, price, book side), or the reason for nothing."""
    decision = mean_reversion(
        shown,
        average=None if average is None else D(average),
        holding=held,
        held_seconds=seconds,
        now=NOW,
        rules=RULES,
    )
    return _summary(decision)


def _summary(decision: OrderIntent | Idle) -> tuple[str, ...] | str:
    if isinstance(decision, Idle):
        return decision.reason
    return (decision.side, decision.outcome, str(decision.count), str(decision.price), decision.book_side)


def test_a_price_below_its_average_is_bought_and_one_above_is_sold_short_as_no() -> None:
    assert revert(quote(), "0.45") == ("BUY", "yes", "8", "0.42", "bid")
    assert revert(quote(), "0.37") == ("BUY", "no", "8", "0.60", "ask")


def test_a_position_is_left_once_the_price_is_back_or_patience_ends() -> None:
    assert revert(quote(), "0.41", held=holding("8")) == ("SELL", "yes", "8", "0.40", "ask")
    assert revert(quote(), "0.41", held=holding("-8")) == ("SELL", "no", "8", "0.58", "bid")
    assert revert(quote(), "0.50", held=holding("8")) == "holding, and the price is not back yet"
    assert revert(quote(), "0.50", held=holding("8"), seconds=99) == ("SELL", "yes", "8", "0.40", "ask")


def test_nobody_is_asked_for_more_than_is_shown() -> None:
    assert revert(quote(size="2.50"), "0.45") == ("BUY", "yes", "2.50", "0.42", "bid")


@pytest.mark.parametrize(
    ("shown", "average", "reason"),
    [
        (quote(None), "0.45", "one side of the book is empty"),
        (quote(), None, "no average yet"),
        (quote(), "0.411", "the price is near its average"),
        (quote("0.30", "0.42"), "0.45", "the spread is too wide to take"),
        (quote(closes=NOW + 5), "0.45", "it closes too soon"),
        (quote("0.01", "0.02"), "0.45", "it is as good as decided"),
    ],
)
def test_each_reason_to_stay_out_has_its_words(shown: Quote, average: str | None, reason: str) -> None:
    assert revert(shown, average) == reason


@pytest.mark.parametrize(
    ("shown", "held", "expected"),
    [
        (quote("0.40", "0.44"), None, ("BUY", "yes", "8", "0.41", "bid")),
        (quote("0.60", "0.64"), None, ("BUY", "no", "8", "0.37", "ask")),
        (quote("0.40", "0.44"), holding("5"), ("SELL", "yes", "5", "0.43", "ask")),
        (quote("0.40", "0.44"), holding("-5"), ("SELL", "no", "5", "0.59", "bid")),
        (quote("0.40", "0.41"), None, "the spread is too narrow to quote inside"),
        (quote("0.40", None), None, "one side of the book is empty"),
        (quote("0.40", "0.44", closes=NOW), None, "it closes too soon"),
    ],
)
def test_the_spread_is_quoted_one_step_inside(
    shown: Quote, held: BotPosition | None, expected: tuple[str, ...] | str
) -> None:
    assert _summary(spread(shown, holding=held, now=NOW, rules=RULES)) == expected


@given(st.integers(1, 98), st.integers(1, 98), st.integers(-20, 20))
def test_a_resting_offer_never_crosses_and_a_taking_one_always_does(low: int, width: int, held: int) -> None:
    shown = quote(f"{low / 100:.2f}", f"{min(99, low + width) / 100:.2f}")
    mine = holding(str(held)) if held else None
    resting = spread(shown, holding=mine, now=NOW, rules=RULES)
    taking = mean_reversion(shown, average=D("0.5"), holding=mine, held_seconds=99, now=NOW, rules=RULES)
    assert shown.bid is not None
    assert shown.ask is not None
    if isinstance(resting, OrderIntent):
        assert shown.bid < resting.yes_price < shown.ask
    if isinstance(taking, OrderIntent):
        assert taking.yes_price == (shown.ask if taking.book_side is BookSide.BID else shown.bid)
        assert (taking.side is Side.SELL) is bool(held)
        assert not held or taking.outcome is (Outcome.YES if held > 0 else Outcome.NO)
