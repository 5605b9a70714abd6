"""One run of the settler. Every step can be repeated, so a run that was killed anywhere is completed by the next one.

Order: results → missed trades → pay-outs → marks → closing of rounds → lost decisions → seal roots. Leaderboards follow
in `settling.leaderboards`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from coliseum.arena import forecasts
from coliseum.arena.calendar import season_of
from coliseum.arena.notifications import new_seal_entries, round_seal_entries, round_trade_entries
from coliseum.arena.paper.records import PaperRecords
from coliseum.arena.paper.trading import trade_forecast
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import Round
from coliseum.arena.rounds.opening import Enqueue, RoundPlan, hand_out
from coliseum.arena.settling.accounts import mark_accounts, settle_accounts
from coliseum.arena.settling.results import record_results, result_entries
from coliseum.feed.entries import Candidate
from coliseum.feed.feed import Feed
from coliseum.kalshi.client import Kalshi

CATCH_UP = 200
"""The most missed forecasts that one run trades."""
PUBLISHED_AT_ONCE = 200
ANNOUNCED_FOR = timedelta(minutes=11)
"""Seals of outside agents in open rounds are published for this long, which is two runs. The feed drops repetitions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlingReport:
    """What one run did."""

    results: int
    caught_up: int
    ledger_rows: int
    stopped: int
    rounds_closed: int
    handed_out: int
    rooted: int
    problems: tuple[str, ...]
    """What could not be done and is left to the next run."""


def run_settler(
    records: ArenaRecords,
    paper: PaperRecords,
    kalshi: Kalshi,
    feed: Feed,
    *,
    plan: RoundPlan,
    now: datetime,
    enqueue: Enqueue,
) -> SettlingReport:
    """One run of the settler."""
    update = record_results(records, kalshi)
    paper.record_quotes(update.quotes, at=now)
    publish(feed, result_entries(records, now), now)
    caught_up = _catch_up(records, paper, feed, now)
    rows = settle_accounts(paper, now=now)
    stopped = mark_accounts(paper, season=season_of(now), also=rows, now=now, exchange=plan.exchange)
    rounds = records.rounds(status="open", limit=None)
    closed = [round_ for round_ in rounds if round_.closes_at <= now]
    for round_ in closed:
        _close(records, paper, feed, round_, now)
    for round_ in rounds:
        if round_.closes_at > now and round_.exchange != "replay":
            publish(feed, new_seal_entries(records, round_.round_id, since=now - ANNOUNCED_FOR), now)
    return SettlingReport(
        results=update.recorded,
        caught_up=caught_up,
        ledger_rows=sum(rows.values()),
        stopped=stopped,
        rounds_closed=len(closed),
        handed_out=hand_out(records, enqueue, again_seconds=plan.again_seconds),
        rooted=_root(records),
        problems=tuple(update.problems),
    )


def publish(feed: Feed, entries: tuple[Candidate, ...], now: datetime) -> None:
    """Publish in batches. The feed drops entries that it has already."""
    for start in range(0, len(entries), PUBLISHED_AT_ONCE):
        feed.publish(entries[start : start + PUBLISHED_AT_ONCE], now_ms=int(now.timestamp() * 1000))


def _catch_up(records: ArenaRecords, paper: PaperRecords, feed: Feed, now: datetime) -> int:
    """Trade the forecasts whose worker stopped before every account had decided. Returns their number."""
    missed = paper.untraded_forecasts()[:CATCH_UP]
    stored = records.forecasts(where=[("forecast_id", "in", missed)], order=()) if missed else ()
    for forecast in sorted(stored, key=lambda forecast: (forecast.created_at, forecast.forecast_id)):
        trade_forecast(records, paper, forecast)
    for round_id in sorted({forecast.round_id for forecast in stored}):
        if records.round(round_id).status != "open":  # its entries were published without these trades
            publish(feed, round_trade_entries(records, paper, round_id), now)
    return len(stored)


def _close(records: ArenaRecords, paper: PaperRecords, feed: Feed, round_: Round, now: datetime) -> None:
    """Publish the round's seals and trades, then close it. After a kill in between the feed drops the repetition."""
    publish(
        feed,
        (*round_seal_entries(records, round_.round_id), *round_trade_entries(records, paper, round_.round_id)),
        now,
    )
    records.close_round(round_.round_id)


def _root(records: ArenaRecords) -> int:
    """Store the Merkle root of every day that is over. Returns how many were made."""
    days = records.unrooted_days()
    for day in days:
        seals = records.day_seals(day)
        records.save_seal_root(day, forecasts.merkle_root(seals), len(seals))
    return len(days)
