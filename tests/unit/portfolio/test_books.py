"""The books of an account: any interruption, any order of arrival, any storage give the holdings of one whole run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.portfolio.books_exchange import NOW, BooksExchange, fill, position, settlement

from coliseum.errors import SourceUnavailable
from coliseum.portfolio.books import AccountBooks
from coliseum.portfolio.books_storage import BooksEntry, BooksInMemory, BooksMoved, BooksSnapshot
from coliseum.portfolio.ledger import Booking, Holding, Ledger, add_booking
from coliseum.trading.money import ZERO
from coliseum.trading.trades import BookSide, Fill

LONG = 1e9


def books_of(storage: BooksInMemory | None = None) -> AccountBooks:
    return AccountBooks(storage or BooksInMemory(), clock=lambda: NOW)


def run(books: AccountBooks, exchange: BooksExchange, *, live: tuple[str, ...] = ("KXA-1", "KXB-1")) -> BooksSnapshot:
    return books.extend(exchange.kalshi(), time_left=lambda: LONG, live=live)


def holdings_of(storage: BooksInMemory) -> dict[str, Holding]:
    return {row.ticker: replace(row, reversals=0) for row in storage.holdings(storage.known_tickers())}


def summed(storage: BooksInMemory) -> dict[str, Holding]:
    holdings: dict[str, Holding] = {}
    for booking in storage.all_bookings():
        holdings[booking.ticker] = add_booking(holdings.get(booking.ticker) or Holding(ticker=booking.ticker), booking)
    return holdings


class Clockwork:
    """Lets a run have so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self) -> float:
        self.left -= 1
        return LONG if self.left >= 0 else 0.0


class CrashingStorage(BooksInMemory):
    """Fails at one write: before it, or after it is done, as when the answer is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_left: int | None = None
        self.after = False

    def append(self, version: int, entry: BooksEntry) -> tuple[int, tuple[str, ...]]:
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left < 0:
                if self.after:
                    super().append(version, entry)
                raise SourceUnavailable("postgres", "the connection was lost")
        return super().append(version, entry)


HISTORY = [
    *(fill(f"f{number}", NOW - 9000 + number, bid=number % 3 > 0, count=str(1 + number)) for number in range(9)),
    *(fill(f"g{number}", NOW - 9000 + number // 4, ticker="KXB-1", bid=number % 2 > 0) for number in range(9)),
]


def whole(fills: list[Fill]) -> dict[str, Holding]:
    ledger = Ledger()
    ledger.book_fills(fills)
    return {ticker: replace(holding, reversals=0) for ticker, holding in ledger.holdings.items()}


def test_a_history_of_many_pages_is_booked_in_the_order_of_execution() -> None:
    storage = BooksInMemory()
    exchange = BooksExchange(fills_live=HISTORY[:12], fills_old=HISTORY[10:], page_size=3)
    snapshot = run(books_of(storage), exchange)
    assert holdings_of(storage) == whole(HISTORY)
    assert (snapshot.progress.complete, snapshot.progress.walk, snapshot.fills) == (True, None, len(HISTORY))


def test_later_runs_read_only_what_is_new() -> None:
    storage, exchange = BooksInMemory(), BooksExchange(fills_live=list(HISTORY))
    books = books_of(storage)
    run(books, exchange)
    exchange.calls.clear()
    exchange.fills_live.append(fill("new", NOW - 100))
    run(books, exchange)
    assert exchange.calls == ["fills", "settlements"]
    assert holdings_of(storage) == whole([*HISTORY, exchange.fills_live[-1]])


def test_a_run_without_news_writes_nothing() -> None:
    books, exchange = books_of(), BooksExchange(fills_live=list(HISTORY))
    version = run(books, exchange).version
    assert run(books, exchange).version == version


class WatchedStorage(BooksInMemory):
    """Notes for which markets all bookings were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_whole: list[str] = []

    def bookings(self, *, since: float | None, settled: Collection[str]) -> list[Booking]:
        self.read_whole += settled
        return super().bookings(since=since, settled=settled)


def test_a_settled_markets_bookings_are_read_again_only_for_a_new_fill_of_it() -> None:
    storage = WatchedStorage()
    exchange = BooksExchange(
        fills_live=[fill("f", NOW - 5000)], settled=[settlement("KXA-1", Decimal(5), at=NOW - 9000)]
    )
    books = books_of(storage)
    run(books, exchange)
    run(books, exchange)
    assert storage.read_whole == []
    exchange.fills_live.append(fill("late", NOW - 5010))
    exchange.settled = []
    run(books, exchange)
    assert "KXA-1" in storage.read_whole
    (held,) = storage.holdings(["KXA-1"])
    assert (held.settled, held.contracts, held.realized) == (True, ZERO, Decimal("1.00"))


