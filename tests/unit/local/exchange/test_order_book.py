"""The matching engine: who trades with whom, at what price, and what is left."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.trading.money import ZERO
from coliseum.trading.trades import BookSide
from coliseum_local.exchange.order_book import LimitOrderBook
from coliseum_local.exchange.orders import (
    Action,
    OrderRejected,
    OrderStatus,
    SandboxOrder,
    SelfTradePrevention,
    TimeInForce,
)

_numbers = itertools.count()
GTC, IOC, FOK = TimeInForce.GOOD_TILL_CANCELED, TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL


def order(text: str, *, owner: str | None = None, kind: TimeInForce = GTC, **more: object) -> SandboxOrder:
    """`bid 10 @ 0.42` of an account of its own, unless `owner` names one."""
    side, count, _, price = text.split()
    number = next(_numbers)
    fields: dict[str, object] = {
        "order_id": f"o{number}",
        "account_id": owner or f"a{number}",
        "ticker": "T",
        "side": BookSide(side),
        "price": Decimal(price),
        "initial": Decimal(count),
        "remaining": Decimal(count),
        "time_in_force": kind,
        "self_trade_prevention": SelfTradePrevention.TAKER_AT_CROSS,
        "action": Action.BUY,
        "created": 0.0,
        "updated": 0.0,
    }
    return SandboxOrder(**(fields | more))  # type: ignore[arg-type]  # built from the table above


def book_of(*texts: str) -> tuple[LimitOrderBook, list[SandboxOrder]]:
    book = LimitOrderBook()
    orders = [order(text) for text in texts]
    for each in orders:
        book.place(each)
    return book, orders


def matched(book: LimitOrderBook, incoming: SandboxOrder, resting: list[SandboxOrder]) -> list[tuple[int, str, str]]:
    """(index of the resting order, price, count) per match."""
    return [(resting.index(match.maker), str(match.price), str(match.count)) for match in book.place(incoming).matches]


PRIORITY = [
    ("better price first", ["ask 5 @ 0.60", "ask 5 @ 0.50"], "bid 7 @ 0.60", [(1, "0.50", "5"), (0, "0.60", "2")]),
    (
        "at one price, first come",
        ["ask 5 @ 0.50", "ask 5 @ 0.50"],
        "bid 7 @ 0.50",
        [(0, "0.50", "5"), (1, "0.50", "2")],
    ),
    ("at the resting price", ["bid 5 @ 0.70"], "ask 5 @ 0.10", [(0, "0.70", "5")]),
    ("not beyond the limit", ["ask 5 @ 0.50", "ask 5 @ 0.55"], "bid 9 @ 0.54", [(0, "0.50", "5")]),
    ("nothing that does not cross", ["ask 5 @ 0.50"], "bid 5 @ 0.49", []),
    ("fractions of a contract", ["ask 0.03 @ 0.50"], "bid 0.01 @ 0.50", [(0, "0.50", "0.01")]),
    (
        "prices below a cent",
        ["bid 5 @ 0.0550", "bid 5 @ 0.0560"],
        "ask 6 @ 0.0550",
        [(1, "0.0560", "5"), (0, "0.0550", "1")],
    ),
]


@pytest.mark.parametrize(
    ("resting", "incoming", "expected"), [row[1:] for row in PRIORITY], ids=[r[0] for r in PRIORITY]
)
def test_orders_trade_by_price_and_then_by_time(
    resting: list[str], incoming: str, expected: list[tuple[int, str, str]]
) -> None:
    book, orders = book_of(*resting)
    assert matched(book, order(incoming), orders) == expected


@pytest.mark.parametrize(
    ("kind", "status", "left_in_book"),
    [(GTC, OrderStatus.RESTING, True), (IOC, OrderStatus.CANCELED, False)],
)
def test_what_is_not_filled_rests_or_is_gone(kind: TimeInForce, status: OrderStatus, left_in_book: bool) -> None:
    book, _ = book_of("ask 5 @ 0.50")
    incoming = order("bid 8 @ 0.50", kind=kind)
    book.place(incoming)
    assert incoming.status is status
    assert (incoming.order_id in book.orders) is left_in_book
    assert incoming.remaining == (3 if left_in_book else 0)


def test_fill_or_kill_takes_all_or_leaves_no_trace() -> None:
    book, orders = book_of("ask 5 @ 0.50", "ask 5 @ 0.52")
    with pytest.raises(OrderRejected, match="fill_or_kill"):
        book.place(order("bid 8 @ 0.50", kind=FOK))
    assert [each.remaining for each in orders] == [5, 5]
    assert matched(book, order("bid 8 @ 0.52", kind=FOK), orders) == [(0, "0.50", "5"), (1, "0.52", "3")]


def test_a_post_only_order_never_takes() -> None:
    book, _ = book_of("ask 5 @ 0.50")
    with pytest.raises(OrderRejected) as refused:
        book.place(order("bid 5 @ 0.50", post_only=True))
    assert (refused.value.code, refused.value.details) == ("invalid_order", "post only cross")
    assert book.place(order("bid 5 @ 0.49", post_only=True)).matches == []


def test_with_taker_at_cross_the_incoming_order_gives_way_to_its_own_account() -> None:
    book = LimitOrderBook()
    own, other = order("ask 5 @ 0.50", owner="me"), order("ask 5 @ 0.49", owner="you")
    book.place(own)
    book.place(other)
    incoming = order("bid 9 @ 0.50", owner="me")
    placement = book.place(incoming)
    assert [match.maker for match in placement.matches] == [other]
    assert incoming.status is OrderStatus.CANCELED
    assert own.remaining == 5


def test_with_maker_the_resting_order_of_the_same_account_gives_way() -> None:
    book = LimitOrderBook()
    own, other = order("ask 5 @ 0.50", owner="me"), order("ask 5 @ 0.51", owner="you")
    book.place(own)
    book.place(other)
    incoming = order("bid 5 @ 0.51", owner="me", self_trade_prevention=SelfTradePrevention.MAKER)
    placement = book.place(incoming)
    assert placement.self_trades_prevented == [own]
    assert own.status is OrderStatus.CANCELED
    assert [match.maker for match in placement.matches] == [other]


def test_the_legs_show_each_outcomes_bids_best_last() -> None:
    book, _ = book_of("bid 3 @ 0.40", "bid 2 @ 0.47", "bid 1 @ 0.47", "ask 4 @ 0.52", "ask 9 @ 0.60")
    yes = [(str(level.price), str(level.count)) for level in book.leg(BookSide.BID)]
    no = [(str(level.price), str(level.count)) for level in book.leg(BookSide.ASK)]
    assert yes == [("0.40", "3"), ("0.47", "3")]
    assert no == [("0.40", "9"), ("0.48", "4")]


def test_a_canceled_order_is_gone_and_says_how_much_was_open() -> None:
    book, (resting,) = book_of("bid 3 @ 0.40")
    book.place(order("ask 1 @ 0.40", kind=IOC))
    assert book.cancel(resting) == 2
    assert (book.best_bid, book.orders, resting.status) == (None, {}, OrderStatus.CANCELED)


ORDERS = st.builds(
    lambda side, count, price, kind, owner: order(
        f"{side} {Decimal(count) / 100} @ {Decimal(price) / 100}", kind=kind, owner=f"m{owner}"
    ),
    st.sampled_from(["bid", "ask"]),
    st.integers(1, 900),
    st.integers(1, 99),
    st.sampled_from([GTC, GTC, IOC]),
    st.integers(0, 3),
)


@given(st.lists(ORDERS, max_size=40))
def test_the_book_is_never_crossed_and_no_contract_is_lost(orders: list[SandboxOrder]) -> None:
    """Whatever comes: bid below ask, every contract filled, open or canceled, and no account trades with itself."""
    book = LimitOrderBook()
    filled: dict[str, Decimal] = {}
    for each in orders:
        for match in book.place(each).matches:
            assert match.maker.account_id != match.taker.account_id
            assert match.count > ZERO
            for half in (match.maker, match.taker):
                filled[half.order_id] = filled.get(half.order_id, ZERO) + match.count
        if book.best_bid and book.best_ask:
            assert book.best_bid.price < book.best_ask.price
    for each in orders:
        done = filled.get(each.order_id, ZERO)
        assert done + each.remaining <= each.initial
        if each.status is OrderStatus.EXECUTED:
            assert done == each.initial
        if each.status is OrderStatus.RESTING:
            assert done + each.remaining == each.initial
            assert each.order_id in book.orders
