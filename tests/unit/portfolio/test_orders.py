"""What resting orders bind."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from coliseum.portfolio.orders import bind_orders
from coliseum.trading.money import ONE, ZERO
from coliseum.trading.orders import RestingOrder
from coliseum.trading.trades import BookSide, Outcome


def order(number: int, book_side: BookSide, count: str, yes_price: str, *, ticker: str = "KXA-1") -> RestingOrder:
    return RestingOrder(
        order_id=f"o{number:03}",
        client_order_id=None,
        ticker=ticker,
        book_side=book_side,
        outcome=Outcome.YES if book_side is BookSide.BID else Outcome.NO,
        yes_price=Decimal(yes_price),
        no_price=ONE - Decimal(yes_price),
        remaining=Decimal(count),
        filled=ZERO,
        initial=Decimal(count),
        created_at=datetime.fromtimestamp(number, UTC),
        updated_at=None,
        expires_at=None,
    )


def test_an_order_that_opens_binds_the_price_of_the_outcome_it_buys() -> None:
    yes, no = bind_orders([order(2, BookSide.BID, "10", "0.40"), order(1, BookSide.ASK, "10", "0.70")], {})
    assert (yes.collateral, no.collateral) == (Decimal("4.00"), Decimal("3.00"))


def test_contracts_that_close_a_position_bind_nothing() -> None:
    (sale,) = bind_orders([order(1, BookSide.ASK, "10", "0.70")], {"KXA-1": Decimal(4)})
    assert (sale.closing, sale.collateral) == (Decimal(4), Decimal("1.80"))


def test_a_position_is_closed_once_and_by_the_oldest_order() -> None:
    newer, older = bind_orders(
        [order(2, BookSide.BID, "3", "0.50"), order(1, BookSide.BID, "3", "0.20")], {"KXA-1": Decimal(-4)}
    )
    assert (older.order.order_id, older.closing, newer.closing) == ("o001", Decimal(3), Decimal(1))
    assert newer.collateral == Decimal("1.00")


def test_a_position_of_the_same_outcome_closes_nothing() -> None:
    (more,) = bind_orders([order(1, BookSide.BID, "3", "0.50")], {"KXA-1": Decimal(5)})
    assert more.closing == ZERO


COUNTS = st.integers(1, 500).map(lambda cents: str(Decimal(cents) / 100))
ORDERS = st.lists(
    st.tuples(
        st.sampled_from(BookSide),
        COUNTS,
        st.integers(1, 99).map(lambda cents: str(Decimal(cents) / 100)),
        st.sampled_from(["A", "B"]),
    ),
    max_size=8,
)


@given(ORDERS, st.integers(-900, 900))
def test_orders_never_close_more_than_is_held_and_bind_between_nothing_and_their_cost(
    rows: list[tuple[BookSide, str, str, str]], held_cents: int
) -> None:
    held = Decimal(held_cents) / 100
    orders = [order(n, side, count, price, ticker=ticker) for n, (side, count, price, ticker) in enumerate(rows)]
    bound = bind_orders(orders, {"A": held})
    assert {each.order.order_id for each in bound} == {each.order_id for each in orders}
    for side, most in ((Outcome.YES, max(ZERO, -held)), (Outcome.NO, max(ZERO, held))):
        asked = [each for each in bound if each.order.ticker == "A" and each.order.outcome is side]
        closing = sum((each.closing for each in asked), ZERO)
        assert closing == min(most, sum((each.order.remaining for each in asked), ZERO))
    assert all(ZERO <= each.collateral <= each.order.cost for each in bound)
