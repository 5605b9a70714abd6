"""The books in Postgres: what its functions promise, and the same runs and crashes as with books in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from functools import partial
from random import Random

import pytest
from tests.unit.portfolio.books_exchange import NOW, BooksExchange, fill, settlement

from coliseum.errors import SourceRefused, SourceUnavailable
from coliseum.portfolio.books import AccountBooks
from coliseum.portfolio.books_records import BooksInPostgres, stored_books
from coliseum.portfolio.books_storage import BooksEntry, BooksMoved, BooksStorage
from coliseum.portfolio.ledger import Holding, Ledger, add_booking
from coliseum.portfolio.records import upsert_settlements
from coliseum.store.client import Store
from coliseum.trading.trades import Fill

ACCOUNT = "sandbox/0123456789ab"
LONG = 1e9


@pytest.fixture
def storage(store: Store) -> BooksInPostgres:
    return BooksInPostgres(lambda: store, ACCOUNT)


def history(seed: int, count: int) -> list[Fill]:
    """Fills of three markets with equal moments, opened, closed and flipped."""
    rng = Random(seed)
    return [
        fill(
            f"f{number}",
            NOW - 9000 + number // 3 + 0.25,
            ticker=f"KX{rng.choice('ABC')}-1",
            bid=rng.random() < 0.5,
            count=f"{rng.randint(1, 900) / 100:.2f}",
            price=f"{rng.randint(1, 999) / 1000:.3f}",
        )
        for number in range(count)
    ]


def run(storage: BooksStorage, exchange: BooksExchange, live: tuple[str, ...] = ("KXA-1", "KXB-1", "KXC-1")) -> None:
    AccountBooks(storage, clock=lambda: NOW).extend(exchange.kalshi(), time_left=lambda: LONG, live=live)


def holdings_of(storage: BooksStorage) -> dict[str, Holding]:
    return {row.ticker: row for row in storage.holdings(storage.known_tickers())}


def without_reversals(holdings: dict[str, Holding]) -> dict[str, Holding]:
    return {ticker: replace(holding, reversals=0) for ticker, holding in holdings.items()}


def summed(storage: BooksStorage) -> dict[str, Holding]:
    holdings: dict[str, Holding] = {}
    for booking in storage.all_bookings():
        holdings[booking.ticker] = add_booking(holdings.get(booking.ticker) or Holding(ticker=booking.ticker), booking)
    return holdings


def whole(exchange: BooksExchange) -> dict[str, Holding]:
    ledger = Ledger()
    ledger.book_fills([*exchange.fills_live, *exchange.fills_old])
    ledger.book_settlements(exchange.settled)
    return without_reversals(ledger.holdings)


def settled_history(page_size: int) -> BooksExchange:
    """A history whose market B was settled."""
    fills = history(1, 40)
    held = sum((one.yes_delta for one in fills if one.ticker == "KXB-1"), Decimal(0))
    return BooksExchange(
        fills_live=fills[20:],
        fills_old=fills[:24],
        settled=[settlement("KXB-1", held, result="yes" if held > 0 else "no")],
        page_size=page_size,
    )


def test_stored_holdings_are_the_sum_of_the_stored_bookings_and_equal_one_whole_run(storage: BooksInPostgres) -> None:
    exchange = settled_history(7)
    run(storage, exchange)
    assert summed(storage) == holdings_of(storage)
    assert without_reversals(holdings_of(storage)) == whole(exchange)
    assert storage.staged(10) == []
    assert storage.read().fills == 40


def test_another_process_goes_on_where_the_first_one_stopped_and_late_fills_find_their_place(
    storage: BooksInPostgres, store: Store
) -> None:
    exchange = settled_history(7)
    late = exchange.fills_live.pop(5)
    run(storage, exchange)
    exchange.fills_live += [late, fill("new", NOW - 50, ticker="KXA-1")]
    run(BooksInPostgres(lambda: store, ACCOUNT), exchange)
    assert summed(storage) == holdings_of(storage)
    assert without_reversals(holdings_of(storage)) == whole(exchange)


class CrashingStorage(BooksInPostgres):
    """Fails at one write: before it, or after it is done."""

    def __init__(self, store: Store, *, writes: int, after: bool) -> None:
        super().__init__(lambda: store, ACCOUNT)
        self.writes_left, self.after = writes, after

    def append(self, version: int, entry: BooksEntry) -> tuple[int, tuple[str, ...]]:
        self.writes_left -= 1
        if self.writes_left < 0:
            if self.after:
                super().append(version, entry)
            raise SourceUnavailable("postgres", "the connection was lost")
        return super().append(version, entry)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("writes", range(0, 11, 2))
def test_a_crash_at_any_write_loses_and_doubles_nothing(
    storage: BooksInPostgres, store: Store, writes: int, after: bool
) -> None:
    exchange = settled_history(9)
    with suppress(SourceUnavailable):
        run(CrashingStorage(store, writes=writes, after=after), exchange)
    run(storage, exchange)
    assert without_reversals(holdings_of(storage)) == whole(exchange)
    assert summed(storage) == holdings_of(storage)


@pytest.mark.parametrize("seed", range(3))
def test_any_interruptions_and_late_fills_end_with_the_holdings_of_one_run(storage: BooksInPostgres, seed: int) -> None:
    """All fills lie within the seconds by which the exchange's lists may be late, so any of them may come last."""
    rng = Random(seed)
    hidden, exchange = history(seed, 60), BooksExchange(page_size=rng.randint(3, 9))
    rng.shuffle(hidden)
    while hidden:
        shown = rng.randint(5, 20)
        exchange.fills_live += hidden[:shown]
        hidden = hidden[shown:]
        steps = partial(next, iter([LONG] * rng.randint(0, 12)), 0.0)
        books = AccountBooks(storage, clock=lambda: NOW)
        books.extend(exchange.kalshi(), time_left=steps, live=["KXA-1", "KXB-1", "KXC-1"])
        assert summed(storage) == holdings_of(storage)
    run(storage, exchange)
    assert without_reversals(holdings_of(storage)) == whole(exchange)
    assert summed(storage) == holdings_of(storage)


