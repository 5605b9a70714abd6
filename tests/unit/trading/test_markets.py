from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from coliseum.errors import InvalidInput
from coliseum.trading.markets import Balance, Level, Market, OrderBook, ticker_from

MOMENT = datetime(2026, 11, 21, 7, tzinfo=UTC)


def _market(yes_bid: Decimal | None, yes_ask: Decimal | None) -> Market:
    return Market(
        ticker="KXRAIN-1",
        event_ticker="KXRAIN",
        title="Rain?",
        subtitle="",
        status="active",
        market_type="binary",
        yes_bid=yes_bid,
        yes_ask=yes_ask,
        no_bid=None,
        no_ask=None,
        last_price=None,
        previous_price=None,
        volume=Decimal(0),
        volume_24h=Decimal(0),
        open_interest=Decimal(0),
        open_time=MOMENT,
        close_time=MOMENT,
        expected_expiration_time=None,
        updated_time=None,
        result=None,
        settlement_value=None,
        settled_at=None,
        rules_primary="",
        rules_secondary="",
        price_level_structure="linear_cent",
        can_close_early=None,
    )


def test_spread_and_midpoint_need_both_sides() -> None:
    market = _market(Decimal("0.56"), Decimal("0.59"))
    assert (market.spread, market.midpoint) == (Decimal("0.03"), Decimal("0.575"))
    for bid, ask in ((None, Decimal("0.59")), (Decimal("0.56"), None), (None, None)):
        assert (_market(bid, ask).spread, _market(bid, ask).midpoint) == (None, None)


@pytest.mark.parametrize(
    ("yes", "no", "meaning"),
    [
        ("Rain", "Dry", "Dry"),
        ("Rain", "Rain", "not: Rain"),
        ("Rain", "", "not: Rain"),
        ("", "", ""),
        ("", "Dry", "Dry"),
    ],
)
def test_no_is_named_in_other_words_than_yes(yes: str, no: str, meaning: str) -> None:
    market = replace(_market(None, None), subtitle=yes, no_subtitle=no)
    assert market.no_meaning == meaning


def test_an_ask_is_the_other_outcomes_bid_seen_from_here() -> None:
    book = OrderBook(
        yes_bids=(Level(Decimal("0.56"), Decimal(120)), Level(Decimal("0.01"), Decimal(200))),
        no_bids=(Level(Decimal("0.41"), Decimal(15)),),
    )
    assert book.yes_asks == (Level(Decimal("0.59"), Decimal(15)),)
    assert [level.price for level in book.no_asks] == [Decimal("0.44"), Decimal("0.99")]


def test_equity_is_cash_and_the_value_of_the_positions() -> None:
    assert Balance(cash=Decimal("98.01"), portfolio_value=Decimal("1.98"), as_of=MOMENT).equity == Decimal("99.99")


@pytest.mark.parametrize("ticker", ["KXRAIN-26NOV21-NYC", "KXBTCD-25JAN-T104999.99", "538_APPROVE", "A", "x" * 100])
def test_tickers_of_the_exchange_pass(ticker: str) -> None:
    assert ticker_from(ticker) == ticker


@pytest.mark.parametrize("ticker", ["", ".", "..", "A B", "A\n", "A/B", "A?b", "é", "x" * 101, 5, None, b"A", "A\x00"])
def test_a_ticker_that_could_do_harm_in_a_path_or_a_log_does_not(ticker: object) -> None:
    with pytest.raises(InvalidInput, match="ticker: got"):
        ticker_from(ticker)


@pytest.mark.parametrize(("bid", "ask"), [("0.60", "0.50"), ("0.50", "0.50")])
def test_a_bid_that_is_not_below_the_ask_is_a_crossed_book_without_a_middle(bid: str, ask: str) -> None:
    market = _market(Decimal(bid), Decimal(ask))
    assert (market.crossed, market.midpoint) == (True, None)
    assert market.spread == Decimal(ask) - Decimal(bid)


def test_a_book_with_one_side_is_not_crossed() -> None:
    assert not _market(Decimal("0.50"), None).crossed
