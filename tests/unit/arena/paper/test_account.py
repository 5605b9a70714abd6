from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal as D

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from coliseum.arena.paper.account import (
    LedgerRow,
    LedgerRowKind,
    PaperLedgerState,
    buy,
    deposit,
    replay,
    reverse,
    settle,
)
from coliseum.arena.paper.fills import fee_of
from coliseum.errors import InvalidInput
from coliseum.trading.fees import order_fee
from coliseum.trading.money import ONE, ZERO
from coliseum.trading.trades import Outcome

YES, NO = Outcome.YES, Outcome.NO


def funded(amount: str = "10000") -> PaperLedgerState:
    return replay(deposit(PaperLedgerState(), D(amount), key="deposit"))


def order(
    account: PaperLedgerState, side: Outcome, count: int, price: str, key: str, *, ticker: str = "A"
) -> tuple[LedgerRow, ...]:
    fee = order_fee(price=D(price), count=D(count))
    return buy(account, ticker=ticker, side=side, fills=[(D(price), D(count))], fee=fee, key=key)


def after(account: PaperLedgerState, rows: Iterable[LedgerRow]) -> PaperLedgerState:
    return replay(rows, account)


def test_the_worked_example_to_the_cent() -> None:
    """100 YES at 0.42, then 40 NO at 0.55, then YES: 1.20 closed, 34.80 settled, 1.71 and 0.70 of fees."""
    account = funded()
    account = after(account, order(account, YES, 100, "0.42", "one"))
    assert (account.cash, account.fees, account.basis) == (D("9956.29"), D("1.71"), D("42.00"))
    account = after(account, order(account, NO, 40, "0.55", "two"))
    assert account.realized == D("1.20")
    assert account.fees == D("2.41")
    assert account.positions["A"].contracts == 60
    assert account.positions["A"].average == D("0.42")
    account = after(account, settle(account, ticker="A", yes_value=ONE, version=1))
    assert account.realized == D("36.00")
    assert account.cash - account.deposits == D("33.59")


def test_buying_the_same_side_averages_the_cost() -> None:
    account = funded()
    account = after(account, order(account, YES, 10, "0.40", "one"))
    account = after(account, order(account, YES, 30, "0.60", "two"))
    assert account.positions["A"].average == D("0.55")
    assert account.realized == 0


def test_a_larger_order_of_the_other_side_closes_and_flips() -> None:
    account = funded()
    account = after(account, order(account, YES, 10, "0.40", "one"))
    rows = order(account, NO, 25, "0.50", "two")
    assert [row.kind for row in rows] == [LedgerRowKind.CLOSE, LedgerRowKind.BUY, LedgerRowKind.FEE]
    account = after(account, rows)
    assert account.realized == D("1.00")
    assert (account.positions["A"].side, account.positions["A"].contracts) == (NO, D(15))


def test_a_pair_bought_below_a_dollar_is_a_sure_gain() -> None:
    account = funded()
    account = after(account, order(account, YES, 100, "0.40", "one"))
    account = after(account, order(account, NO, 100, "0.50", "two"))
    assert account.positions == {}
    assert account.cash - account.deposits == D("10.00") - account.fees > 0


@pytest.mark.parametrize(
    ("side", "value", "paid"),
    [(YES, "1", "10.00"), (YES, "0", "0"), (NO, "0", "10.00"), (YES, "0.4567", "4.56"), (NO, "0.4567", "5.43")],
)
def test_a_settlement_pays_the_held_side_in_whole_cents(side: Outcome, value: str, paid: str) -> None:
    account = funded()
    account = after(account, order(account, side, 10, "0.50", "one"))
    (row,) = settle(account, ticker="A", yes_value=D(value), version=1)
    assert row.cash == D(paid)
    assert row.realized == D(paid) - D("5.00")


def test_an_account_without_a_position_gets_no_settlement_row() -> None:
    assert settle(funded(), ticker="A", yes_value=ONE, version=1) == ()


def test_a_reversal_restores_the_position_to_the_cent() -> None:
    account = funded()
    held = after(account, order(account, YES, 7, "0.37", "one"))
    rows = settle(held, ticker="A", yes_value=ONE, version=1)
    paid = after(held, rows)
    back = after(paid, reverse(rows[0], paid))
    assert (back.cash, back.realized, back.fees, back.positions) == (
        held.cash,
        held.realized,
        held.fees,
        held.positions,
    )


def test_only_a_reversal_may_leave_a_debt_and_nothing_is_bought_until_it_is_covered() -> None:
    account = funded("10")
    account = after(account, order(account, YES, 10, "0.50", "one"))
    rows = settle(account, ticker="A", yes_value=ONE, version=1)
    account = after(account, rows)
    account = after(account, order(account, YES, 20, "0.60", "two", ticker="B"))
    account = after(account, reverse(rows[0], account))
    assert account.cash < 0
    with pytest.raises(InvalidInput, match="borrows nothing"):
        order(account, YES, 1, "0.01", "three", ticker="C")
    closed = after(account, order(account, NO, 20, "0.10", "four", ticker="B"))
    assert closed.cash > account.cash


