"""Opening, answering and settling rounds against the sandbox exchange, also when a process is killed anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from typing import Any
from uuid import uuid4

import pytest
from tests.fixtures.exchange import Exchange, launch_exchange
from tests.fixtures.postgres import PostgresServer
from tests.integration.arena_world import (
    DyingStore,
    Killed,
    answer,
    behind,
    end_round,
    enrolled,
    entered,
    ledgers_of,
    now,
    paper,
    seal_as_entrant,
)
from tests.integration.arena_world import (
    open_round as open_made_up,
)

from coliseum.arena.agents import contestants
from coliseum.arena.agents.enrollment import enroll
from coliseum.arena.agents.roster import roster
from coliseum.arena.calendar import season_of
from coliseum.arena.frozen_context import visible_context
from coliseum.arena.notifications import new_seal_entries
from coliseum.arena.paper.account import replay
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.arena.records.rows import Round
from coliseum.arena.rounds.opening import RoundPlan, open_round
from coliseum.arena.settling.run import SettlingReport, run_settler
from coliseum.feed.entries import EntryKind
from coliseum.feed.feed import Feed
from coliseum.kalshi.client import Kalshi
from coliseum.store.client import Store
from coliseum.trading.trades import Outcome
from coliseum.upstash.client import Redis

PLAN = RoundPlan(
    every=timedelta(minutes=10), open_for=timedelta(seconds=90), markets=6, per_event=1, exchange="sandbox"
)
Messages = list[Mapping[str, object]]


@pytest.fixture
def records(store: Store) -> ArenaRecords:
    return ArenaRecords(store)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An exchange in real time whose markets only move when a test moves them."""
    running = launch_exchange(tmp_path_factory.mktemp("exchange"), "--still", "--speed", "1", "--no-rate-limits")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def kalshi(exchange: Exchange) -> Iterator[Kalshi]:
    client = Kalshi(exchange.url)
    yield client
    client.close()


@pytest.fixture
def feed(redis: Redis, prefix: str) -> Feed:
    return Feed(redis, prefix=prefix, maxlen=1000)


def opened(records: ArenaRecords, kalshi: Kalshi, sent: Messages, plan: RoundPlan = PLAN) -> tuple[str, int]:
    """(round, decisions handed out)."""

    def enqueue(messages: Sequence[Mapping[str, object]]) -> None:
        sent.extend(messages)

    def enroll_season(season: str) -> None:
        enroll(records, season, [{**one, "status": "active"} for one in roster().others])

    def fund(_: object, held: Round) -> None:
        records.fund_round(held.round_id, each={}, cap=D(1))

    done = open_round(plan, clock=now, kalshi=kalshi, records=records, enqueue=enqueue, enroll=enroll_season, fund=fund)
    assert done.round_id is not None
    return done.round_id, done.handed_out


def settle(records: ArenaRecords, kalshi: Kalshi, feed: Feed, sent: Messages | None = None) -> SettlingReport:
    return run_settler(
        records, paper(records), kalshi, feed, plan=PLAN, now=now(), enqueue=(sent if sent is not None else []).extend
    )


def published(feed: Feed, kind: EntryKind) -> list[dict[str, Any]]:
    return [entry.data for entry in feed.latest(1000).reading.entries if entry.kind is kind]


def answer_all_rules(records: ArenaRecords, round_id: str) -> None:
    rules = {one["agent_id"]: one["params"] for one in roster().others if one["kind"] == "statistical"}
    for decision in records.decisions(round_id):
        if decision.agent_id not in rules:
            continue
        params = rules[decision.agent_id]
        market = records.round_market(round_id, decision.ticker)
        forecast = contestants.forecast(
            params["rule"], visible_context(market.context, decision.track), parameters=params["parameters"], seed=7
        )
        p = None if forecast.probability is None else str(forecast.probability)
        answer(records, round_id, agent=decision.agent_id, ticker=decision.ticker, track=decision.track, p=p)