@pytest.mark.parametrize("until_is", ["second", "moment", "end"])
@pytest.mark.parametrize("page_size", [2, 3, 7])
def test_no_fill_is_lost_at_the_end_of_a_page_whatever_the_end_of_a_window_includes(
    until_is: Literal["second", "moment", "end"], page_size: int
) -> None:
    fills = [fill(f"f{number}", NOW - 9000 + number / 4) for number in range(30)]
    storage = BooksInMemory()
    run(books_of(storage), BooksExchange(fills_live=fills, page_size=page_size, until_is=until_is))
    assert {booking.fill_id for booking in storage.all_bookings()} == {each.fill_id for each in fills}


def test_more_fills_in_one_second_than_a_page_holds_are_all_read() -> None:
    storage = BooksInMemory()
    crowd = [fill(f"c{number}", NOW - 5000.0, count=str(number + 1)) for number in range(11)]
    run(books_of(storage), BooksExchange(fills_live=[*crowd, *HISTORY], page_size=3))
    assert holdings_of(storage) == whole([*crowd, *HISTORY])


@pytest.mark.parametrize("calls", range(13))
def test_pages_that_came_before_the_exchange_failed_are_kept(calls: int) -> None:
    storage, exchange = BooksInMemory(), BooksExchange(fills_live=list(HISTORY), page_size=3, calls_left=calls)
    books = books_of(storage)
    with pytest.raises(SourceUnavailable):
        run(books, exchange)
    known = storage.read().fills
    exchange.calls_left = None
    run(books, exchange)
    assert holdings_of(storage) == whole(HISTORY)
    assert known >= min(len(HISTORY), calls - 1)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("writes", range(10))
def test_a_crash_at_any_write_loses_and_doubles_nothing(writes: int, after: bool) -> None:
    storage = CrashingStorage()
    exchange = BooksExchange(fills_live=list(HISTORY), page_size=4, settled=[settlement("KXB-1", Decimal(-5))])
    storage.writes_left, storage.after = writes, after
    with suppress(SourceUnavailable):
        run(books_of(storage), exchange)
    storage.writes_left = None
    run(books_of(storage), exchange)
    expected = Ledger()
    expected.book_fills(HISTORY)
    expected.book_settlements(exchange.settled)
    assert holdings_of(storage) == {name: replace(row, reversals=0) for name, row in expected.holdings.items()}
    assert summed(storage) == {row.ticker: row for row in storage.holdings(storage.known_tickers())}


def test_of_two_writers_one_is_refused_and_nothing_is_booked_twice() -> None:
    storage, exchange = BooksInMemory(), BooksExchange(fills_live=list(HISTORY), page_size=3)
    one, other = books_of(storage), books_of(storage)

    def interrupted() -> float:
        run(other, exchange)
        return LONG

    one.extend(exchange.kalshi(), time_left=interrupted, live=["KXA-1", "KXB-1"])
    with pytest.raises(BooksMoved):
        storage.append(0, BooksEntry(progress=storage.read().progress))
    assert holdings_of(storage) == whole(HISTORY)


def test_a_load_that_ran_out_of_time_says_how_far_it_is() -> None:
    books, exchange = books_of(), BooksExchange(fills_live=list(HISTORY), page_size=3)
    snapshot = books.extend(exchange.kalshi(), time_left=Clockwork(3), live=())
    assert snapshot.progress.walk is not None
    assert not snapshot.progress.complete
    assert 0 < snapshot.fills < len(HISTORY)
    assert (snapshot.newest, snapshot.oldest) == (max(f.timestamp for f in HISTORY), NOW - 8996.0)


def test_both_halves_of_a_trade_with_oneself_are_booked() -> None:
    storage = BooksInMemory()
    bought = fill("same", NOW - 5000)
    sold = replace(fill("same", NOW - 5000, bid=False), order_id="other")
    run(books_of(storage), BooksExchange(fills_live=[bought, sold]))
    (held,) = storage.holdings(["KXA-1"])
    assert (held.contracts, held.fees) == (ZERO, Decimal("0.0350"))