@pytest.mark.parametrize(
    "row",
    [
        LedgerRow(seq=2, key="x", kind=LedgerRowKind.BUY, cash=D(-1)),
        LedgerRow(
            seq=2,
            key="x",
            kind=LedgerRowKind.BUY,
            cash=D(-20_000),
            ticker="A",
            side=YES,
            contracts=D(1),
            price=D("0.5"),
        ),
        LedgerRow(seq=2, key="x", kind=LedgerRowKind.FEE, cash=D(-20_000), ticker="A"),
        LedgerRow(seq=3, key="x", kind=LedgerRowKind.FEE, cash=D(-1), ticker="A"),
        LedgerRow(
            seq=2, key="x", kind=LedgerRowKind.CLOSE, cash=D(1), ticker="A", side=YES, contracts=D(1), price=D("0.5")
        ),
        LedgerRow(
            seq=2, key="x", kind=LedgerRowKind.SETTLE, cash=D(1), ticker="A", side=YES, contracts=D(1), price=D(1)
        ),
        LedgerRow(seq=2, key="x", kind=LedgerRowKind.REVERSE, cash=D(-1)),
    ],
)
def test_a_row_that_contradicts_the_state_is_refused(row: LedgerRow) -> None:
    with pytest.raises(InvalidInput):
        replay([row], funded())


@pytest.mark.parametrize(
    "row",
    [
        LedgerRow(
            seq=4, key="x", kind=LedgerRowKind.BUY, cash=D(-1), ticker="A", side=NO, contracts=D(2), price=D("0.5")
        ),
        LedgerRow(
            seq=4, key="x", kind=LedgerRowKind.CLOSE, cash=D(9), ticker="A", side=YES, contracts=D(11), price=D("0.8")
        ),
        LedgerRow(
            seq=4, key="x", kind=LedgerRowKind.CLOSE, cash=D(9), ticker="A", side=NO, contracts=D(1), price=D("0.8")
        ),
        LedgerRow(
            seq=4, key="x", kind=LedgerRowKind.SETTLE, cash=D(9), ticker="A", side=YES, contracts=D(9), price=ONE
        ),
        LedgerRow(
            seq=4, key="x", kind=LedgerRowKind.SETTLE, cash=D(10), ticker="A", side=YES, contracts=D(10), price=ONE
        ),
        LedgerRow(
            seq=4, key="x", kind=LedgerRowKind.REVERSE, cash=D(-1), ticker="A", side=YES, contracts=D(1), price=ONE
        ),
    ],
)
def test_a_row_that_contradicts_the_position_is_refused(row: LedgerRow) -> None:
    account = funded()
    account = after(account, order(account, YES, 10, "0.50", "one"))
    with pytest.raises(InvalidInput):
        replay([row], account)


def test_equity_counts_marks_and_falls_back_on_cost() -> None:
    account = funded("100")
    account = after(account, order(account, YES, 10, "0.50", "one"))
    account = after(account, order(account, YES, 10, "0.20", "two", ticker="B"))
    assert account.equity({"A": D("3.00"), "B": None}) == account.cash + D("3.00") + D("2.00")
    assert account.equity({}) == account.cash + account.basis


PRICES = st.integers(min_value=1, max_value=999).map(lambda mills: D(mills) / 1000)
TICKERS = st.sampled_from(["A", "B", "C"])


class Books(RuleBasedStateMachine):
    """Any sequence of orders, flips, settlements and reversals keeps the laws at the head of account.py."""

    def __init__(self) -> None:
        super().__init__()
        self.account = PaperLedgerState()
        self.rows: list[LedgerRow] = []
        self.paid: dict[str, tuple[LedgerRow, PaperLedgerState]] = {}
        self.versions = 0

    def _take(self, rows: tuple[LedgerRow, ...]) -> None:
        self.rows += rows
        self.account = replay(rows, self.account)

    @initialize(cents=st.integers(min_value=1, max_value=1_000_000))
    def opens(self, cents: int) -> None:
        self._take(deposit(self.account, D(cents) / 100, key="deposit"))

    @rule(
        ticker=TICKERS,
        side=st.sampled_from(Outcome),
        fills=st.lists(st.tuples(PRICES, st.integers(min_value=1, max_value=500).map(D)), min_size=1, max_size=4),
    )
    def trades(self, ticker: str, side: Outcome, fills: list[tuple[D, D]]) -> None:
        if ticker in self.paid:
            return
        before = self.account
        try:
            rows = buy(before, ticker=ticker, side=side, fills=fills, fee=fee_of(fills), key=f"o{len(self.rows)}")
        except InvalidInput:
            assert self.account is before  # what cannot be paid leaves nothing behind
            return
        self._take(rows)

    @rule(ticker=TICKERS, value=st.sampled_from([D(0), D(1), D("0.37"), D("0.4567")]))
    def settles(self, ticker: str, value: D) -> None:
        self.versions += 1
        before = self.account
        rows = settle(before, ticker=ticker, yes_value=value, version=self.versions)
        if rows:
            self._take(rows)
            self.paid[ticker] = (rows[0], before)

    @precondition(lambda self: self.paid)
    @rule(data=st.data())
    def reverses(self, data: st.DataObject) -> None:
        ticker = data.draw(st.sampled_from(sorted(self.paid)))
        row, before = self.paid.pop(ticker)
        self._take(reverse(row, self.account))
        assert self.account.positions[ticker] == before.positions[ticker]

    @invariant()
    def money_is_neither_made_nor_lost(self) -> None:
        account = self.account
        assert account.cash + account.basis + account.fees == account.deposits + account.realized

    @invariant()
    def the_replay_gives_the_state(self) -> None:
        assert replay(self.rows) == self.account

    @invariant()
    def cash_is_whole_cents_after_every_order(self) -> None:
        assert self.account.cash == self.account.cash.quantize(D("0.01"))

    @invariant()
    def only_a_reversal_leaves_a_debt(self) -> None:
        cash = ZERO
        for row in self.rows:
            before, cash = cash, cash + row.cash
            assert cash >= 0 or before < 0 or row.kind is LedgerRowKind.REVERSE

    @invariant()
    def keys_are_written_once(self) -> None:
        assert len({row.key for row in self.rows}) == len(self.rows)


TestBooks = Books.TestCase