def test_a_round_of_the_sandbox_is_opened_answered_and_settled(
    records: ArenaRecords, kalshi: Kalshi, feed: Feed, exchange: Exchange, postgres_server: PostgresServer
) -> None:
    sent: Messages = []
    round_id, handed_out = opened(records, kalshi, sent)
    held = records.round(round_id)
    assert held.exchange == "sandbox"
    assert 0 < held.markets <= 6
    assert handed_out == len(sent) == len([one for one in records.decisions(round_id) if one.agent_id != "consensus"])
    for market in records.asked_markets([round_id]):
        assert market.q is not None
        assert market.close_time > held.closes_at
        assert timedelta(0) <= held.opened_at - market.snapshot_at < timedelta(seconds=60)
    assert opened(records, kalshi, sent) == (round_id, 0)

    answer_all_rules(records, round_id)
    notes = paper(records).decisions([one.forecast_id for one in records.forecasts()])
    assert {"traded", "edge_below_minimum"} <= {note.reason for note in notes}
    assert published(feed, EntryKind.PAPER_TRADE) == []

    values = dict(zip((one.ticker for one in records.asked_markets([round_id])), "101010", strict=False))
    for ticker, value in values.items():
        exchange.admin(f"markets/{ticker}/settle", result="yes" if value == "1" else "no")
    exchange.admin("clock", seconds=600)
    end_round(postgres_server, round_id)
    done = settle(records, kalshi, feed)
    assert (done.results, done.rounds_closed, done.problems) == (len(values), 1, ())
    assert {one["ticker"]: one["result"] for one in published(feed, EntryKind.SETTLED)} == {
        ticker: "yes" if value == "1" else "no" for ticker, value in values.items()
    }
    trades = [trade for entry in published(feed, EntryKind.PAPER_TRADE) for trade in entry["trades"]]
    assert len(trades) == len([note for note in notes if note.reason == "traded"]) > 0
    assert _size(feed, EntryKind.PAPER_TRADE) == len({note.account_id.split("/")[1] for note in notes if note.side})
    seals = {one["seal"] for entry in published(feed, EntryKind.FORECAST) for one in entry["forecasts"]}
    assert seals == {one.seal for one in records.forecasts()}
    assert _size(feed, EntryKind.FORECAST) == len({one.agent_id for one in records.forecasts()})

    ticker_of = {one.forecast_id: one.ticker for one in records.forecasts()}
    for book in paper(records).accounts():
        account = book.account.account_id
        assert book.state == replay(entry.row for entry in paper(records).ledger(account))
        assert book.state.positions == {}
        profit = D(0)
        for note in (one for one in notes if one.account_id == account and one.side is not None):
            assert note.contracts is not None
            assert note.average_price is not None
            assert note.fee is not None
            won = (values[ticker_of[note.decision_id]] == "1") is (note.side is Outcome.YES)
            profit += note.contracts * ((1 if won else 0) - note.average_price) - note.fee
        assert abs(book.state.cash - 10_000 - profit) < D("0.01")
    again = settle(records, kalshi, feed)
    assert (again.results, again.ledger_rows, again.rounds_closed, again.handed_out) == (0, 0, 0, 0)
    assert sum(entry["count"] for entry in published(feed, EntryKind.PAPER_TRADE)) == len(trades)


