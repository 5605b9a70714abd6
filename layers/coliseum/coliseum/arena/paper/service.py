"""From a sealed forecast to paper trades: each account decides, walks the frozen book and keeps its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from coliseum.arena.forecasts import Forecast
from coliseum.arena.paper.account import Account, RowKind, buy, deposit, replay
from coliseum.arena.paper.fills import Execution, liquidation_value, walk
from coliseum.arena.paper.sizing import (
    CLOSE_MARGIN_SECONDS,
    NoTrade,
    Order,
    Policy,
    Reason,
    Situation,
    reduce_only,
    size,
)
from coliseum.arena.records import ArenaRecords, PaperAccount, RoundMarket
from coliseum.errors import SourceRefused
from coliseum.feed.entries import Candidate, Kind
from coliseum.feed.service import candidate
from coliseum.trading.money import ONE, ZERO, decimal_text
from coliseum.trading.trades import Outcome

WRITES = 5
"""How often an account's decision is taken anew because another writer was faster."""
PRICED_FEES = frozenset({"quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees"})
"""Fee types whose taker formula is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One forecast on the desk: what was said, about which frozen market, and when."""

    decision_id: str
    agent_id: str
    season: str
    market: RoundMarket
    forecast: Forecast
    now: datetime
    close_margin_seconds: float = CLOSE_MARGIN_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTrade:
    """What one account did with one forecast."""

    account: PaperAccount
    reason: Reason
    side: Outcome | None = None
    execution: Execution | None = None


def trade(records: ArenaRecords, case: Case) -> tuple[Candidate, ...]:
    """Decide for each of the agent's accounts; returns the `paper_trade` entries to publish.

    Repeating it changes nothing: ledger keys and notes carry the decision's id.
    """
    entries: list[Candidate] = []
    for account in records.accounts(season=case.season, agent_id=case.agent_id):
        done = _decide(records, account, case)
        records.note_paper_decision(_note(case, done))
        if done.side is not None and done.execution is not None:
            entries.append(_entry(case, done.account, done.side, done.execution))
    return tuple(entries)


def account_state(records: ArenaRecords, account: PaperAccount, now: datetime) -> Account:
    """The account's books, opened with their deposit where they are new."""
    state = replay(entry.row for entry in records.ledger(account.account_id))
    if state.seq == 0:
        rows = deposit(state, account.deposit, key="deposit")
        records.append_ledger(account.account_id, rows, at=now)
        state = replay(rows)
    return state


def marks(state: Account, seen: Mapping[str, RoundMarket]) -> dict[str, Decimal | None]:
    """Liquidation value per open position: best bid after fee, from the newest frozen book; None where unseen."""
    values: dict[str, Decimal | None] = {}
    for ticker, position in state.positions.items():
        market = seen.get(ticker)
        multiplier = None if market is None else fee_multiplier(market)
        if market is None or multiplier is None:
            values[ticker] = None
            continue
        bids = market.book.yes_bids if position.side is Outcome.YES else market.book.no_bids
        bid = bids[0].price if bids else None
        values[ticker] = liquidation_value(position.contracts, bid, multiplier=multiplier)
    return values


def fee_multiplier(market: RoundMarket) -> Decimal | None:
    """The frozen fee multiplier; None where the exchange's formula is not published or was not to be had."""
    terms = market.context.get("terms") or {}
    text = terms.get("fee_multiplier")
    return Decimal(text) if text is not None and terms.get("fee_type") in PRICED_FEES else None


def _decide(records: ArenaRecords, account: PaperAccount, case: Case) -> PaperTrade:
    for attempt in range(WRITES):
        state = account_state(records, account, case.now)
        earlier = _earlier(records, account, case.decision_id)
        if earlier is not None:
            return earlier
        order, execution = _plan(records, account, state, case)
        if isinstance(order, NoTrade) or execution is None:
            return PaperTrade(account=account, reason=order.reason if isinstance(order, NoTrade) else Reason.NO_DEPTH)
        rows = buy(
            state,
            ticker=case.market.ticker,
            side=order.side,
            fills=execution.fills,
            fee=execution.fee,
            key=case.decision_id,
        )
        try:
            records.append_ledger(account.account_id, rows, at=case.now, round_id=case.market.round_id)
        except SourceRefused as error:
            if error.code != "40001" or attempt == WRITES - 1:
                raise
            continue
        return PaperTrade(account=account, reason=Reason.TRADED, side=order.side, execution=execution)
    raise AssertionError("the loop returns or raises")


