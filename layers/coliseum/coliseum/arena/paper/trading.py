"""From a sealed forecast to paper trades: each account decides, fills its order from the frozen book, stores why.

All accounts trade the book that was frozen when the round opened, so a profit does not depend on the place in the
queue. A forecast that came too late for that book is not traded, because its prices may be gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coliseum.arena.forecasts import Forecast, Track, forecast_from
from coliseum.arena.paper.account import buy
from coliseum.arena.paper.fills import Execution, liquidation_value, walk
from coliseum.arena.paper.records import AccountSnapshot, PaperDecision, PaperRecords, WriteOutcome, fee_multiplier
from coliseum.arena.paper.sizing import (
    CLOSE_MARGIN_SECONDS,
    NoTrade,
    PaperOrder,
    Policy,
    TradeReason,
    TradingSituation,
    size,
    stopped,
)
from coliseum.arena.records.rounds import RoundRecords
from coliseum.arena.records.rows import Round, RoundMarket, StoredForecast
from coliseum.errors import SourceUnavailable
from coliseum.trading.money import ZERO
from coliseum.trading.trades import Outcome

MAX_WRITE_ATTEMPTS = 128
"""How often an account decides again because another writer was faster. Each lost race means that one other writer has
finished, so this is more than can meet on one account: the markets of a round, pay-outs and stops."""
AVERAGE_PRICE_STEP = Decimal("0.000001")
SANDBOX_CLOSE_MARGIN_SECONDS = 30
"""Sandbox markets live for minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradableForecast:
    """A sealed forecast with the round and the frozen market that it is about."""

    decision_id: str
    agent_id: str
    track: Track
    round: Round
    market: RoundMarket
    forecast: Forecast
    made_at: datetime
    """When it was sealed. It must not change, since a repeated trade has to write the same rows."""


def trade(records: PaperRecords, forecast: TradableForecast) -> tuple[PaperDecision, ...]:
    """Decide for each of the agent's accounts on the forecast's track. Returns what each account did.

    A repetition changes nothing: ledger rows and reason are written in one transaction under the decision's id.
    Do not publish the trades before the round closes: they show which way the forecast went.
    Raises SourceUnavailable when an account's writes lose against other writers every time.
    """
    snapshots = records.accounts(season=forecast.round.season, agent_id=forecast.agent_id, track=forecast.track)
    return tuple(_decide(records, snapshot, forecast) for snapshot in snapshots)


def trade_forecast(records: RoundRecords, paper: PaperRecords, stored: StoredForecast) -> tuple[PaperDecision, ...]:
    """Trade a stored forecast as it was sealed. Raises NotFound where its round or market is missing."""
    forecast = TradableForecast(
        decision_id=stored.forecast_id,
        agent_id=stored.agent_id,
        track=stored.track,
        round=records.round(stored.round_id),
        market=records.round_market(stored.round_id, stored.ticker),
        forecast=forecast_from(stored.payload),
        made_at=stored.created_at,
    )
    return trade(paper, forecast)


def close_margin_seconds(exchange: str) -> int:
    """No market is traded later than this before its close."""
    return SANDBOX_CLOSE_MARGIN_SECONDS if exchange == "sandbox" else CLOSE_MARGIN_SECONDS


def liquidation_values(snapshot: AccountSnapshot) -> dict[str, Decimal | None]:
    """Dollars from selling each open position at its last bid, after the fee; None where the fee is unknown."""
    return {
        ticker: None
        if held.multiplier is None
        else liquidation_value(held.position.contracts, held.bid, multiplier=held.multiplier)
        for ticker, held in snapshot.open_positions.items()
    }


def stop_reason(snapshot: AccountSnapshot, equity: Decimal) -> tuple[str, Decimal] | None:
    """(why the account must stop for today, the equity that it is compared with); None while it may trade."""
    day_start, peak = snapshot.day_start or snapshot.account.deposit, equity if snapshot.peak is None else snapshot.peak
    reason = stopped(equity=equity, day_start=day_start, peak=peak)
    return None if reason is None else (reason, peak if reason == "drawdown" else day_start)


