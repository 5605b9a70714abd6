"""The exchange as a whole: money and contracts are conserved, refusals leave no trace, the same seed gives the same."""

from __future__ import annotations

import pickle
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import BookSide
from coliseum_local.exchange import market_lifecycle, simulation
from coliseum_local.exchange.journal import Journal, restore
from coliseum_local.exchange.listing import NEXT_STATUSES, STATUS_FILTERS, MarketStatus, SandboxMarket
from coliseum_local.exchange.orders import Action, OrderRejected, OrderStatus, SelfTradePrevention, TimeInForce
from coliseum_local.exchange.venue import OrderRequest, Venue

D = Decimal
START = 1_795_262_400.0
THURSDAY = 1_795_680_000.0
"""2026-11-26 08:00 UTC, where the weekly pause begins."""
IOC, GTC, FOK = TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.GOOD_TILL_CANCELED, TimeInForce.FILL_OR_KILL


@cache
def _founded(seed: str, members: tuple[str, ...], now: float) -> bytes:
    venue = Venue(seed=seed, now=now)
    simulation.open_new_exchange(venue)
    for member in members:
        venue.open_account(member, cash=D(10_000), member=True)
    simulation.advance(venue, now, active=False)
    return pickle.dumps(venue)


def new_venue(seed: str = "tests", *, members: tuple[str, ...] = ("me",), now: float = START) -> Venue:
    """Founded once each and copied: what an exchange begins with takes longer to draw up than to copy."""
    venue: Venue = pickle.loads(_founded(seed, members, now))  # noqa: S301 - our own
    return venue


@pytest.fixture(scope="module")
def still() -> Venue:
    return new_venue()


def request(market: SandboxMarket, side: str, contracts: str, dollars: str, **more: object) -> OrderRequest:
    fields: dict[str, object] = {
        "ticker": market.ticker,
        "side": BookSide(side),
        "count": D(contracts),
        "price": D(dollars),
        "time_in_force": IOC,
        "self_trade_prevention": SelfTradePrevention.TAKER_AT_CROSS,
    }
    return OrderRequest(**(fields | more))  # type: ignore[arg-type]  # built from the table above


def quoted(venue: Venue, structure: str = "linear_cent") -> SandboxMarket:
    """The open market that lives longest with quotes on both sides, well inside the dollar."""
    for market in sorted(venue.open_markets(), key=lambda each: (-each.close_time, each.ticker)):
        bid, ask = venue.quotes(market.ticker)
        if market.structure == structure and D("0.1") < bid < ask < D("0.9"):
            return market
    raise AssertionError("no such market")


REFUSALS = [
    ("a price off the grid", {"price": D("0.505")}, "invalid_price", 400),
    ("a price of a dollar", {"price": D("1.00")}, "invalid_price", 400),
    ("less than a hundredth", {"count": D("0.001")}, "invalid_order_size", 400),
    ("nothing", {"count": D(0)}, "invalid_order_size", 400),
    ("more than the account can pay", {"count": D(900_000), "price": D("0.99")}, "insufficient_balance", 400),
    ("an unknown market", {"ticker": "KXNOPE"}, "market_not_found", 404),
    ("an expiry in the past", {"expires": START - 1}, "invalid_order", 400),
    ("reduce only that may rest", {"reduce_only": True, "time_in_force": GTC}, "invalid_order", 400),
    ("reduce only without a position", {"reduce_only": True}, "invalid_order", 400),
    (
        "more than rests, all or nothing",
        {"count": D(9_000), "time_in_force": FOK},
        "fill_or_kill_insufficient_resting_volume",
        409,
    ),
]


