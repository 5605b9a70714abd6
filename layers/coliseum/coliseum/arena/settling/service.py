"""Settled markets in, scores and paper money out. Every step is idempotent: kill it anywhere, run it again.

Order: results → paper accounts → marks → rounds and lost leases → seal roots → reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from coliseum.arena import forecasts
from coliseum.arena.paper.account import Account, Row, RowKind, replay, reverse, settle
from coliseum.arena.paper.service import account_state, marks
from coliseum.arena.records import ArenaRecords, Decision, PaperAccount, Result, StoredForecast
from coliseum.arena.rounds import time_text
from coliseum.errors import ColiseumError, SourceMalformed, SourceRefused
from coliseum.feed.entries import Candidate, Kind
from coliseum.feed.service import candidate
from coliseum.kalshi.client import Kalshi
from coliseum.observability import logger
from coliseum.trading.markets import Market
from coliseum.trading.money import ONE, ZERO, decimal_text

BATCH = 100
"""Tickers asked for in one call."""
AMENDABLE = timedelta(days=7)
"""How long a final result is looked at again: the exchange may amend it."""
ATTEMPTS = 3
Enqueue = Callable[[Sequence[Mapping[str, object]], int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What one run did."""

    results: int
    ledger_rows: int
    rounds_closed: int
    reclaimed: int
    entries: tuple[Candidate, ...]
    """`settled` entries to publish."""


def run(records: ArenaRecords, kalshi: Kalshi, *, now: datetime, enqueue: Enqueue) -> Settled:
    """One run of the settler; reports are made afterwards by `coliseum.arena.service`."""
    entries = tuple(_take_results(records, kalshi, now))
    rows = _settle_accounts(records, now)
    closed = _close_rounds(records, now)
    reclaimed = _reclaim(records, now, enqueue)
    _root(records, now)
    return Settled(results=len(entries), ledger_rows=rows, rounds_closed=closed, reclaimed=reclaimed, entries=entries)


def _take_results(records: ArenaRecords, kalshi: Kalshi, now: datetime) -> Iterable[Candidate]:
    """Record what the exchange has finalised; only `finalized` counts, everything before it may still change."""
    known = records.results()
    waiting = sorted(
        ticker
        for ticker in records.forecast_tickers()
        if ticker not in known or now - known[ticker][-1].recorded_at < AMENDABLE
    )
    for start in range(0, len(waiting), BATCH):
        for market in _markets(kalshi, waiting[start : start + BATCH]):
            if market.status != "finalized":
                continue
            outcome, value = _outcome(market)
            before = known.get(market.ticker, ())
            version = records.record_result(
                market.ticker, status=market.status, result=outcome, value=value, decided_at=market.settled_at
            )
            if not before or before[-1].version != version:
                yield candidate(
                    Kind.SETTLED,
                    f"{market.ticker}/{version}",
                    {
                        "ticker": market.ticker,
                        "result": outcome,
                        "value": decimal_text(value, places=4),
                        "version": version,
                        "settled_at": None if market.settled_at is None else time_text(market.settled_at),
                    },
                )


def _markets(kalshi: Kalshi, tickers: Sequence[str]) -> list[Market]:
    """The markets, archived ones from the historical tier."""
    found = list(kalshi.markets(tickers=tickers, limit=1000).items)
    missing = sorted(set(tickers) - {market.ticker for market in found})
    if missing:
        try:
            found += kalshi.historical_markets(tickers=missing, limit=1000).items
        except ColiseumError as error:
            logger().warning("archived markets not read", extra={"tickers": len(missing), "problem": str(error)})
    return found


def _outcome(market: Market) -> tuple[str, Decimal]:
    """(result, dollars per YES contract). A scalar result on a binary market is a void at fair price."""
    match market.result:
        case "yes":
            return "yes", ONE
        case "no":
            return "no", ZERO
        case _ if market.settlement_value is not None:
            return "scalar" if market.market_type == "scalar" else "void", market.settlement_value
    raise SourceMalformed("kalshi", f"{market.ticker} is final without a value", field="settlement_value_dollars")


