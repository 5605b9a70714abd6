from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from coliseum.portfolio.ledger import Holding
from coliseum.portfolio.reconciliation import find_discrepancies
from coliseum.trading.markets import ExchangePosition, Settlement
from coliseum.trading.money import ZERO

OURS = Holding(ticker="A", contracts=Decimal(10), basis=Decimal("4.00"), realized=Decimal("1.00"), fees=Decimal("0.17"))
THEIRS = ExchangePosition(
    ticker="A",
    position=Decimal(10),
    exposure=Decimal("4.00"),
    realized_pnl=Decimal("1.00"),
    fees_paid=Decimal("0.17"),
    total_traded=ZERO,
    updated_at=None,
)
PAID = Settlement(
    ticker="S",
    event_ticker="E",
    result="yes",
    yes_count=Decimal(10),
    yes_cost=ZERO,
    no_count=ZERO,
    no_cost=ZERO,
    revenue=Decimal(10),
    value=Decimal(1),
    fee=ZERO,
    settled_at=datetime(2026, 11, 21, tzinfo=UTC),
)


def fields(ours: Holding, theirs: ExchangePosition) -> list[str]:
    return [row.field for row in find_discrepancies({"A": ours}, [theirs], [], {})]


def test_equal_numbers_and_rounding_are_not_discrepancies() -> None:
    assert fields(OURS, THEIRS) == []
    assert fields(OURS, replace(THEIRS, exposure=Decimal("4.009"))) == []


def test_every_number_is_compared() -> None:
    other = ExchangePosition(
        ticker="A",
        position=Decimal("10.01"),
        exposure=Decimal("4.01"),
        realized_pnl=Decimal("0.99"),
        fees_paid=Decimal("0.18"),
        total_traded=ZERO,
        updated_at=None,
    )
    assert fields(OURS, other) == ["contracts", "exposure", "realized_pnl", "fees_paid"]


def test_a_position_that_only_one_side_has_is_a_discrepancy() -> None:
    (only_ours,) = find_discrepancies({"A": OURS}, [], [], {})
    assert (only_ours.ours, only_ours.exchange, only_ours.difference) == (Decimal(10), ZERO, Decimal(10))
    assert next(row.ticker for row in find_discrepancies({}, [THEIRS], [], {})) == "A"


def test_a_settlement_with_another_count_or_payment_is_a_discrepancy() -> None:
    assert find_discrepancies({}, [], [PAID], {"S": Decimal(10)}) == ()
    (count,) = find_discrepancies({}, [], [PAID], {"S": Decimal(9)})
    assert count.field == "settled_contracts"
    (money,) = find_discrepancies({}, [], [replace(PAID, revenue=Decimal("9.50"))], {"S": Decimal(10)})
    assert (money.field, money.difference) == ("settlement", Decimal("0.50"))


def test_a_market_that_was_left_before_its_settlement_agrees() -> None:
    left = replace(PAID, yes_count=Decimal(132), no_count=Decimal(132), revenue=ZERO)
    assert find_discrepancies({}, [], [left], {"S": ZERO}) == ()
    partly = replace(PAID, yes_count=Decimal(2), no_count=Decimal(1), revenue=Decimal(1))
    assert find_discrepancies({}, [], [partly], {"S": Decimal(1)}) == ()


def test_a_scalar_payment_is_the_records_revenue_whatever_its_value_says() -> None:
    scalar = replace(PAID, result="scalar", revenue=Decimal("3.74"), value=Decimal("3.74"))
    for value in (scalar.value, Decimal("0.37"), None):
        assert find_discrepancies({}, [], [replace(scalar, value=value)], {"S": Decimal(10)}) == ()


def test_a_scalar_payment_of_more_than_a_dollar_a_contract_is_a_discrepancy() -> None:
    (money,) = find_discrepancies({}, [], [replace(PAID, result="scalar", revenue=Decimal(11))], {"S": Decimal(10)})
    assert (money.field, money.ours) == ("settlement", Decimal(10))
