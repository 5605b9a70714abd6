"""Paper accounts in memory instead of in the database, with the same decisions, rows and settlements. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from coliseum.arena.forecasts import Track
from coliseum.arena.paper.account import LedgerRow, LedgerRowKind, PaperLedgerState, buy, deposit, replay
from coliseum.arena.paper.records import (
    AccountSnapshot,
    DueSettlement,
    OpenPaperPosition,
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
    """The ledger of one account with its state, its marks and what stops it from trading."""

    account: PaperAccount
    rows: list[LedgerRow] = field(default_factory=list)
    state: PaperLedgerState = field(default_factory=PaperLedgerState)
    marks: list[AccountValue] = field(default_factory=list)
    paid: dict[str, LedgerRow] = field(default_factory=dict)
    """The newest settlement of each ticker."""
    peak: Decimal | None = None
    day: date | None = None
    day_start: Decimal | None = None
    stopped: str | None = None
    """Why the account may only reduce positions today; None if it may trade."""
    holdings: dict[str, OpenPaperPosition] = field(default_factory=dict)
    """The open positions, with the data of their markets at the last mark."""

    def add(self, rows: Iterable[LedgerRow]) -> None:
        """Append rows and update the state."""
        for row in rows:
            self.rows.append(row)
            self.state = replay([row], self.state)
            if row.kind is LedgerRowKind.SETTLE and row.ticker is not None:
                self.paid[row.ticker] = row


class ReplayLedgers:
    """The ledgers of all accounts of a replay, by account id in `all`."""

    def __init__(self, accounts: Iterable[PaperAccount]) -> None:
        self.all = {account.account_id: ReplayLedger(account) for account in accounts}
        for ledger in self.all.values():
            ledger.add(deposit(ledger.state, ledger.account.deposit, key="deposit"))
        self._followers: defaultdict[tuple[str, Track], list[ReplayLedger]] = defaultdict(list)
        for ledger in self.all.values():
            self._followers[ledger.account.agent_id, ledger.account.track].append(ledger)
        self._settled: set[str] = set()
        """Markets with a result. No position is opened there, even if later rows show the market as active."""
        self._markets: dict[str, RoundMarket] = {}
        """Each market that was asked about, as it was last frozen."""

    def trade(self, forecast: TradableForecast, exchange: RecordedExchange) -> tuple[PaperDecision, ...]:
        """Let the accounts that follow the forecast's agent and track decide, and trade if they do."""
        self._markets[forecast.market.ticker] = forecast.market
        decisions: list[PaperDecision] = []
        for ledger in self._followers[forecast.agent_id, forecast.track]:
            decision, execution = plan(_snapshot(ledger), forecast)
            if execution.fills and forecast.market.ticker in self._settled:
                decision = not_traded(forecast, decision.account_id, TradeReason.INACTIVE)
            elif execution.fills:
                ledger.add(buy(ledger.state, ticker=forecast.market.ticker, side=decision.side or Outcome.YES,
                               fills=execution.fills, fee=execution.fee, key=forecast.decision_id))  # fmt: skip
                self._update_holding(ledger, forecast.market.ticker, exchange)
            decisions.append(decision)
        return tuple(decisions)

    def settle(self, results: Iterable[Result]) -> None:
        """Settle positions in markets with a result. An earlier settlement of an amended result is reversed first."""
        for result in results:
            self._settled.add(result.ticker)
            for ledger in self.all.values():
                paid = ledger.paid.get(result.ticker)
                if paid is None and result.ticker not in ledger.state.positions:
                    continue
                due = DueSettlement(account_id=ledger.account.account_id, ticker=result.ticker, version=result.version,
                          value=result.value, paid=paid)  # fmt: skip
                ledger.add(settlement_rows(ledger.state, [due]))

    def mark(self, now: datetime, exchange: RecordedExchange) -> None:
        """Mark every account, and stop those that lost too much until the next UTC day."""
        today = now.astimezone(UTC).date()
        for ledger in self.all.values():
            ledger.holdings.clear()
            for ticker in ledger.state.positions:
                self._update_holding(ledger, ticker, exchange)
            equity = ledger.state.equity(liquidation_values(_snapshot(ledger)))
            if ledger.day != today:
                ledger.day_start = ledger.marks[-1].equity if ledger.marks else None
                if ledger.stopped == "drawdown":
                    ledger.peak = None
                ledger.day, ledger.stopped = today, None
            ledger.peak = equity if ledger.peak is None else max(ledger.peak, equity)
            reason = stop_reason(_snapshot(ledger), equity)
            if ledger.stopped is None and reason is not None:
                ledger.stopped = reason[0]
            ledger.marks.append(AccountValue(now, ledger.state.cash, equity))

    def _update_holding(self, ledger: ReplayLedger, ticker: str, exchange: RecordedExchange) -> None:
        """Take over the position and the newest bid of a market."""
        position = ledger.state.positions.get(ticker)
        if position is None:
            ledger.holdings.pop(ticker, None)
            return
        market = self._markets[ticker]
        ledger.holdings[ticker] = OpenPaperPosition(
            position=position,
            event_ticker=market.event_ticker,
            category=market.category,
            bid=_bid(exchange, ticker, position.side),
            multiplier=fee_multiplier(market.context.get("terms")),
        )


def _snapshot(ledger: ReplayLedger) -> AccountSnapshot:
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
