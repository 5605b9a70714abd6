from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import fmean, stdev

import pytest

from coliseum.arena.paper.account import LedgerRow, PaperLedgerState, buy, deposit, replay, reverse, settle
from coliseum.arena.scoring.money import AccountValue, bets, daily_returns, drawdown, hourly, money_figures
from coliseum.trading.trades import Outcome

START = datetime(2026, 11, 1, tzinfo=UTC)


class Ledger:
    """Rows as they are written one after another."""

    def __init__(self, amount: str = "100") -> None:
        self.rows: list[LedgerRow] = list(deposit(PaperLedgerState(), Decimal(amount), key="deposit"))

    @property
    def state(self) -> PaperLedgerState:
        return replay(self.rows)

    def buy(self, ticker: str, side: Outcome, contracts: str, price: str, fee: str = "0") -> None:
        fills = [(Decimal(price), Decimal(contracts))]
        self.rows += buy(self.state, ticker=ticker, side=side, fills=fills, fee=Decimal(fee), key=f"k{len(self.rows)}")

    def settle(self, ticker: str, value: str, version: int = 1) -> None:
        self.rows += settle(self.state, ticker=ticker, yes_value=Decimal(value), version=version)


def worths(*equities: float, step: timedelta = timedelta(days=1)) -> list[AccountValue]:
    return [AccountValue(START + i * step, Decimal(0), Decimal(str(value))) for i, value in enumerate(equities)]


def test_the_worked_example_of_an_account_is_exact_to_the_cent() -> None:
    """100 YES at 0.42, 40 closed by NO at 0.55, the rest settles YES: 33.59."""
    ledger = Ledger("10000")
    ledger.buy("T", Outcome.YES, "100", "0.42", "1.71")
    ledger.buy("T", Outcome.NO, "40", "0.55", "0.70")
    ledger.settle("T", "1")
    result = money_figures(ledger.rows, ())

    assert result.value - result.deposit == Decimal("33.59")
    assert (result.realized, result.fees, result.exposure) == (Decimal("36.00"), Decimal("2.41"), Decimal(0))
    assert result.turnover == Decimal("60.00")
    assert result.roi == pytest.approx(0.003359)
    assert (result.bets, result.win_rate, result.profit_factor) == (1, 1.0, None)


def test_open_positions_count_at_their_mark() -> None:
    ledger = Ledger()
    ledger.buy("T", Outcome.YES, "100", "0.40")
    result = money_figures(
        ledger.rows, [AccountValue(START, Decimal(60), Decimal("95.00"))], model_cost=Decimal("0.50")
    )

    assert (result.value, result.unrealized, result.exposure) == (Decimal("95.00"), Decimal("-5.00"), Decimal("40.00"))
    assert result.net_of_models == Decimal("94.50")
    assert (result.bets, result.win_rate, result.win_interval) == (0, None, None)


def test_only_the_amended_settlement_counts() -> None:
    ledger = Ledger()
    ledger.buy("T", Outcome.YES, "10", "0.40")
    ledger.settle("T", "1")
    ledger.rows += reverse(ledger.rows[-1], ledger.state)
    assert bets(ledger.rows) == ()
    ledger.settle("T", "0", version=2)

    (bet,) = bets(ledger.rows)
    assert (bet.cost, bet.profit) == (Decimal("4.00"), Decimal("-4.00"))


def test_bets_are_judged_after_fees() -> None:
    ledger = Ledger()
    ledger.buy("A", Outcome.YES, "10", "0.50", "0.20")
    ledger.buy("B", Outcome.NO, "10", "0.30", "0.10")
    ledger.settle("A", "1")
    ledger.settle("B", "1")
    result = money_figures(ledger.rows, ())
    returns = [4.8 / 5, -3.1 / 3]

    assert [bet.roi for bet in bets(ledger.rows)] == pytest.approx(returns)
    assert result.win_rate == 0.5
    assert result.profit_factor == pytest.approx(4.8 / 3.1)
    assert result.per_bet_sharpe == pytest.approx(fmean(returns) / stdev(returns))
    assert result.win_interval == pytest.approx((0.0945, 0.9055), abs=1e-4)


def test_a_drawdown_runs_from_a_peak_to_its_return() -> None:
    curve = worths(100, 120, 90, 100, 130, 129, step=timedelta(hours=1))

    assert drawdown(curve, Decimal(100)) == pytest.approx((0.25, 2.0))
    assert drawdown(curve, Decimal(150)) == pytest.approx((0.4, 5.0))  # it lost from the beginning
    assert drawdown((), Decimal(100)) == (None, None)


def test_the_last_mark_of_each_hour_and_day_counts() -> None:
    marks = worths(100, 90, 110, 121, step=timedelta(minutes=30))
    days = [*marks, *worths(0, 121, 110)[1:]]

    assert [one.equity for one in hourly(marks)] == [90, 121]
    assert daily_returns(days) == pytest.approx([0, 110 / 121 - 1])


def test_sharpe_and_sortino_wait_for_thirty_returns() -> None:
    returns = [0.01 if day % 3 else -0.01 for day in range(30)]
    values = [100.0]
    for one in returns:
        values.append(values[-1] * (1 + one))
    rows = Ledger().rows
    early, late = money_figures(rows, worths(*values[:-1])), money_figures(rows, worths(*values))

    assert (early.sharpe, early.sortino) == (None, None)
    assert late.sharpe == pytest.approx(fmean(returns) / stdev(returns) * 365**0.5, rel=1e-9)
    downside = (sum(one * one for one in returns if one < 0) / 30) ** 0.5
    assert late.sortino == pytest.approx(fmean(returns) / downside * 365**0.5, rel=1e-9)
    assert late.daily_volatility == pytest.approx(stdev(returns))


def test_an_account_without_trades_has_no_ratios() -> None:
    result = money_figures(Ledger().rows, worths(*[100.0] * 40))

    assert (result.roi, result.max_drawdown, result.drawdown_hours) == (0.0, 0.0, 0.0)
    assert (result.sharpe, result.sortino, result.per_bet_sharpe, result.log_growth_per_bet) == (None,) * 4