def _earlier(records: ArenaRecords, account: PaperAccount, decision_id: str) -> PaperTrade | None:
    """What this account already did with this decision, before whoever did it was stopped."""
    rows = [e.row for e in records.ledger(account.account_id) if e.row.key.startswith(f"{decision_id}/")]
    sides = {row.side if row.kind is RowKind.BUY else row.side.opposite for row in rows if row.side is not None}
    if not rows or len(sides) != 1:
        return None
    fills = [
        (row.price if row.kind is RowKind.BUY else ONE - row.price, row.contracts)
        for row in rows
        if row.price is not None and row.contracts is not None
    ]
    fee = -sum((row.cash for row in rows if row.kind is RowKind.FEE), ZERO)
    return PaperTrade(account=account, reason=Reason.TRADED, side=sides.pop(), execution=Execution(tuple(fills), fee))


def _plan(
    records: ArenaRecords, account: PaperAccount, state: Account, case: Case
) -> tuple[Order | NoTrade, Execution | None]:
    situation = _situation(records, account, state, case)
    stake = case.forecast.stake if account.policy is Policy.SELF_SIZED else None
    order = size(case.forecast.probability, situation, account.policy, stake=stake)
    if isinstance(order, NoTrade):
        return order, None
    execution = walk(
        case.market.book.yes_asks if order.side is Outcome.YES else case.market.book.no_asks,
        probability=order.probability,
        contracts=order.contracts,
        budget=order.budget,
        multiplier=situation.multiplier or ZERO,
    )
    return order, execution if execution.fills else None


def _situation(records: ArenaRecords, account: PaperAccount, state: Account, case: Case) -> Situation:
    market = case.market
    seen = {**records.last_seen(state.positions), market.ticker: market}
    equity = state.equity(marks(state, seen))
    held = state.positions.get(market.ticker)
    peers = [(seen[ticker], position.basis) for ticker, position in state.positions.items() if ticker in seen]
    return Situation(
        yes_asks=market.book.yes_asks,
        no_asks=market.book.no_asks,
        active=True,  # only active markets are frozen, and everyone trades the frozen instant
        seconds_to_close=(market.close_time - case.now).total_seconds(),
        snapshot_age_seconds=0.0,
        volume_24h=market.volume_24h,
        cash=state.cash,
        equity=equity,
        market_exposure=held.basis if held is not None else ZERO,
        event_exposure=sum((basis for peer, basis in peers if peer.event_ticker == market.event_ticker), ZERO),
        category_exposure=sum((basis for peer, basis in peers if peer.category == market.category), ZERO),
        gross_exposure=state.basis,
        reduce_only=_stopped(records, account, equity, case.now),
        held=None if held is None else held.side,
        multiplier=fee_multiplier(market),
        close_margin_seconds=case.close_margin_seconds,
    )


def _stopped(records: ArenaRecords, account: PaperAccount, equity: Decimal, now: datetime) -> bool:
    """Losses are measured against the deposit and the marks written so far."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    known = records.marks(account.account_id, since=day - timedelta(days=92))
    peak = max([account.deposit, *(mark.equity for mark in known)])
    before = [mark.equity for mark in known if mark.at <= day]
    return reduce_only(equity=equity, day_start_equity=before[-1] if before else account.deposit, peak_equity=peak)


def _note(case: Case, done: PaperTrade) -> dict[str, object]:
    execution = done.execution
    average = None if execution is None else execution.average_price
    return {
        "decision_id": case.decision_id,
        "account_id": done.account.account_id,
        "action": "trade" if done.reason is Reason.TRADED else "none",
        "reason": done.reason.value,
        "side": None if done.side is None else done.side.value,
        "contracts": None if execution is None else decimal_text(execution.contracts),
        "average_price": None if average is None else decimal_text(average.quantize(Decimal("0.000001"))),
        "fee": None if execution is None else decimal_text(execution.fee),
    }


def _entry(case: Case, account: PaperAccount, side: Outcome, execution: Execution) -> Candidate:
    data: dict[str, object] = {
        "decision_id": case.decision_id,
        "account_id": account.account_id,
        "agent_id": case.agent_id,
        "policy": account.policy.value,
        "ticker": case.market.ticker,
        "side": side.value,
        "contracts": decimal_text(execution.contracts),
        "cost": decimal_text(execution.cost),
        "fee": decimal_text(execution.fee),
    }
    return candidate(Kind.PAPER_TRADE, f"{case.decision_id}/{account.policy.value}", data)