@pytest.mark.parametrize(("changed", "code", "status"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_an_order_that_cannot_be_is_refused_without_a_trace(
    still: Venue, changed: dict[str, object], code: str, status: int
) -> None:
    market = quoted(still)
    before = (still.money(), dict(still.orders), still.quotes(market.ticker))
    with pytest.raises(OrderRejected) as refused:
        still.place("me", request(market, "bid", "1", "0.50", **changed))
    assert (refused.value.code, refused.value.status) == (code, status)
    assert (still.money(), dict(still.orders), still.quotes(market.ticker)) == before


def test_a_client_order_id_is_good_for_one_order_forever() -> None:
    venue = new_venue()
    market = quoted(venue)
    first = venue.place("me", request(market, "bid", "1", "0.01", client_order_id="x", time_in_force=GTC))
    venue.cancel("me", first.order_id)
    with pytest.raises(OrderRejected) as refused:
        venue.place("me", request(market, "bid", "1", "0.01", client_order_id="x", time_in_force=GTC))
    assert (refused.value.code, refused.value.status) == ("order_already_exists", 409)


def test_a_fill_pays_price_and_fee_and_says_which_way_it_went() -> None:
    venue = new_venue()
    market = quoted(venue)
    ask = venue.books[market.ticker].best_ask
    assert ask is not None
    order = venue.place("me", request(market, "bid", "1", str(ask.price)))
    (fill,) = venue.fills["me"]
    assert (order.status, fill.price, fill.count, fill.is_taker, fill.action) == (
        OrderStatus.EXECUTED,
        ask.price,
        ONE,
        True,
        Action.BUY,
    )
    assert venue.accounts["me"].cash == D(10_000) - ask.price - fill.fee
    assert ZERO < fill.fee <= D("0.0175")


def test_an_order_that_only_closes_is_a_sale_and_one_that_opens_is_a_purchase() -> None:
    venue = new_venue()
    market = quoted(venue)
    venue.place("me", request(market, "bid", "5", "0.99"))
    closing = venue.place("me", request(market, "ask", "5", "0.01"))
    opening = venue.place("me", request(market, "ask", "5", "0.01"))
    assert (closing.action, opening.action) == (Action.SELL, Action.BUY)
    assert venue.accounts["me"].held(market.ticker) == -5


def test_reduce_only_is_cut_to_the_position() -> None:
    venue = new_venue()
    market = quoted(venue)
    venue.place("me", request(market, "bid", "5", "0.99"))
    order = venue.place("me", request(market, "ask", "50", "0.01", reduce_only=True))
    assert order.initial == 5
    assert venue.accounts["me"].held(market.ticker) == ZERO


def test_resting_orders_hold_cash_back_and_a_cancel_gives_it_free() -> None:
    venue = new_venue()
    market = quoted(venue)
    order = venue.place("me", request(market, "bid", "100", "0.02", time_in_force=GTC))
    assert venue.available("me") == D(9_998)
    venue.cancel("me", order.order_id)
    assert venue.available("me") == D(10_000)
    with pytest.raises(OrderRejected, match="not_found"):
        venue.cancel("me", order.order_id)


def test_selling_what_a_resting_sale_was_to_sell_cancels_orders_the_cash_no_longer_covers() -> None:
    venue = new_venue()
    market = quoted(venue)
    venue.place("me", request(market, "bid", "10", "0.99"))
    resting = venue.place("me", request(market, "ask", "10", "0.99", time_in_force=GTC))
    venue.accounts["me"].cash = D("0.05")
    other = venue.place("me", request(market, "ask", "10", "0.01", reduce_only=True))
    assert other.filled == 10
    assert resting.order_id in venue.resting  # the sale's proceeds cover it
    venue.accounts["me"].cash = D("0.05")
    venue.trim_resting("me")
    assert resting.status is OrderStatus.CANCELED


def test_an_expired_order_is_taken_back() -> None:
    venue = new_venue()
    market = quoted(venue)
    order = venue.place("me", request(market, "bid", "1", "0.01", time_in_force=GTC, expires=START + 5))
    simulation.advance(venue, START + 4, active=False)
    assert order.order_id in venue.resting
    simulation.advance(venue, START + 6, active=False)
    assert order.status is OrderStatus.CANCELED


def test_a_pause_refuses_orders_allows_cancels_and_cancels_those_that_asked() -> None:
    venue = new_venue()
    market = quoted(venue)
    shy = venue.place("me", request(market, "bid", "1", "0.01", time_in_force=GTC, cancel_on_pause=True))
    brave = venue.place("me", request(market, "bid", "1", "0.02", time_in_force=GTC))
    market_lifecycle.pause(venue, paused=True)
    with pytest.raises(OrderRejected) as refused:
        venue.place("me", request(market, "bid", "1", "0.99"))
    assert refused.value.status == 503
    assert [shy.status, brave.status] == [OrderStatus.CANCELED, OrderStatus.RESTING]
    venue.cancel("me", brave.order_id)


# Lives


def test_only_steps_of_the_table_are_possible(still: Venue) -> None:
    market = next(iter(still.markets.values()))
    for status in MarketStatus:
        for following in set(MarketStatus) - NEXT_STATUSES[status]:
            fresh = replace(market, status=status)
            with pytest.raises(ValueError, match="cannot go"):
                fresh.enter(following, START)


def test_every_status_can_be_asked_for_by_exactly_one_filter() -> None:
    assert sorted(status for statuses in STATUS_FILTERS.values() for status in statuses) == sorted(MarketStatus)


def test_short_markets_come_go_and_pay_while_enough_stay_open() -> None:
    venue = new_venue()
    settled_before = {ticker for ticker, market in venue.markets.items() if market.settled}
    counts = []
    for minute in range(1, 8):
        simulation.advance(venue, START + 60 * minute)
        counts.append(sum(1 for _ in venue.open_markets()))
    fresh = [market for ticker, market in venue.markets.items() if market.settled and ticker not in settled_before]
    assert min(counts) >= 24
    assert {market.series_ticker for market in fresh} >= {"KXBTC5M", "KXTENNISSET"}
    assert all(market.yes_value is not None and market.result in {"yes", "no", "scalar"} for market in fresh)
    assert {each.status for each in venue.markets.values()} >= {
        MarketStatus.INITIALIZED,
        MarketStatus.ACTIVE,
        MarketStatus.FINALIZED,
    }


def test_at_most_one_market_of_an_exclusive_event_settles_yes() -> None:
    venue = new_venue()
    simulation.advance(venue, START + 1_800)
    for event in venue.events.values():
        results = [venue.markets[ticker].result for ticker in event.markets]
        if event.mutually_exclusive and all(results) and "scalar" not in results:
            assert results.count("yes") == 1, event.event_ticker


def test_a_result_can_be_disputed_and_amended_until_it_is_paid() -> None:
    venue = new_venue()
    market = next(each for each in venue.open_markets() if each.close_time - START < 600)
    venue.place("me", request(market, "bid", "10", "0.999" if market.structure != "linear_cent" else "0.99"))
    held = venue.accounts["me"].held(market.ticker)
    simulation.advance(venue, market.close_time + 3, active=False)
    assert market.status is MarketStatus.DETERMINED
    market_lifecycle.dispute(venue, market)
    simulation.advance(venue, market.close_time + 600, active=False)
    assert venue.live[market.ticker].settled is None
    market_lifecycle.amend(venue, market, result="scalar", value=D("0.25"))
    before = venue.accounts["me"].cash
    simulation.advance(venue, venue.now + market.settlement_seconds + 1, active=False)
    assert market.ticker not in venue.live
    assert venue.accounts["me"].cash == before + held * D("0.25")
    assert [(row.result, row.contracts) for row in venue.settlements["me"]] == [("scalar", held)]


def test_in_the_weekly_pause_orders_are_refused_and_cancels_are_not() -> None:
    venue = new_venue(now=THURSDAY - 600)
    venue.keeps_hours = True
    market = next(each for each in venue.open_markets() if each.close_time > THURSDAY + 3 * 3600)
    staying = venue.place("me", request(market, "bid", "1", "0.01", time_in_force=GTC))
    leaving = venue.place("me", request(market, "bid", "1", "0.01", time_in_force=GTC, cancel_on_pause=True))
    simulation.advance(venue, THURSDAY + 60, active=False)
    with pytest.raises(OrderRejected, match="trading_is_paused"):
        venue.place("me", request(market, "bid", "1", "0.50"))
    assert [order.order_id for order in venue.resting.values()] == [staying.order_id]
    assert leaving.status is OrderStatus.CANCELED
    venue.cancel("me", staying.order_id)
    simulation.advance(venue, THURSDAY + 2 * 3600, active=False)
    assert venue.trading_active


def test_an_operators_result_pays_at_once_and_only_once() -> None:
    venue = new_venue()
    market = quoted(venue)
    venue.place("me", request(market, "ask", "10", "0.01"))
    held = venue.accounts["me"].held(market.ticker)
    market_lifecycle.settle_now(venue, market, result="no")
    assert venue.settlements["me"][0].revenue == -held
    with pytest.raises(ValueError, match="cannot go"):
        market_lifecycle.settle_now(venue, market, result="yes")


# Conservation

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["bid", "ask", "cancel", "wait", "settle"]),
        st.integers(0, 5),
        st.integers(1, 4_000),
        st.integers(1, 99),
        st.sampled_from([IOC, GTC, GTC, FOK]),
    ),
    max_size=30,
)


