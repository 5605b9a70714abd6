"""From a sealed forecast to paper trades: each account decides, walks the frozen book and keeps its reason.

Everyone trades the frozen instant: the book that was shown when the round opened, whenever the answer came. No
contestant has a tool that could tell what happened since, and so nobody's profit depends on a place in the queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coliseum.arena.forecasts import Forecast, Track, forecast_from
from coliseum.arena.paper.account import buy
from coliseum.arena.paper.fills import Execution, liquidation_value, walk
from coliseum.arena.paper.records import Book, Note, PaperRecords, Written, fee_multiplier
from coliseum.arena.paper.sizing import CLOSE_MARGIN_SECONDS, NoTrade, Order, Policy, Reason, Situation, size, stopped
from coliseum.arena.records.rounds import RoundRecords
from coliseum.arena.records.rows import Round, RoundMarket, StoredForecast
from coliseum.errors import SourceUnavailable
from coliseum.trading.money import ZERO
from coliseum.trading.trades import Outcome

WRITES = 128
"""How often an account's decision is taken anew because another writer was faster. Each time that other one is done, so
this is more than can meet on one account: the markets of a round, pay-outs and stops."""
SANDBOX_CLOSE_MARGIN_SECONDS = 30
"""Sandbox markets live for minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One forecast on the desk: what was said, when, and about which frozen market of which round."""

    decision_id: str
    agent_id: str
    track: Track
    round: Round
    market: RoundMarket
    forecast: Forecast
    made_at: datetime
    """When it was sealed; a repetition of the case must say the same."""


def trade(records: PaperRecords, case: Case) -> tuple[Note, ...]:
    """Decide for each of the agent's accounts that follow the case's track, and say what each did.

    Repeating it changes nothing: rows and reason are written in one step, under the decision's id. Nothing of it is
    to be published before the round closes, since a trade tells which way the forecast went.
    """
    books = records.books(season=case.round.season, agent_id=case.agent_id, track=case.track)
    return tuple(_decide(records, book, case) for book in books)


def trade_forecast(records: RoundRecords, paper: PaperRecords, stored: StoredForecast) -> tuple[Note, ...]:
    """Trade a stored forecast as it was sealed."""
    case = Case(
        decision_id=stored.forecast_id,
        agent_id=stored.agent_id,
        track=stored.track,
        round=records.round(stored.round_id),
        market=records.round_market(stored.round_id, stored.ticker),
        forecast=forecast_from(stored.payload),
        made_at=stored.created_at,
    )
    return trade(paper, case)


def close_margin_seconds(exchange: str) -> int:
    """How long before its close a market is left alone."""
    return SANDBOX_CLOSE_MARGIN_SECONDS if exchange == "sandbox" else CLOSE_MARGIN_SECONDS


def liquidation_values(book: Book) -> dict[str, Decimal | None]:
    """What each open position would bring at the last bid after fee; None where the fee is not known."""
    return {
        ticker: None
        if holding.multiplier is None
        else liquidation_value(holding.position.contracts, holding.bid, multiplier=holding.multiplier)
        for ticker, holding in book.holdings.items()
    }


def stop_reason(book: Book, equity: Decimal) -> tuple[str, Decimal] | None:
    """(why the account must stop for today, the equity that is measured against); None while it may trade."""
    day_start, peak = book.day_start or book.account.deposit, equity if book.peak is None else book.peak
    reason = stopped(equity=equity, day_start=day_start, peak=peak)
    return None if reason is None else (reason, peak if reason == "drawdown" else day_start)


def _decide(records: PaperRecords, book: Book, case: Case) -> Note:
    account = book.account.account_id
    for _ in range(WRITES):
        note, execution = plan(book, case)
        rows = buy(
            book.state,
            ticker=case.market.ticker,
            side=note.side or Outcome.YES,
            fills=execution.fills,
            fee=execution.fee,
            key=case.decision_id,
        )
        done = records.write(
            account, rows, after=book.state.seq, at=case.made_at, round_id=case.round.round_id, note=note
        )
        if done is Written.SETTLED:
            note = _note(case, account, Reason.INACTIVE)
            done = records.write(account, (), after=book.state.seq, at=case.made_at, note=note)
        if done is Written.WRITTEN:
            return note
        if done is Written.REPEATED:
            return next(one for one in records.notes([case.decision_id]) if one.account_id == account)
        book = next(iter(records.books(accounts=[account])))
    raise SourceUnavailable("postgres", f"{account} was written by others {WRITES} times in a row")


def plan(book: Book, case: Case) -> tuple[Note, Execution]:
    """What the account does with the case. Pure."""
    nothing, account = Execution((), ZERO), book.account.account_id
    situation = situation_of(book, case)
    stake = case.forecast.stake if book.account.policy is Policy.SELF_SIZED else None
    order = size(case.forecast.probability, situation, book.account.policy, stake=stake)
    if isinstance(order, NoTrade):
        return _note(case, account, order.reason), nothing
    execution = _walked(order, situation)
    if not execution.fills:
        return _note(case, account, Reason.NO_DEPTH), nothing
    return _note(case, account, Reason.TRADED, order.side, execution), execution


def _walked(order: Order, situation: Situation) -> Execution:
    return walk(
        situation.yes_asks if order.side is Outcome.YES else situation.no_asks,
        probability=order.probability,
        contracts=order.contracts,
        budget=order.budget,
        closing=order.closing,
        multiplier=situation.multiplier or ZERO,
    )


def situation_of(book: Book, case: Case) -> Situation:
    """The account and the frozen market as a policy sees them. Pure."""
    market, holdings = case.market, book.holdings
    equity = book.state.equity(liquidation_values(book))
    exposure = _exposures(book, market)
    return Situation(
        yes_asks=market.book.yes_asks,
        no_asks=market.book.no_asks,
        active=True,  # only active markets are frozen; one with a result is refused where the rows are written
        seconds_to_close=(market.close_time - case.made_at).total_seconds(),
        snapshot_age_seconds=(case.round.opened_at - market.snapshot_at).total_seconds(),
        volume_24h=market.volume_24h,
        cash=book.state.cash,
        equity=equity,
        event_exposure=exposure["event"],
        category_exposure=exposure["category"],
        gross_exposure=book.state.basis,
        reduce_only=book.stopped or stop_reason(book, equity) is not None,
        held=None if market.ticker not in holdings else holdings[market.ticker].position,
        multiplier=fee_multiplier(market.context.get("terms")),
        close_margin_seconds=close_margin_seconds(case.round.exchange),
    )


def _exposures(book: Book, market: RoundMarket) -> Mapping[str, Decimal]:
    held = book.holdings.values()
    return {
        "event": sum((one.position.basis for one in held if one.event_ticker == market.event_ticker), ZERO),
        "category": sum((one.position.basis for one in held if one.category == market.category), ZERO),
    }


def _note(
    case: Case, account_id: str, reason: Reason, side: Outcome | None = None, execution: Execution | None = None
) -> Note:
    average = None if execution is None else execution.average_price
    return Note(
        decision_id=case.decision_id,
        account_id=account_id,
        reason=reason.value,
        side=side,
        contracts=None if execution is None else execution.contracts,
        average_price=None if average is None else average.quantize(Decimal("0.000001")),
        fee=None if execution is None else execution.fee,
    )
