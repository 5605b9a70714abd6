"""Read the exchange's state of the rounds' markets: final results, and quotes while they are active."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from coliseum.arena.calendar import time_text
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import Result
from coliseum.errors import ColiseumError, SourceError, SourceMalformed
from coliseum.feed.entries import Candidate, EntryKind, event_candidate
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger
from coliseum.trading.markets import Market
from coliseum.trading.money import ONE, ZERO, decimal_text

BATCH = 100
"""Tickers of one request."""
REPUBLISHED_FOR = timedelta(minutes=15)
"""How long a result is published again, in case the run that recorded it was killed. The feed drops repetitions."""


@dataclass(slots=True)
class ExchangeUpdate:
    """What one read of the exchange gave: new results, current quotes (YES bid, YES ask), and problems."""

    recorded: int = 0
    quotes: dict[str, tuple[Decimal | None, Decimal | None]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def record_results(records: ArenaRecords, kalshi: Kalshi) -> ExchangeUpdate:
    """Record the results of finalized markets. Earlier statuses do not count, since their result may still change.

    A batch or market that cannot be read, and one with a contradictory result, are reported and left to the next run.
    """
    update = ExchangeUpdate()
    waiting = records.unsettled_tickers()
    known = records.results(waiting)
    for start in range(0, len(waiting), BATCH):
        try:
            markets = _markets(kalshi, waiting[start : start + BATCH], update)
        except SourceError as error:
            update.problems.append(str(error))
            logger().warning("markets could not be read", problem=str(error))
            continue
        for market in markets:
            _record(records, market, known.get(market.ticker, ()), update)
    return update


def result_entries(records: ArenaRecords, now: datetime) -> tuple[Candidate, ...]:
    """The `settled` entries of recent results."""
    return tuple(_entry(result) for result in records.recent_results(since=now - REPUBLISHED_FOR))


def final_result(market: Market) -> tuple[str, Decimal]:
    """(result, dollars per YES contract) of a final market. A scalar result of a binary market is a void. Pure.

    Raises SourceMalformed for a final market without a value.
    """
    match market.result:
        case "yes":
            return "yes", ONE
        case "no":
            return "no", ZERO
        case _ if market.settlement_value is not None:
            return "scalar" if market.market_type == "scalar" else "void", market.settlement_value
    raise SourceMalformed("kalshi", f"{market.ticker} is final without a value", field="settlement_value_dollars")


def new_result(market: Market, before: Result | None) -> tuple[str, Decimal] | None:
    """(result, dollars per YES contract) where the market is final and the result differs from `before`. Pure.

    Raises SourceMalformed for a final market without a value.
    """
    if market.status != "finalized":
        return None
    result = final_result(market)
    return None if before is not None and (before.result, before.value) == result else result


def _record(records: ArenaRecords, market: Market, before: Sequence[Result], update: ExchangeUpdate) -> None:
    if market.status == "active" and not market.crossed:
        update.quotes[market.ticker] = (market.yes_bid, market.yes_ask)
    try:
        new = new_result(market, before[-1] if before else None)
    except SourceMalformed as error:
        update.problems.append(str(error))
        logger().error("final market has no result", ticker=market.ticker, problem=str(error))
        return
    if new is None:
        return
    result, value = new
    records.record_result(market.ticker, status=market.status, result=result, value=value, decided_at=market.settled_at)
    update.recorded += 1


def _markets(kalshi: Kalshi, tickers: Sequence[str], update: ExchangeUpdate) -> list[Market]:
    """The markets, archived ones from the historical tier. One that cannot be read is reported and left out."""
    page = kalshi.markets(tickers=tickers, limit=1000)
    markets = list(page.items)
    update.problems += map(str, page.rejected)
    missing = sorted(set(tickers) - {market.ticker for market in markets} - {row.ticker for row in page.rejected})
    if missing:
        markets += _archived(kalshi, missing)
    return markets


def _archived(kalshi: Kalshi, tickers: Sequence[str]) -> Iterable[Market]:
    try:
        return kalshi.historical_markets(tickers=tickers, limit=1000).items
    except ColiseumError as error:
        logger().warning("archived markets could not be read", tickers=len(tickers), problem=str(error))
        return ()


def _entry(result: Result) -> Candidate:
    data: dict[str, object] = {
        "ticker": result.ticker,
        "result": result.result,
        "value": decimal_text(result.value, places=4),
        "version": result.version,
        "settled_at": None if result.decided_at is None else time_text(result.decided_at),
    }
    return event_candidate(EntryKind.SETTLED, f"{result.ticker}/{result.version}", data)