@settings(max_examples=5)
@given(actions=ACTIONS, seed=st.integers(0, 3))
def test_whatever_happens_money_and_contracts_are_conserved(
    actions: list[tuple[str, int, int, int, TimeInForce]], seed: int
) -> None:
    """Cash + fees + open pairs stay constant; YES equals NO; positions are the sum of fills; no account owes cash."""
    venue = new_venue(f"c{seed}", members=("me", "you"))
    money = venue.money()
    picks = Random(seed)
    for kind, number, count, price, force in actions:
        member = ("me", "you")[number % 2]
        market = list(venue.open_markets())[number * 7]
        if kind == "wait":
            simulation.advance(venue, venue.now + count / 200)
        elif kind == "settle" and count % 3 == 0:
            market_lifecycle.settle_now(venue, market, result="scalar", value=D(price) / 100)
        elif kind == "cancel" and venue.resting:
            order = picks.choice(list(venue.resting.values()))
            venue.cancel(order.account_id, order.order_id)
        elif kind in {"bid", "ask"}:
            try:
                venue.place(
                    member, request(market, kind, str(D(count) / 100), str(D(price) / 100), time_in_force=force)
                )
            except OrderRejected:
                continue
        assert venue.money() == money
    for member in ("me", "you"):
        account = venue.accounts[member]
        assert account.cash >= ZERO
        for ticker, position in account.positions.items():
            fills = [fill for fill in venue.fills[member] if fill.ticker == ticker]
            total = sum((fill.count if fill.side is BookSide.BID else -fill.count for fill in fills), ZERO)
            assert position.settled or position.contracts == total
            assert position.fees == sum((fill.fee for fill in fills), ZERO)
    for ticker, market in venue.live.items():
        held = [account.held(ticker) for account in venue.accounts.values()]
        assert sum(held) == ZERO
        assert sum(max(each, ZERO) for each in held) == market.open_interest
        book = venue.books[ticker]
        if book.best_bid and book.best_ask:
            assert book.best_bid.price < book.best_ask.price


