"""Trades of the bot beside fills of the account: what belongs together, and what does not agree."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.trading.bot_check import (
    SETTLING_SECONDS,
    BotComparison,
    ReportedTrade,
    compare_bot,
    confirmed_ids,
)
from coliseum.trading.trades import BookSide, Fill, Outcome, Side, Trade

NOW = 1_700_000_000.0
OLD = NOW - 3600


def fill(fill_id: str, *, order_id: str = "o", count: str = "2", yes_price: str = "0.40", at: float = OLD) -> Fill:
    price = Decimal(yes_price)
    return Fill(
        fill_id=fill_id,
        order_id=order_id,
        ticker="ALPHA",
        book_side=BookSide.BID,
        outcome=Outcome.YES,
        sold=False,
        count=Decimal(count),
        yes_price=price,
        no_price=1 - price,
        fee=Decimal("0.01"),
        is_taker=True,
        timestamp=at,
    )


def reported(trade: Trade, *, seen_at: float = OLD) -> ReportedTrade:
    return ReportedTrade(trade, seen_at)


def own(trade_id: str, order_id: str | None, quantity: str = "2", price: str = "0.40") -> ReportedTrade:
    """A trade of a bot with ids of its own."""
    trade = replace(fill("x", count=quantity, yes_price=price).as_trade(), trade_id=trade_id, order_id=order_id)
    return reported(trade)


def compare(trades: list[ReportedTrade], fills: list[Fill]) -> BotComparison:
    return compare_bot(trades, fills, now=NOW)


def test_trades_with_their_fills_agree_whatever_the_bots_clock_says() -> None:
    fills = [fill("a"), fill("b", order_id="p", yes_price="0.55")]
    trades = [reported(replace(one.as_trade(), timestamp=NOW + 31_536_000)) for one in fills]

    assert compare(trades, fills) == BotComparison(unconfirmed=(), unreported=(), different=(), matched=2)


def test_a_trade_without_a_fill_and_a_fill_without_a_trade_are_listed() -> None:
    trade = own("mine", None)
    comparison = compare([trade], [fill("a")])

    assert (comparison.unconfirmed, comparison.unreported, comparison.matched) == ((trade,), (fill("a"),), 0)


def test_what_is_too_young_is_not_judged() -> None:
    young = NOW - SETTLING_SECONDS + 1
    trades = [
        reported(own("mine", None).trade, seen_at=young),
        reported(fill("b", count="3").as_trade(), seen_at=young),
    ]
    comparison = compare(trades, [fill("a", at=young), fill("b")])

    assert (comparison.unconfirmed, comparison.unreported, comparison.different) == ((), (), ())


def test_a_fill_may_be_given_more_time_until_its_trade_is_stored() -> None:
    fills = [fill("a", at=NOW - 179), fill("b", at=NOW - 180)]

    assert compare_bot([], fills, now=NOW, report_seconds=180).unreported == (fills[1],)
    assert compare_bot([], fills, now=NOW).unreported == (fills[0], fills[1])


@pytest.mark.parametrize(
    ("changes", "field", "bot", "exchange"),
    [
        ({"quantity": Decimal(3)}, "quantity", "3.00", "2.00"),
        ({"price": Decimal("0.45")}, "price", "0.4500", "0.4000"),
        ({"ticker": "BETA"}, "ticker", "BETA", "ALPHA"),
        ({"side": Side.SELL}, "side", "longer no", "longer yes"),
        ({"outcome": Outcome.NO}, "side", "longer no", "longer yes"),
    ],
)
def test_other_facts_are_named_with_both_values(
    changes: dict[str, object], field: str, bot: str, exchange: str
) -> None:
    trade = replace(fill("a").as_trade(), **changes)  # type: ignore[arg-type]  # the fields of the table
    (difference,) = compare([reported(trade)], [fill("a")]).different

    assert (difference.field, difference.bot, difference.exchange) == (field, bot, exchange)
    assert (difference.trades, difference.fills) == ((trade,), (fill("a"),))


def test_a_sale_of_yes_and_a_purchase_of_no_are_the_same() -> None:
    sold = replace(fill("a"), book_side=BookSide.ASK, outcome=Outcome.NO, sold=True)
    bought_no = replace(sold.as_trade(), side=Side.BUY, outcome=Outcome.NO, price=Decimal("0.60"))

    assert compare([reported(bought_no)], [sold]).different == ()


@pytest.mark.parametrize("price", ["0.40", "0.60"])
def test_a_bot_that_names_no_outcome_may_mean_either_price(price: str) -> None:
    trade = replace(fill("a").as_trade(), outcome=None, price=Decimal(price))

    assert compare([reported(trade)], [fill("a")]).different == ()


def test_an_order_that_was_filled_in_parts_is_compared_by_its_sums() -> None:
    fills = [fill("a", order_id="p", count="1", yes_price="0.40"), fill("b", order_id="p", count="3", yes_price="0.44")]

    assert compare([own("1", "p", "4", "0.43")], fills) == BotComparison(
        unconfirmed=(), unreported=(), different=(), matched=1
    )
    (difference,) = compare([own("1", "p", "5", "0.43")], fills).different
    assert (difference.field, difference.bot, difference.exchange) == ("quantity", "5.00", "4.00")
    (difference,) = compare([own("1", "p", "4", "0.44")], fills).different
    assert (difference.field, difference.bot, difference.exchange) == ("price", "0.4400", "0.4300")


def test_a_trade_that_has_its_fill_by_id_takes_no_part_in_its_order() -> None:
    fills = [fill("a", order_id="p"), fill("b", order_id="p")]
    comparison = compare([reported(fills[0].as_trade()), own("mine", "p")], fills)

    assert (comparison.unconfirmed, comparison.unreported, comparison.different) == ((), (), ())


def test_the_poller_needs_only_the_ids_of_trades_that_have_a_fill() -> None:
    trades = [own("a", None).trade, own("mine", "p").trade, own("other", "q").trade]

    assert confirmed_ids(trades, [fill("a"), fill("b", order_id="p")]) == {"a", "mine"}


ids = st.integers(0, 30)


@given(st.sets(ids), st.sets(ids), st.dictionaries(ids, st.floats(-86_400, 31_536_000)))
def test_every_trade_and_every_fill_is_matched_or_listed_once_with_any_clock(
    trade_ids: set[int], fill_ids: set[int], clocks: dict[int, float]
) -> None:
    fills = [fill(str(number), order_id=f"order {number}") for number in sorted(fill_ids)]
    trades = [
        reported(
            replace(fill(str(number), order_id=f"order {number}").as_trade(), timestamp=OLD + clocks.get(number, 0.0))
        )
        for number in sorted(trade_ids)
    ]
    comparison = compare(trades, fills)

    assert {row.trade.trade_id for row in comparison.unconfirmed} == {str(number) for number in trade_ids - fill_ids}
    assert {one.fill_id for one in comparison.unreported} == {str(number) for number in fill_ids - trade_ids}
    assert (comparison.matched, comparison.different) == (len(trade_ids & fill_ids), ())