def _decide(records: PaperRecords, snapshot: AccountSnapshot, forecast: TradableForecast) -> PaperDecision:
    account_id = snapshot.account.account_id
    for _ in range(MAX_WRITE_ATTEMPTS):
        decision, execution = plan(snapshot, forecast)
        rows = buy(
            snapshot.state,
            ticker=forecast.market.ticker,
            side=decision.side or Outcome.YES,
            fills=execution.fills,
            fee=execution.fee,
            key=forecast.decision_id,
        )
        outcome = records.append_rows(
            account_id,
            rows,
            after=snapshot.state.seq,
            at=forecast.made_at,
            round_id=forecast.round.round_id,
            decision=decision,
        )
        if outcome is WriteOutcome.SETTLED:
            # The frozen market cannot show that a result has come since; the database can, and refuses the rows.
            decision = not_traded(forecast, account_id, TradeReason.INACTIVE)
            outcome = records.append_rows(
                account_id, (), after=snapshot.state.seq, at=forecast.made_at, decision=decision
            )
        if outcome is WriteOutcome.WRITTEN:
            return decision
        if outcome is WriteOutcome.REPEATED:
            stored = records.decisions([forecast.decision_id])
            return next(decision for decision in stored if decision.account_id == account_id)
        (snapshot,) = records.accounts(account_ids=[account_id])
    raise SourceUnavailable(
        "postgres", f"account {account_id} was written by others {MAX_WRITE_ATTEMPTS} times in a row"
    )


def plan(snapshot: AccountSnapshot, forecast: TradableForecast) -> tuple[PaperDecision, Execution]:
    """What the account does with the forecast, and the fills of its order. Pure."""
    nothing, account_id = Execution((), ZERO), snapshot.account.account_id
    situation = build_situation(snapshot, forecast)
    policy = snapshot.account.policy
    stake = forecast.forecast.stake if policy is Policy.SELF_SIZED else None
    order = size(forecast.forecast.probability, situation, policy, stake=stake)
    if isinstance(order, NoTrade):
        return not_traded(forecast, account_id, order.reason), nothing
    execution = _fill(order, situation)
    if not execution.fills:
        return not_traded(forecast, account_id, TradeReason.NO_DEPTH), nothing
    average = execution.average_price
    decision = PaperDecision(
        decision_id=forecast.decision_id,
        account_id=account_id,
        reason=TradeReason.TRADED.value,
        side=order.side,
        contracts=execution.contracts,
        average_price=None if average is None else average.quantize(AVERAGE_PRICE_STEP),
        fee=execution.fee,
    )
    return decision, execution


def not_traded(forecast: TradableForecast, account_id: str, reason: TradeReason) -> PaperDecision:
    """The decision of an account that did not trade. Pure."""
    return PaperDecision(
        decision_id=forecast.decision_id,
        account_id=account_id,
        reason=reason.value,
        side=None,
        contracts=None,
        average_price=None,
        fee=None,
    )


def _fill(order: PaperOrder, situation: TradingSituation) -> Execution:
    return walk(
        situation.yes_asks if order.side is Outcome.YES else situation.no_asks,
        probability=order.probability,
        contracts=order.contracts,
        budget=order.budget,
        closing=order.closing,
        multiplier=situation.multiplier or ZERO,
    )


def build_situation(snapshot: AccountSnapshot, forecast: TradableForecast) -> TradingSituation:
    """The account and the frozen market as a sizing policy sees them. Pure."""
    market, positions = forecast.market, snapshot.open_positions
    equity = snapshot.state.equity(liquidation_values(snapshot))
    exposure = _exposures(snapshot, market)
    return TradingSituation(
        yes_asks=market.book.yes_asks,
        no_asks=market.book.no_asks,
        active=True,  # only active markets are frozen; one with a result is refused where the rows are written
        seconds_to_close=(market.close_time - forecast.made_at).total_seconds(),
        snapshot_age_seconds=(forecast.round.opened_at - market.snapshot_at).total_seconds(),
        answer_seconds=(forecast.made_at - market.snapshot_at).total_seconds(),
        volume_24h=market.volume_24h,
        cash=snapshot.state.cash,
        equity=equity,
        event_exposure=exposure["event"],
        category_exposure=exposure["category"],
        gross_exposure=snapshot.state.basis,
        reduce_only=snapshot.stopped or stop_reason(snapshot, equity) is not None,
        held=None if market.ticker not in positions else positions[market.ticker].position,
        multiplier=fee_multiplier(market.context.get("terms")),
        close_margin_seconds=close_margin_seconds(forecast.round.exchange),
    )


def _exposures(snapshot: AccountSnapshot, market: RoundMarket) -> Mapping[str, Decimal]:
    positions = snapshot.open_positions.values()
    return {
        "event": sum((held.position.basis for held in positions if held.event_ticker == market.event_ticker), ZERO),
        "category": sum((held.position.basis for held in positions if held.category == market.category), ZERO),
    }
