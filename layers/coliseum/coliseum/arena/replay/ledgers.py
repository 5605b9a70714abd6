"""Paper accounts without a database: the same decisions, books and settlements, kept in memory. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from coliseum.arena.forecasts import Track
from coliseum.arena.paper.account import LedgerRow, LedgerRowKind, LedgerState, buy, deposit, replay
from coliseum.arena.paper.records import (
    AccountSnapshot,
    DueSettlement,
    OpenPosition,
    PaperAccount,
    PaperDecision,
    fee_multiplier,
)
from coliseum.arena.paper.sizing import TradeReason
from coliseum.arena.paper.trading import TradableForecast, liquidation_values, not_traded, plan, stop_reason
from coliseum.arena.records.rows import Result, RoundMarket
from coliseum.arena.replay.exchange import RecordedExchange
from coliseum.arena.scoring.money import AccountValue
from coliseum.arena.settling.accounts import settlement_rows
from coliseum.trading.trades import Outcome


@dataclass(slots=True)
class ReplayLedger:
    """One account's rows, its state, and what its value has been."""

    account: PaperAccount
    rows: list[LedgerRow] = field(default_factory=list)
    state: LedgerState = field(default_factory=LedgerState)
    worths: list[AccountValue] = field(default_factory=list)
    paid: dict[str, LedgerRow] = field(default_factory=dict)
    """Ticker -> its newest settlement."""
    peak: Decimal | None = None
    day: date | None = None
    day_start: Decimal | None = None
    stopped: str | None = None
    """Why it may only reduce today."""
    holdings: dict[str, OpenPosition] = field(default_factory=dict)
    """Its open positions beside what is known of their markets since the last mark."""

    def add(self, rows: Iterable[LedgerRow]) -> None:
        for row in rows:
            self.rows.append(row)
            self.state = replay([row], self.state)
            if row.kind is LedgerRowKind.SETTLE and row.ticker is not None:
                self.paid[row.ticker] = row


class ReplayLedgers:
    """All accounts of a replay."""

    def __init__(self, accounts: Iterable[PaperAccount]) -> None:
        self.all = {account.account_id: ReplayLedger(account) for account in accounts}
        for ledger in self.all.values():
            ledger.add(deposit(ledger.state, ledger.account.deposit, key="deposit"))
        self._followers: defaultdict[tuple[str, Track], list[ReplayLedger]] = defaultdict(list)
        for ledger in self.all.values():
            self._followers[ledger.account.agent_id, ledger.account.track].append(ledger)
        self._over: set[str] = set()
        """Markets with a result: nothing is opened there, whatever the exchange shows afterwards."""
        self._markets: dict[str, RoundMarket] = {}
        """Each market that was asked about, as it was frozen last."""

    def trade(self, case: TradableForecast, exchange: RecordedExchange) -> tuple[PaperDecision, ...]:
        """Let the accounts that follow the case's agent and track decide."""
        self._markets[case.market.ticker] = case.market
        notes: list[PaperDecision] = []
        for ledger in self._followers[case.agent_id, case.track]:
            note, execution = plan(_book(ledger), case)
            if execution.fills and case.market.ticker in self._over:
                note = not_traded(case, note.account_id, TradeReason.INACTIVE)
            elif execution.fills:
                ledger.add(buy(ledger.state, ticker=case.market.ticker, side=note.side or Outcome.YES,
                               fills=execution.fills, fee=execution.fee, key=case.decision_id))  # fmt: skip
                self._hold(ledger, case.market.ticker, exchange)
            notes.append(note)
        return tuple(notes)

    def settle(self, results: Iterable[Result]) -> None:
        """Pay out what has its result; an amended one is taken back first."""
        for result in results:
            self._over.add(result.ticker)
            for ledger in self.all.values():
                paid = ledger.paid.get(result.ticker)
                if paid is None and result.ticker not in ledger.state.positions:
                    continue
                due = DueSettlement(account_id=ledger.account.account_id, ticker=result.ticker, version=result.version,
                          value=result.value, paid=paid)  # fmt: skip
                ledger.add(settlement_rows(ledger.state, [due]))

    def mark(self, now: datetime, exchange: RecordedExchange) -> None:
        """Write down what every account is worth, and stop those that lost too much until the next day."""
        today = now.astimezone(UTC).date()
        for ledger in self.all.values():
            ledger.holdings.clear()
            for ticker in ledger.state.positions:
                self._hold(ledger, ticker, exchange)
            equity = ledger.state.equity(liquidation_values(_book(ledger)))
            if ledger.day != today:
                ledger.day_start = ledger.worths[-1].equity if ledger.worths else None
                if ledger.stopped == "drawdown":
                    ledger.peak = None
                ledger.day, ledger.stopped = today, None
            ledger.peak = equity if ledger.peak is None else max(ledger.peak, equity)
            reason = stop_reason(_book(ledger), equity)
            if ledger.stopped is None and reason is not None:
                ledger.stopped = reason[0]
            ledger.worths.append(AccountValue(now, ledger.state.cash, equity))

    def _hold(self, ledger: ReplayLedger, ticker: str, exchange: RecordedExchange) -> None:
        """Bring the holding in line with the position and the newest bid."""
        position = ledger.state.positions.get(ticker)
        if position is None:
            ledger.holdings.pop(ticker, None)
            return
        market = self._markets[ticker]
        ledger.holdings[ticker] = OpenPosition(
            position=position,
            event_ticker=market.event_ticker,
            category=market.category,
            bid=_bid(exchange, ticker, position.side),
            multiplier=fee_multiplier(market.context.get("terms")),
        )


def _book(ledger: ReplayLedger) -> AccountSnapshot:
    return AccountSnapshot(
        account=ledger.account,
        state=ledger.state,
        open_positions=ledger.holdings,
        peak=ledger.peak,
        day_start=ledger.day_start,
        stopped=ledger.stopped is not None,
    )


def _bid(exchange: RecordedExchange, ticker: str, side: Outcome) -> Decimal | None:
    book = exchange.book(ticker)
    if book is None:
        return None
    bids = book.yes_bids if side is Outcome.YES else book.no_bids
    return bids[0].price if bids else None
