"""The sums that Postgres makes of the kept books are those of the pure functions, reversals and time zones included."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from tests.unit.portfolio.bookings import START, Row, ledger_from

from coliseum.portfolio.booked_history import BookedHistory
from coliseum.portfolio.books_progress import BooksProgress
from coliseum.portfolio.books_records import BooksInPostgres
from coliseum.portfolio.books_storage import BooksEntry, BooksInMemory, BooksStorage
from coliseum.portfolio.ledger import Booking, standing_bookings
from coliseum.portfolio.lots import lots_from
from coliseum.store.client import Store
from coliseum.trading.trades import BookSide

BID, ASK = BookSide.BID, BookSide.ASK
HISTORY: list[Row] = [
    (BID, 1000, 4000, 17_500, "KXA-1", 1),
    (ASK, 400, 5500, 9_000, "KXA-1", 5),
    (ASK, 900, 6100, 0, "KXB-1", 7),
    (BID, 250, 3333, 1, "KXC-1", 11),
    (ASK, 1250, 7000, 20_000, "KXA-1", 3),
    (BID, 900, 1, 3, "KXB-1", 13),
    (ASK, 250, 9999, 7, "KXC-1", 2),
]
ZONES = (None, ZoneInfo("UTC"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata"))
SPANS = ((None, None), (START + 10 * 3600.0, None), (None, START + 20 * 3600.0), (START + 3600.0, START + 30 * 3600.0))


def booked(storage: BooksStorage, bookings: tuple[Booking, ...]) -> BooksStorage:
    version, _ = storage.append(storage.read().version, BooksEntry(progress=BooksProgress(), bookings=bookings))
    assert version == 1
    return storage


def test_postgres_and_the_pure_functions_agree_on_every_sum(store: Store) -> None:
    bookings = ledger_from(HISTORY, {"KXA-1": 100, "KXC-1": 37}, late=3).bookings
    assert any(booking.reverses for booking in bookings)
    memory, kept = booked(BooksInMemory(), bookings), booked(BooksInPostgres(lambda: store, "a"), bookings)
    booked(BooksInPostgres(lambda: store, "another account"), bookings[:2])
    for zone, (since, until), ticker in product(ZONES, SPANS, (None, "KXA-1", "NONE")):
        question = {"since": since, "until": until, "ticker": ticker}
        ours, theirs = (each.gains(zone=zone, **question) for each in (memory, kept))  # type: ignore[arg-type]  # by name
        assert ours == theirs, (zone, question)


def zone_named(key: str, *, like: str) -> ZoneInfo:
    """A zone that this machine knows and Postgres does not."""
    with files("tzdata.zoneinfo").joinpath(like).open("rb") as file:
        return ZoneInfo.from_file(file, key=key)


@pytest.mark.parametrize(
    "zone", [ZoneInfo("CET"), ZoneInfo("EET"), ZoneInfo("EST5EDT"), zone_named("Europe/New_City", like="Asia/Tokyo")]
)
def test_days_in_summer_are_right_in_zones_that_postgres_reads_otherwise_or_does_not_know(
    store: Store, zone: ZoneInfo
) -> None:
    """Postgres takes CET for an abbreviation: one hour before UTC in summer, too."""
    half_past_midnight = datetime(2026, 7, 14, 0, 30, tzinfo=zone).timestamp()
    bookings = tuple(
        replace(booking, at=half_past_midnight + number * 1200)
        for number, booking in enumerate(ledger_from(HISTORY, {}).bookings, -3)
    )
    memory, kept = booked(BooksInMemory(), bookings), booked(BooksInPostgres(lambda: store, "a"), bookings)
    question = {"since": None, "until": None, "ticker": None}
    theirs = kept.gains(zone=zone, **question)
    assert theirs == memory.gains(zone=zone, **question)
    assert [each.name for each in theirs] == ["2026-07-13", "2026-07-14"]


def test_the_lots_are_made_of_the_same_executions_in_both(store: Store) -> None:
    bookings = ledger_from(HISTORY, {"KXA-1": 100}, late=4).bookings
    expected = lots_from(standing_bookings(bookings))
    for storage in (BooksInMemory(), BooksInPostgres(lambda: store, "a")):
        history = BookedHistory(storage=booked(storage, bookings), progress=BooksProgress())
        assert lots_from(history.standing()) == expected
        (one, other) = (lots_from(history.standing(ticker=name)) for name in ("KXA-1", "KXB-1"))
        assert all(lot.ticker == "KXA-1" for lot in [*one[0], *one[1]])
        assert len(one[0]) + len(other[0]) <= len(expected[0])