def test_two_processes_at_once_book_everything_once(storage: BooksInPostgres, store: Store) -> None:
    exchange = settled_history(5)

    def load(_: int) -> None:
        for _ in range(20):
            run(BooksInPostgres(lambda: store, ACCOUNT), exchange)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(load, range(2)))
    assert without_reversals(holdings_of(storage)) == whole(exchange)
    assert summed(storage) == holdings_of(storage)


def test_a_writer_with_an_outdated_view_is_refused_and_writes_nothing(storage: BooksInPostgres) -> None:
    run(storage, settled_history(9))
    before = storage.read()
    with pytest.raises(BooksMoved):
        storage.append(before.version - 1, BooksEntry(progress=before.progress, staged=history(2, 3)))
    assert storage.read() == before


def test_a_booking_that_exists_is_skipped_and_changes_no_holding(storage: BooksInPostgres) -> None:
    run(storage, settled_history(9))
    before, bookings = storage.read(), list(storage.all_bookings())
    storage.append(before.version, BooksEntry(progress=before.progress, bookings=bookings[:5]))
    assert list(storage.all_bookings()) == bookings
    assert summed(storage) == holdings_of(storage)


def test_bookings_come_back_as_they_were_written(storage: BooksInPostgres) -> None:
    ledger = Ledger()
    ledger.book_fills(history(3, 12))
    ledger.book_settlements([settlement("KXA-1", ledger.holdings["KXA-1"].contracts)])
    storage.append(0, BooksEntry(progress=storage.read().progress, bookings=ledger.bookings))
    assert tuple(storage.all_bookings()) == ledger.bookings
    assert holdings_of(storage) == ledger.holdings


def test_a_rebuild_that_is_killed_ends_with_the_same_holdings(storage: BooksInPostgres, store: Store) -> None:
    exchange = settled_history(9)
    run(storage, exchange)
    before = holdings_of(storage)
    exchange.settled = []  # the live tier forgot it
    exchange.fills_old = []  # the archive too: what was booked is not lost
    storage.reset()
    assert storage.read().fills == 40
    with suppress(SourceUnavailable):
        run(CrashingStorage(store, writes=2, after=True), exchange, ("KXA-1", "KXC-1"))
    storage.reset()
    run(storage, exchange, ("KXA-1", "KXC-1"))
    assert without_reversals(holdings_of(storage)) == without_reversals(before)


def test_the_books_of_two_accounts_stay_apart(storage: BooksInPostgres, store: Store) -> None:
    run(storage, settled_history(9))
    other = BooksInPostgres(lambda: store, "sandbox/other")
    assert (other.read().fills, other.known_tickers()) == (0, set())


def test_a_staged_fill_that_comes_again_with_other_content_is_named(storage: BooksInPostgres) -> None:
    exchange = BooksExchange(fills_live=[fill("f", NOW - 5000)], fills_old=[fill("f", NOW - 5000, count="6")])
    run(storage, exchange)
    (doubt,) = storage.read().progress.doubts
    assert "fill f of order order-f in KXA-1" in doubt
    assert holdings_of(storage)["KXA-1"].contracts == 5


def test_a_settlement_that_only_postgres_kept_is_booked(store: Store) -> None:
    """50 YES at 0.40 in June, won; the fill is in the archive and the settlement nowhere on the exchange."""
    june = NOW - 180 * 86_400
    upsert_settlements(store, [settlement("KXJUNE-1", Decimal(50), at=june + 86_400)])
    exchange = BooksExchange(fills_old=[fill("june", june, ticker="KXJUNE-1", count="50", price="0.40")])
    snapshot = stored_books(lambda: store, ACCOUNT).extend(exchange.kalshi(), time_left=lambda: LONG, live=())
    assert (snapshot.progress.doubts, snapshot.open) == ((), ())
    assert snapshot.totals.realized == Decimal("30.00")


def test_malformed_arguments_are_refused(store: Store) -> None:
    arguments = {"p_version": 0, "p_staged": [], "p_bookings": [], "p_done": [], "p_settlements": []}
    with pytest.raises(SourceRefused, match="p_account"):
        store.rpc("account_books_append", {"p_account": "", "p_progress": {}, **arguments})
