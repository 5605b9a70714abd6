from __future__ import annotations

from decimal import Decimal as D

from coliseum.arena.paper.account import LedgerRow, LedgerRowKind, PaperLedgerState, buy, deposit, replay
from coliseum.arena.paper.records import DueSettlement
from coliseum.arena.settling.accounts import settlement_rows
from coliseum.trading.trades import Outcome


def due(ticker: str, value: str, *, version: int = 1, paid: LedgerRow | None = None) -> DueSettlement:
    return DueSettlement(account_id="a", ticker=ticker, version=version, value=D(value), paid=paid)


def holding(*tickers: str) -> PaperLedgerState:
    state = replay(deposit(PaperLedgerState(), D(1000), key="deposit"))
    for ticker in tickers:
        fills = [(D("0.40"), D(10))]
        state = replay(buy(state, ticker=ticker, side=Outcome.YES, fills=fills, fee=D("0.17"), key=ticker), state)
    return state


def test_every_position_with_a_result_is_paid() -> None:
    state = holding("A", "B", "C")
    rows = settlement_rows(state, [due("A", "1"), due("B", "0")])
    assert [(row.key, row.cash) for row in rows] == [("settle/A/1", D("10.00")), ("settle/B/1", D("0.00"))]
    assert set(replay(rows, state).positions) == {"C"}


def test_an_amended_result_is_reversed_and_paid_again() -> None:
    held = holding("A")
    (paid,) = settlement_rows(held, [due("A", "1")])
    state = replay([paid], held)
    rows = settlement_rows(state, [due("A", "0", version=2, paid=paid)])
    assert [row.kind for row in rows] == [LedgerRowKind.REVERSE, LedgerRowKind.SETTLE]
    assert [row.key for row in rows] == ["reverse/settle/A/1", "settle/A/2"]
    direct = replay(settlement_rows(held, [due("A", "0")]), held)
    assert replay(rows, state).cash == direct.cash
    assert replay(rows, state).realized == direct.realized


def test_a_market_without_a_position_is_not_paid() -> None:
    assert settlement_rows(holding("A"), [due("B", "1")]) == ()