def _settle_accounts(records: ArenaRecords, now: datetime) -> int:
    results = records.results()
    written = 0
    for account in records.accounts():
        state = account_state(records, account, now)
        entries = records.ledger(account.account_id)
        rows = settlement_rows(state, [entry.row for entry in entries], results)
        if rows:
            try:
                records.append_ledger(account.account_id, rows, at=now)
            except SourceRefused as error:
                if error.code != "40001":
                    raise
                continue  # a trade came between: the next run settles on top of it
            written += len(rows)
            state = replay(rows, state)
        _mark(records, account, state, now)
    return written


def settlement_rows(state: Account, rows: Sequence[Row], results: Mapping[str, tuple[Result, ...]]) -> tuple[Row, ...]:
    """What brings an account up to the newest results: pay-outs, and for amended ones reversal and new pay-out. Pure.

    A settlement's key carries the version it paid, so an account that already knows a version gets no row for it.
    """
    found: list[Row] = []
    paid = {row.ticker: row for row in rows if row.kind is RowKind.SETTLE}
    for ticker in sorted({*state.positions, *state.settled}):
        versions = results.get(ticker)
        if not versions:
            continue
        newest = versions[-1]
        current = replay(found, state)
        if ticker in current.settled:
            earlier = paid.get(ticker)
            if earlier is None or earlier.key == _key(ticker, newest.version):
                continue
            back = reverse(earlier, current)
            found += back
            current = replay(back, current)
        found += settle(current, ticker=ticker, yes_value=newest.value, version=newest.version)
    return tuple(found)


def _key(ticker: str, version: int) -> str:
    return f"settle/{ticker}/{version}"


def _mark(records: ArenaRecords, account: PaperAccount, state: Account, now: datetime) -> None:
    minute = now.replace(second=0, microsecond=0)
    equity = state.equity(marks(state, records.last_seen(state.positions)))
    records.mark(account.account_id, at=minute, cash=state.cash, equity=equity)


def _close_rounds(records: ArenaRecords, now: datetime) -> int:
    closed = 0
    for one in records.rounds(status="open", limit=1000):
        if one.closes_at > now:
            continue
        decisions = records.decisions(one.round_id)
        for decision in decisions:
            if decision.status in {"pending", "running"}:
                records.finish_decision(decision.decision_id, status="failed", reason="round_closed")
        whole = all(decision.status == "done" for decision in decisions)
        records.set_round_status(one.round_id, "complete" if whole else "partial")
        closed += 1
    return closed


def _reclaim(records: ArenaRecords, now: datetime, enqueue: Enqueue) -> int:
    """Decisions whose worker died: once more, at most three times."""
    again: list[Decision] = []
    for decision in records.expired(now):
        if decision.attempt >= ATTEMPTS:
            records.finish_decision(decision.decision_id, status="failed", reason="lease_expired")
        else:
            again.append(decision)
    if again:
        enqueue([{"decision_id": decision.decision_id} for decision in again], 0)
    return len(again)


def _root(records: ArenaRecords, now: datetime) -> None:
    """The Merkle root of yesterday's seals, once the day is over."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    seals = [forecast.seal for forecast in day_forecasts(records, today - timedelta(days=1))]
    if seals:
        day = (today - timedelta(days=1)).date()
        records.save_seal_root(day, forecasts.merkle_root(seals), len(set(seals)))


def day_forecasts(records: ArenaRecords, day: datetime) -> tuple[StoredForecast, ...]:
    """All forecasts made on the UTC day that begins at `day`."""
    end = day + timedelta(days=1)
    return records.forecasts(
        where=[("created_at", "gte", day.isoformat()), ("created_at", "lt", end.isoformat())],
        order=("forecast_id",),
    )