def test_seals_of_outside_agents_are_published_while_the_round_is_open_and_once(
    records: ArenaRecords, kalshi: Kalshi, feed: Feed, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    round_id = open_made_up(records, ["A", "B"])
    entrant = entered(records)
    for count, ticker in enumerate(("A", "B"), start=1):
        sealed = seal_as_entrant(records, entrant, round_id, ticker)
        for _ in range(2):
            settle(records, kalshi, feed)
        newest = published(feed, EntryKind.FORECAST)[-1]
        assert (newest["agent_id"], newest["count"]) == (entrant, count)
        assert sealed in {one["seal"] for one in newest["forecasts"]}
    assert _size(feed, EntryKind.FORECAST) == 2
    assert "0.37" not in str(published(feed, EntryKind.FORECAST))
    behind(postgres_server, "update public.arena_forecasts set created_at = now() - interval '12 minutes'")
    assert new_seal_entries(records, round_id, since=now() - timedelta(minutes=11)) == ()


def test_an_opening_that_is_killed_anywhere_is_completed_by_the_next_call(
    store: Store, kalshi: Kalshi, postgres_server: PostgresServer
) -> None:
    small = replace(PLAN, markets=1)
    for steps in range(1, 20):
        sent: Messages = []
        survived = True
        try:
            opened(ArenaRecords(DyingStore(store, steps=steps)), kalshi, sent, small)
        except Killed:
            survived = False
        behind(postgres_server, "update public.arena_decisions set queued_at = now() - interval '1 hour'")
        round_id, _ = opened(ArenaRecords(store), kalshi, sent, small)
        records = ArenaRecords(store)
        due = {one.decision_id for one in records.decisions(round_id) if one.agent_id != "consensus"}
        assert {message["decision_id"] for message in sent} == due
        assert len(records.rounds()) == 1
        postgres_server.empty()
        if survived:
            break
    assert steps == 6  # field, entrants that play, open, fund, hand out, and nothing more


def test_a_settler_run_that_is_killed_anywhere_and_repeated_gives_the_same_ledgers(
    store: Store, kalshi: Kalshi, exchange: Exchange, redis: Redis, postgres_server: PostgresServer
) -> None:
    markets = [one.ticker for one in kalshi.markets(status="open", limit=50).items if one.midpoint is not None][:2]
    for ticker, result in zip(markets, ("yes", "no"), strict=True):
        exchange.admin(f"markets/{ticker}/settle", result=result)
    exchange.admin("clock", seconds=600)

    def world() -> Feed:
        postgres_server.empty()
        records = ArenaRecords(store)
        enrolled(records)
        round_id = open_made_up(records, markets)
        answer(records, round_id, ticker=markets[0])
        answer(records, round_id, ticker=markets[1], traded=False)  # its worker was killed
        behind(postgres_server, "update public.arena_forecasts set created_at = created_at - interval '2 minutes'")
        end_round(postgres_server, round_id)
        return Feed(redis, prefix=f"test:{uuid4().hex}:", maxlen=1000)

    def outcome(feed: Feed) -> tuple[Any, ...]:
        records = ArenaRecords(store)
        books = {account: [row[:4] for row in rows] for account, rows in ledgers_of(records).items()}
        results = {ticker: [one.result for one in known] for ticker, known in records.results().items()}
        entries = [*published(feed, EntryKind.SETTLED), *published(feed, EntryKind.PAPER_TRADE)]
        return books, results, [one.status for one in records.rounds()], sorted(map(str, entries))

    feed = world()
    settle(ArenaRecords(store), kalshi, feed)
    whole = _unnamed(outcome(feed))
    assert "settle" in str(whole)
    for steps in range(1, 40):
        feed, survived = world(), True
        try:
            settle(ArenaRecords(DyingStore(store, steps=steps)), kalshi, feed)
        except Killed:
            survived = False
        settle(ArenaRecords(store), kalshi, feed)
        assert _unnamed(outcome(feed)) == whole, steps
        if survived:
            break
    assert 5 < steps < 40


def test_a_missed_trade_is_published_after_the_close(
    records: ArenaRecords, kalshi: Kalshi, feed: Feed, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    round_id = open_made_up(records)
    answer(records, round_id, traded=False)
    end_round(postgres_server, round_id)
    assert settle(records, kalshi, feed).caught_up == 0  # a worker may still be at it
    behind(postgres_server, "update public.arena_forecasts set created_at = created_at - interval '2 minutes'")
    assert settle(records, kalshi, feed).caught_up == 1
    (entry,) = published(feed, EntryKind.PAPER_TRADE)
    assert (entry["agent_id"], entry["tickers"], entry["count"]) == ("uniform", ["A"], 2)
    assert {trade["policy"] for trade in entry["trades"]} == {"flat", "quarter_kelly"}
    assert settle(records, kalshi, feed).caught_up == 0


def test_an_amended_result_is_paid_again_and_published(
    records: ArenaRecords, kalshi: Kalshi, feed: Feed, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    answer(records, open_made_up(records))
    records.record_result("A", status="finalized", result="yes", value=D(1), decided_at=now())
    settle(records, kalshi, feed)
    first = {book.account.account_id: book.state.cash for book in paper(records).accounts()}
    records.record_result("A", status="finalized", result="void", value=D("0.5"), decided_at=now())
    settle(records, kalshi, feed)
    second = {book.account.account_id: book.state.cash for book in paper(records).accounts()}
    records.record_result("A", status="finalized", result="yes", value=D(1), decided_at=now())
    settle(records, kalshi, feed)
    assert {book.account.account_id: book.state.cash for book in paper(records).accounts()} == first != second
    assert [one["version"] for one in published(feed, EntryKind.SETTLED)] == [1, 2, 3]
    assert all(book.state.positions == {} for book in paper(records).accounts())


def test_accounts_and_rounds_go_on_while_the_exchange_does_not_answer(
    records: ArenaRecords, kalshi: Kalshi, feed: Feed, exchange: Exchange, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    round_id = open_made_up(records, ["A", "B"])
    answer(records, round_id)
    records.record_result("A", status="finalized", result="yes", value=D(1), decided_at=now())
    end_round(postgres_server, round_id)
    exchange.admin("outage", active=True)
    try:
        done = settle(records, kalshi.for_seconds(1.0), feed)
    finally:
        exchange.reset()
    assert len(done.problems) == 1
    assert (done.rounds_closed, done.ledger_rows) == (1, 2)


def test_positions_of_a_season_that_is_over_are_settled_and_marked(
    records: ArenaRecords, kalshi: Kalshi, feed: Feed, postgres_server: PostgresServer
) -> None:
    season = enrolled(records)
    answer(records, open_made_up(records))
    records.record_result("A", status="finalized", result="yes", value=D(1), decided_at=now())
    later = run_settler(
        records, paper(records), kalshi, feed, plan=PLAN, now=now() + timedelta(days=100), enqueue=lambda _: None
    )
    assert later.ledger_rows == 2
    assert season_of(now() + timedelta(days=100)) != season
    assert len(paper(records).marks(f"{season}/uniform/flat")) == 1


def test_a_market_that_is_still_traded_is_quoted_and_not_settled(
    records: ArenaRecords, kalshi: Kalshi, feed: Feed
) -> None:
    market = next(one for one in kalshi.markets(status="open", limit=50).items if one.midpoint is not None)
    enrolled(records)
    answer(records, open_made_up(records, [market.ticker]), ticker=market.ticker)
    done = settle(records, kalshi, feed)
    assert (done.results, done.ledger_rows) == (0, 0)
    (bid,) = {book.open_positions[market.ticker].bid for book in paper(records).accounts(agent_id="uniform")}
    assert bid == market.yes_bid


def _size(feed: Feed, kind: EntryKind) -> int:
    """Entries, each of which counts what it carries."""
    entries = published(feed, kind)
    assert all(entry["count"] == len(entry.get("trades") or entry["forecasts"]) for entry in entries)
    return len(entries)


def _unnamed(found: tuple[Any, ...]) -> str:
    """Round ids are slots of the clock: written alike, so that two worlds can be compared."""
    return re.sub(r"r-\d{8}T\d{6}Z", "ROUND", str(found))