# Sameness and memory


def _picture(venue: Venue) -> list[object]:
    return [
        [(each.trade_id, each.ticker, each.price, each.count, each.time) for each in venue.trades],
        {ticker: (market.status, market.last_price, market.result) for ticker, market in venue.markets.items()},
        {ticker: venue.quotes(ticker) for ticker in venue.live},
        venue.money(),
    ]


def test_the_same_seed_gives_the_same_exchange_however_often_it_is_looked_at() -> None:
    one, other, third = new_venue(), new_venue(), new_venue("another")
    simulation.advance(one, START + 40)
    simulation.advance(third, START + 40)
    for step in range(1, 161):
        simulation.advance(other, START + step / 4)
    assert _picture(one) == _picture(other)
    assert _picture(one) != _picture(third)


def test_the_journal_brings_the_exchange_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "exchange.sqlite3"
    venue = new_venue()
    market = quoted(venue)
    venue.place("me", request(market, "bid", "5", "0.99"))
    resting = venue.place("me", request(market, "bid", "3", "0.02", time_in_force=GTC, client_order_id="r"))
    simulation.advance(venue, START + 130)
    other = next(each for each in venue.open_markets() if each.ticker != market.ticker)
    venue.place("me", request(other, "ask", "2", "0.01"))
    market_lifecycle.settle_now(venue, other, result="no")
    journal = Journal(path)
    journal.write(venue)
    journal.close()

    journal = Journal(path)
    again = restore(journal.read(), now=START + 131)
    journal.close()
    assert again is not None
    assert again.money() == venue.money()
    assert again.accounts == venue.accounts
    assert again.markets == venue.markets
    assert again.fills == venue.fills
    assert again.settlements == venue.settlements
    assert again.orders == venue.orders
    assert again.processes == venue.processes
    assert set(again.resting) == {resting.order_id}
    candles = again.recorders[market.ticker]
    assert candles.drawn == venue.recorders[market.ticker].drawn
    assert candles.past == venue.recorders[market.ticker].past
    simulation.advance(again, START + 160)
    assert len(again.trades) > 0
    assert not {trade.trade_id for trade in again.trades} & {trade.trade_id for trade in venue.trades}


def test_a_long_absence_is_not_traded_through_but_markets_live_on() -> None:
    venue = new_venue()
    simulation.advance(venue, START + 7 * 3600)
    assert sum(1 for _ in venue.open_markets()) >= 24
    assert all(market.settled is not None for market in venue.markets.values() if market.close_time < START + 6 * 3600)


def test_short_markets_nobody_of_ours_traded_are_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_lifecycle, "FORGET_SECONDS", 3600.0)  # three days, which take seconds to live through
    venue = new_venue()
    short = next(each for each in venue.open_markets() if each.series_ticker == "KXBTC5M")
    kept = next(each for each in venue.open_markets() if each.series_ticker == "KXTENNISSET")
    venue.place("me", request(kept, "bid", "1", "0.01", time_in_force=GTC))
    simulation.advance(venue, START + 2 * 3600, active=False)
    assert short.ticker not in venue.markets
    assert short.event_ticker not in venue.events
    assert kept.ticker in venue.markets
