"""Profit by group: every booking counts once, whatever it is grouped by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.portfolio.bookings import ENDS, ROWS, START, Row, ledger_from
from tests.unit.portfolio.test_ledger import fill, ledger_of, settlement

from coliseum.portfolio.ledger import Booking, standing_bookings
from coliseum.portfolio.pnl import (
    SEVERAL,
    UNKNOWN,
    Gains,
    Group,
    PnlGroup,
    Strategies,
    by_day,
    by_market,
    group_gains,
    regroup,
    series_of,
    total_gains,
)
from coliseum.trading.trades import BookSide

STRATEGIES = Strategies(
    by_trade={"f000001": "reversion", "f000002": "momentum", "f000003": "momentum"},
    by_ticker={"KXA-1": frozenset({"reversion"}), "KXB-1": frozenset({"reversion", "momentum"})},
)
EVENTS = {"KXA-1": "KXA", "KXB-1": "KXA"}
CATEGORIES = {"KXA": "Climate"}
Gather = Callable[[Iterable[Booking]], dict[str, Gains]]


def gather(group: Group) -> Gather:
    return lambda bookings: group_gains(bookings, group)


def gather_markets(name: Callable[[str], str]) -> Gather:
    return lambda bookings: regroup(group_gains(bookings, by_market), name)


GROUPINGS: dict[str, Gather] = {
    "market": gather(by_market),
    "event": gather_markets(lambda ticker: EVENTS.get(ticker, UNKNOWN)),
    "series": gather_markets(series_of),
    "category": gather_markets(lambda ticker: CATEGORIES.get(series_of(ticker), UNKNOWN)),
    "day": gather(by_day(ZoneInfo("America/New_York"))),
    "strategy": gather(STRATEGIES.of),
}


def test_the_table_has_every_grouping() -> None:
    assert set(GROUPINGS) == set(PnlGroup)


@pytest.mark.parametrize("name", list(GROUPINGS))
@given(rows=ROWS, ends=ENDS, late=st.integers(0, 5))
def test_the_groups_of_any_grouping_add_up_to_the_ledgers_totals(
    name: str, rows: list[Row], ends: dict[str, int], late: int
) -> None:
    ledger = ledger_from(rows, ends, late=late)
    total, groups = ledger.totals(), GROUPINGS[name](ledger.bookings)
    summed = total_gains(groups.values())
    assert (summed.realized, summed.fees, summed.basis, summed.cash) == (
        total.realized,
        total.fees,
        total.basis,
        total.cash,
    )
    assert (summed.fills, summed.tickers) == (len(rows), set(ledger.holdings))


@given(rows=ROWS, ends=ENDS, late=st.integers(1, 5))
def test_bookings_with_their_reversals_and_without_them_give_the_same_sums(
    rows: list[Row], ends: dict[str, int], late: int
) -> None:
    ledger = ledger_from(rows, ends, late=late)
    for gather_groups in GROUPINGS.values():
        with_reversals = gather_groups(ledger.bookings)
        standing = gather_groups(standing_bookings(ledger.bookings))
        assert {key: (each.realized, each.settled, each.fees, each.fills) for key, each in standing.items()} == {
            key: (each.realized, each.settled, each.fees, each.fills)
            for key, each in with_reversals.items()
            if key in standing
        }


def test_a_settlements_profit_is_also_named_on_its_own() -> None:
    ledger = ledger_of(
        [fill(1, BookSide.BID, "10", "0.40", fee="0.10"), fill(2, BookSide.ASK, "4", "0.50", fee="0.05")],
        [settlement("KXA-1", Decimal(6), "1", result="yes")],
    )
    gains = group_gains(ledger.bookings, by_market)["KXA-1"]
    assert (gains.realized, gains.settled, gains.fees) == (Decimal("4.00"), Decimal("3.60"), Decimal("0.15"))


@pytest.mark.parametrize(
    ("zone", "day"), [("UTC", "2026-11-21"), ("America/New_York", "2026-11-20"), ("Asia/Tokyo", "2026-11-21")]
)
def test_a_day_is_one_in_the_callers_time_zone(zone: str, day: str) -> None:
    at = START - 9 * 3600  # 2026-11-21 03:00 UTC
    bookings = ledger_of([fill(1, BookSide.BID, "1", "0.5", at=at)]).bookings
    assert list(group_gains(bookings, by_day(ZoneInfo(zone)))) == [day]


def test_a_settlement_belongs_to_the_strategy_of_its_market_if_there_is_one() -> None:
    ledger = ledger_of(
        [fill(1, BookSide.BID, "1", "0.5"), fill(2, BookSide.BID, "1", "0.5", ticker="KXB-1")],
        [settlement("KXA-1", Decimal(1), "1"), settlement("KXB-1", Decimal(1), "1")],
    )
    groups = group_gains(ledger.bookings, STRATEGIES.of)
    assert {key: gains.realized for key, gains in groups.items()} == {
        "reversion": Decimal("0.5"),
        "momentum": Decimal(0),
        SEVERAL: Decimal("0.5"),
    }
