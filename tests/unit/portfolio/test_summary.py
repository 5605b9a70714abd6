"""The summary's parts that are made from several sources."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from coliseum.portfolio.records import BalanceSnapshot
from coliseum.portfolio.summary import change_data
from coliseum.trading.markets import Balance
from coliseum.trading.money import ZERO

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
BALANCE = Balance(cash=Decimal("98.01"), portfolio_value=Decimal("1.99"), as_of=MIDNIGHT)
SNAPSHOT = BalanceSnapshot(
    taken_at=MIDNIGHT, cash=Decimal("104.25"), portfolio_value=ZERO, equity=Decimal("104.25"), source="kalshi"
)


def test_todays_change_is_the_difference_of_the_two_equities() -> None:
    today = change_data(BALANCE, SNAPSHOT, since=MIDNIGHT, zone="UTC", problem=None)
    assert (today.change, today.equity_before, today.error) == (Decimal("-4.25"), Decimal("104.25"), None)


def test_an_unknown_part_makes_the_change_null_with_the_reason() -> None:
    for balance, snapshot, problem, reason in (
        (None, SNAPSHOT, None, "the balance is unknown"),
        (BALANCE, None, None, "no snapshot was taken before today began"),
        (BALANCE, None, "postgres: no answer", "postgres: no answer"),
    ):
        today = change_data(balance, snapshot, since=MIDNIGHT, zone="UTC", problem=problem)
        assert (today.change, today.error) == (None, reason)