def test_a_fill_with_two_contents_is_named_and_makes_the_totals_doubtful() -> None:
    exchange = BooksExchange(fills_live=[fill("f", NOW - 5000), fill("f", NOW - 5000, count="6")])
    snapshot = run(books_of(), exchange)
    assert snapshot.progress.doubts == (
        "fill f of order order-f in KXA-1 was booked with contracts 5 and came again with 6",
    )


def test_an_amended_settlement_replaces_the_first_version() -> None:
    storage, exchange = BooksInMemory(), BooksExchange(fills_live=[fill("f", NOW - 5000)])
    books = books_of(storage)
    exchange.settled = [settlement("KXA-1", Decimal(5))]
    run(books, exchange, live=())
    exchange.settled.append(settlement("KXA-1", Decimal(5), result="no", at=NOW - 100))
    run(books, exchange, live=())
    assert storage.holdings(["KXA-1"])[0].realized == Decimal("-2.00")
    assert storage.disagreeing() == []


def test_a_market_that_was_left_before_its_settlement_agrees_and_one_with_another_count_does_not() -> None:
    storage = BooksInMemory()
    exchange = BooksExchange(fills_live=[fill("f", NOW - 5000), fill("g", NOW - 4000, bid=False)])
    exchange.settled = [settlement("KXA-1", ZERO), settlement("KXC-1", Decimal(3))]
    run(books_of(storage), exchange)
    assert [kept.settlement.ticker for kept in storage.disagreeing()] == ["KXC-1"]


def test_positions_of_which_no_fill_is_listed_any_more_are_booked_with_their_profit() -> None:
    exchange = BooksExchange(archived_positions=[position("KXOLD-1", ZERO, realized="12.50", fees="0.35")])
    snapshot = run(books_of(), exchange)
    assert (snapshot.totals.realized, snapshot.totals.fees) == (Decimal("12.50"), Decimal("0.35"))


def test_an_archived_position_with_contracts_and_without_fills_makes_the_totals_doubtful() -> None:
    exchange = BooksExchange(archived_positions=[position("KXOLD-1", Decimal(3))])
    (doubt,) = run(books_of(), exchange).progress.doubts
    assert doubt.startswith("KXOLD-1: no fill is listed any more")


def test_a_rebuild_ends_with_the_same_holdings_and_keeps_how_markets_ended() -> None:
    storage = BooksInMemory()
    exchange = BooksExchange(fills_live=list(HISTORY), settled=[settlement("KXB-1", Decimal(-5))])
    books = books_of(storage)
    run(books, exchange)
    before = holdings_of(storage)
    exchange.settled = []  # the live tier forgot it
    books.rebuild()
    assert not storage.read().progress.complete
    run(books, exchange, live=("KXA-1",))
    assert holdings_of(storage) == before


histories = st.lists(
    st.tuples(
        st.sampled_from(["KXA-1", "KXB-1"]),
        st.booleans(),
        st.integers(1, 9),
        st.sampled_from(["0.10", "0.355", "0.60"]),
        st.integers(0, 25),
    ),
    max_size=25,
)


@given(histories, st.integers(1, 6), st.data())
def test_interruptions_late_fills_and_new_ones_end_with_the_holdings_of_one_run(
    rows: list[tuple[str, bool, int, str, int]], page_size: int, data: st.DataObject
) -> None:
    """All fills lie within the seconds by which the exchange's lists may be late, so any of them may come last."""
    fills = [
        fill(f"f{number}", NOW - 5000 + second, ticker=ticker, bid=bid, count=str(count), price=price)
        for number, (ticker, bid, count, price, second) in enumerate(rows)
    ]
    storage, exchange = BooksInMemory(), BooksExchange(page_size=page_size)
    hidden = data.draw(st.permutations(fills))
    while hidden:
        shown = data.draw(st.integers(1, len(hidden)))
        exchange.fills_live += hidden[:shown]
        hidden = hidden[shown:]
        steps: Callable[[], float] = Clockwork(data.draw(st.integers(0, 30)))
        books_of(storage).extend(exchange.kalshi(), time_left=steps, live=["KXA-1", "KXB-1"])
        assert summed(storage) == {row.ticker: row for row in storage.holdings(storage.known_tickers())}
    snapshot = run(books_of(storage), exchange)
    assert snapshot.progress.complete
    assert holdings_of(storage) == whole(fills)
    assert {one.book_side for one in fills} <= set(BookSide)
