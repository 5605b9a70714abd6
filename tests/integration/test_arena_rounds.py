"""Rounds and seals against a real database: opened once, answered once, closed once, secret until then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal as D
from typing import Any

import psycopg
import pytest
from tests.fixtures.postgres import PostgresServer
from tests.integration.arena_world import (
    MODEL,
    answer,
    behind,
    end_round,
    enrolled,
    now,
    open_round,
    paper,
)
from tests.unit.arena.offers import NOW

from coliseum.arena.agents.enrollment import enroll
from coliseum.arena.calendar import season_of, season_span, slot_at
from coliseum.arena.forecasts import Track, canonical, merkle_root, prove, seal, verify
from coliseum.arena.paper.records import AccountStop
from coliseum.arena.paper.sizing import TradeReason
from coliseum.arena.paper.trading import trade_forecast
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.errors import NotFound, SourceRefused
from coliseum.store.client import Store

EXPIRED = """
update public.arena_decisions set lease_until = now() - interval '1 second', queued_at = now() - interval '2 minutes'
where status = 'running'
"""


KEYS = {
    "arena_ledger": "cash",
    "arena_paper_decisions": "reason",
    "arena_round_markets": "q",
    "arena_attempts": "latency_ms",
}
"""A column of each table of things that happened."""


@pytest.fixture
def records(store: Store) -> ArenaRecords:
    return ArenaRecords(store)


@pytest.fixture(scope="module")
def public(postgres_server: PostgresServer) -> Iterator[Store]:
    """The database as anyone with the publishable key sees it."""
    door = Store(postgres_server.url, postgres_server.publishable_key)
    yield door
    door.close()


def statuses(records: ArenaRecords, round_id: str) -> dict[str, tuple[str, str | None]]:
    return {one.agent_id: (one.status, one.reason) for one in records.decisions(round_id)}


def test_a_slot_has_one_round_when_it_is_opened_twice(records: ArenaRecords) -> None:
    enrolled(records)
    round_id = open_round(records, ["A", "B"])
    held = records.round(round_id)
    before = records.decisions(round_id)
    body = {"opened_at": now(), "closes_at": now() + timedelta(hours=9), "exchange": "kalshi"}
    again = records.open_round(
        slot_at(held.slot, every=timedelta(seconds=1)),
        markets=[],
        decisions=[],
        **body,  # type: ignore[arg-type]  # one body for both
    )
    assert not again
    assert records.round(round_id) == held
    assert records.decisions(round_id) == before
    assert len(before) == 6


def test_a_new_quarter_enrols_all_agents_except_paused_and_retired_ones(records: ArenaRecords) -> None:
    enrolled(records, season="2026Q3", model=True)
    records.set_agent_status("market", "retired")
    records.set_agent_status("uniform", "paused")
    records.set_output_mode("oracle", "tool")
    newer = {**MODEL, "model": "delphi/oracle-2", "status": "active", "params": {}}
    enroll(records, "2026Q3", [newer])
    assert records.agent("oracle").model == "delphi/oracle-1"  # slugs are frozen for a season
    enrolled(records, season="2026Q4")
    enroll(records, "2026Q4", [newer])
    enrolled(records, season="2026Q3", model=True)  # a late repetition of the old season
    oracle = records.agent("oracle")
    assert (oracle.season, oracle.model, oracle.output_mode) == ("2026Q4", "delphi/oracle-2", "auto")
    assert {one.agent_id: (one.season, one.status) for one in records.agents() if one.agent_id != "oracle"} == {
        "market": ("2026Q4", "retired"),
        "uniform": ("2026Q4", "paused"),
        "panel": ("2026Q4", "active"),
    }
    books = paper(records).accounts(agent_id="oracle")
    assert {(one.account.season, one.state.cash) for one in books} == {("2026Q3", D(10_000)), ("2026Q4", D(10_000))}


def test_a_model_waits_for_its_key_and_plays_when_it_comes(records: ArenaRecords) -> None:
    season = enrolled(records)
    for status in ("needs_key", "active", "needs_key"):
        enroll(records, season, [{**MODEL, "status": status, "params": {}}])
        assert records.agent("oracle").status == status
    with pytest.raises(NotFound):
        records.set_agent_status("nobody", "paused")


def test_decisions_are_handed_out_again_when_they_stay_unanswered(
    records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    round_id = open_round(records)
    first = records.hand_out(again_seconds=600, attempts=3)
    assert {one.split("/")[2] for one in first} == {"market", "uniform"}
    assert records.hand_out(again_seconds=600, attempts=3) == ()
    behind(postgres_server, "update public.arena_decisions set queued_at = now() - interval '11 minutes'")
    assert set(records.hand_out(again_seconds=600, attempts=3)) >= set(first)
    assert set(statuses(records, round_id).values()) == {("pending", None)}


def test_the_consensus_is_asked_when_the_others_have_answered_or_time_runs_out(records: ArenaRecords) -> None:
    enrolled(records)
    round_id = open_round(records)
    assert not [one for one in records.hand_out(again_seconds=600, attempts=3) if "/panel/" in one]
    answer(records, round_id)
    assert records.hand_out(again_seconds=600, attempts=3) == ()
    answer(records, round_id, agent="market", track=Track.AWARE)
    assert records.hand_out(again_seconds=600, attempts=3) == (f"{round_id}/A/panel/blind",)
    late = open_round(records, ago=timedelta(minutes=7))
    assert f"{late}/A/panel/blind" in records.hand_out(again_seconds=600, attempts=3)


def test_the_consensus_of_a_long_round_answers_while_its_book_may_be_traded(records: ArenaRecords) -> None:
    """It waits for silent models for nine minutes; the next call is at most five later, and the book lasts 15."""
    enrolled(records)
    early = open_round(records, ago=timedelta(minutes=8), minutes=60)
    assert f"{early}/A/panel/blind" not in records.hand_out(again_seconds=600, attempts=3)
    later = open_round(records, ago=timedelta(minutes=9, seconds=1), minutes=60)
    assert f"{later}/A/panel/blind" in records.hand_out(again_seconds=600, attempts=3)
    answer(records, later)
    stored = answer(records, later, agent="panel")
    (taken, *_) = trade_forecast(records, paper(records), stored)
    assert taken.reason == TradeReason.TRADED.value


def test_models_are_asked_once_their_round_is_paid_for(records: ArenaRecords) -> None:
    enrolled(records, model=True)
    round_id = open_round(records)
    assert not [one for one in records.hand_out(again_seconds=600, attempts=3) if "/oracle/" in one]
    assert records.fund_round(round_id, each={"oracle": D("0.01")}, cap=D(1)) == frozenset({"oracle"})
    assert records.fund_round(round_id, each={"oracle": D(5)}, cap=D(1)) is None, "once"
    assert len([one for one in records.hand_out(again_seconds=600, attempts=3) if "/oracle/" in one]) == 2
    poor = open_round(records, ago=timedelta(minutes=1))
    assert records.fund_round(poor, each={"oracle": D(5)}, cap=D(1)) == frozenset()
    assert statuses(records, poor)["oracle"] == ("skipped", "budget")


def test_a_decision_whose_workers_died_is_handed_out_again_and_fails_after_three(
    records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    decision = f"{open_round(records)}/A/uniform/blind"
    for attempt in (1, 2, 3):
        assert decision in records.hand_out(again_seconds=600, attempts=3)
        leased = records.lease_decision(decision, seconds=60)
        assert leased is not None
        assert leased.attempt == attempt
        assert records.lease_decision(decision, seconds=60) is None
        behind(postgres_server, EXPIRED)
    assert decision not in records.hand_out(again_seconds=600, attempts=3)
    assert statuses(records, decision.split("/", maxsplit=1)[0])["uniform"] == ("failed", "lease_expired")


def test_a_late_failure_of_an_expired_worker_does_not_end_the_next_attempt(
    records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    round_id = open_round(records)
    decision = f"{round_id}/A/uniform/blind"
    records.lease_decision(decision, seconds=60)
    behind(postgres_server, EXPIRED)
    records.lease_decision(decision, seconds=60)
    late = {"decision_id": decision, "attempt": 1, "started_at": now().isoformat(), "latency_ms": 1}
    assert not records.finish_decision(decision, status="failed", reason="timeout", attempt=late)
    answer(records, round_id)
    assert statuses(records, round_id)["uniform"] == ("done", None)


def test_closing_a_round_fails_its_unanswered_decisions(records: ArenaRecords, postgres_server: PostgresServer) -> None:
    enrolled(records)
    round_id = open_round(records)
    answer(records, round_id)
    assert not records.close_round(round_id)
    end_round(postgres_server, round_id)
    assert records.close_round(round_id)
    assert not records.close_round(round_id)
    assert records.round(round_id).status == "partial"
    assert statuses(records, round_id) == {
        "uniform": ("done", None),
        "market": ("failed", "round_closed"),
        "panel": ("failed", "round_closed"),
    }


def forged(round_id: str) -> dict[str, Any]:
    """A row that somebody with the server's key might write past the arena."""
    about = {"round_id": round_id, "ticker": "A", "agent_id": "uniform", "track": "blind"}
    payload = {**about, "probability": "0.99", "nonce": "5" * 32}
    return {**about, "forecast_id": f"{round_id}/A/uniform/blind", "seal": "1" * 64, "p": "0.99", "payload": payload}


def test_a_sealed_forecast_cannot_be_changed_deleted_or_late(
    records: ArenaRecords, store: Store, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    round_id = open_round(records)
    stored = answer(records, round_id)
    assert abs(stored.created_at - now()) < timedelta(minutes=1)
    row = forged(round_id)
    with pytest.raises(SourceRefused, match="sealed"):
        store.upsert("arena_forecasts", [row], on_conflict="forecast_id")
    for sql in ("update arena_forecasts set p = 0.99", "delete from arena_forecasts"):
        with pytest.raises(Exception, match="sealed"):
            postgres_server.execute(sql)  # not even the superuser, by accident
    with pytest.raises(SourceRefused, match="answers no decision"):
        store.insert("arena_forecasts", [{**row, "forecast_id": f"{round_id}/A/market/aware"}])
    end_round(postgres_server, round_id)
    with pytest.raises(SourceRefused, match="is late"):
        answer(records, round_id, agent="panel")
    assert records.forecasts()[0] == stored


@pytest.mark.parametrize("change", [{"nonce": None}, {"nonce": "5" * 31}, {"probability": "0.98"}, {"ticker": "B"}])
def test_a_payload_without_a_long_nonce_or_with_other_content_is_refused(
    records: ArenaRecords, store: Store, change: dict[str, Any]
) -> None:
    enrolled(records)
    row = forged(open_round(records))
    with pytest.raises(SourceRefused, match=r"arena_forecasts_(nonce|payload)"):
        store.insert("arena_forecasts", [{**row, "payload": {**row["payload"], **change}}])


def test_a_forecast_cannot_be_dated_back(records: ArenaRecords, store: Store) -> None:
    enrolled(records)
    row = forged(open_round(records))
    store.insert("arena_forecasts", [{**row, "created_at": NOW.isoformat()}])
    assert abs(records.forecasts()[0].created_at - now()) < timedelta(minutes=1)


def test_a_round_keeps_its_hours_and_its_rows(records: ArenaRecords, store: Store) -> None:
    """Else a forecast could be let in late, or the shown context changed after the fact."""
    season = enrolled(records)
    held = records.round(open_round(records))
    later = (held.closes_at + timedelta(days=1)).isoformat()
    row = {
        "round_id": held.round_id,
        "slot": held.slot.isoformat(),
        "season": season,
        "opened_at": held.opened_at.isoformat(),
        "closes_at": later,
        "exchange": "sandbox",
        "seed": held.seed,
        "markets": 1,
    }
    with pytest.raises(SourceRefused, match="keeps its slot"):
        store.upsert("arena_rounds", [row], on_conflict="round_id")
    records.record_result("A", status="finalized", result="yes", value=D(1), decided_at=now())
    records.save_seal_root(date(2026, 1, 1), "0" * 64, 1)
    records.save_seal_root(date(2026, 1, 1), "1" * 64, 1)
    assert store.select("arena_seal_roots", "root") == [{"root": "0" * 64}]
    for table, key, changed in (
        ("arena_results", "ticker,version", {"ticker": "A", "version": 1, "status": "x", "result": "no", "value": "0"}),
        ("arena_seal_roots", "day", {"day": "2026-01-01", "root": "2" * 64, "leaves": 1}),
    ):
        with pytest.raises(SourceRefused, match="never changed"):
            store.upsert(table, [changed], on_conflict=key)
    gift = {"account_id": f"{season}/uniform/flat", "seq": 9, "key": "k", "kind": "deposit", "cash": "5"}
    with pytest.raises(SourceRefused):
        store.insert("arena_ledger", [{**gift, "at": NOW.isoformat()}])


@pytest.mark.parametrize("table", list(KEYS))
def test_stored_history_cannot_be_changed_or_deleted(
    records: ArenaRecords, postgres_server: PostgresServer, table: str
) -> None:
    """Not even by the database's owner."""
    enrolled(records)
    round_id = open_round(records)
    decision = f"{round_id}/A/uniform/blind"
    assert records.lease_decision(decision, seconds=60) is not None
    answer(records, round_id)
    late = {"decision_id": decision, "attempt": 1, "started_at": NOW.isoformat(), "latency_ms": 1}
    records.finish_decision(decision, status="failed", attempt=late)
    for sql in (f"update {table} set {KEYS[table]} = {KEYS[table]}", f"delete from {table}"):  # noqa: S608 - own names
        with pytest.raises(psycopg.Error, match="never changed or deleted"):
            postgres_server.execute(sql)


def test_anyone_sees_seals_at_once_and_contents_when_the_round_is_closed(
    records: ArenaRecords, public: Store, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    round_id = open_round(records)
    stored = answer(records, round_id)
    columns = "forecast_id,seal,opened,p,payload"
    (sealed,) = public.select("public_arena_forecasts", columns)
    known = {"forecast_id": stored.forecast_id, "seal": stored.seal, "opened": False}
    assert sealed == {**known, "p": None, "payload": None}
    assert "0.70" not in json.dumps(public.select("public_arena_ledger", "*"))
    assert {row["kind"] for row in public.select("public_arena_ledger", "kind")} == {"deposit"}
    assert public.select("public_arena_paper_decisions", "*") == []
    end_round(postgres_server, round_id)
    (opened,) = public.select("public_arena_forecasts", columns)
    assert opened["opened"] is True
    assert seal(opened["payload"]) == stored.seal
    assert "buy" in {row["kind"] for row in public.select("public_arena_ledger", "kind")}
    assert len(public.select("public_arena_paper_decisions", "reason")) == 2


def test_a_stop_is_public_once_no_round_is_open(
    records: ArenaRecords, postgres_server: PostgresServer, public: Store
) -> None:
    season = enrolled(records)
    stop = AccountStop(
        account_id=f"{season}/uniform/flat", day=now().date(), reason="drawdown", equity=D(9900), reference=D(13_500)
    )
    round_id = open_round(records)
    paper(records).record_stops([stop])
    assert public.select("public_arena_stops", "*") == []
    end_round(postgres_server, round_id)
    assert public.select("public_arena_stops", "equity::text") == [{"equity": "9900.00"}]


def test_the_publishable_key_writes_nothing_and_reads_no_table(
    records: ArenaRecords, public: Store, store: Store
) -> None:
    enrolled(records)
    answer(records, open_round(records))
    tables = [
        *("arena_seasons", "arena_agents", "arena_rounds", "arena_round_markets", "arena_decisions", "arena_attempts"),
        *("arena_forecasts", "arena_seal_roots", "arena_budget", "arena_results", "arena_accounts", "arena_ledger"),
        *("arena_paper_decisions", "arena_reports", "arena_marks", "arena_books", "arena_positions", "arena_stops"),
        *("arena_quotes", "arena_held", "arena_account_books", "arena_due_settlements", "arena_untraded"),
        *("arena_unrooted_days", "arena_waiting_tickers", "arena_asked_markets"),
    ]
    for table in tables:
        with pytest.raises(SourceRefused):
            public.select(table, "*", limit=1)
    for function, args in (
        ("arena_write_books", {"p_account": "x", "p_after": 0, "p_rows": []}),
        ("arena_hand_out", {"p_again": 1, "p_attempts": 1}),
        ("arena_close_round", {"p_round": "x"}),
        ("arena_field", {"p": {}}),
        ("arena_set_agent", {"p_agent": "uniform", "p_status": "retired"}),
    ):
        with pytest.raises(SourceRefused):
            public.rpc(function, args)
    with pytest.raises(SourceRefused):
        public.insert("public_arena_ledger", [{"account_id": "x"}])
    assert store.select("arena_agents", "status", where=[("agent_id", "eq", "uniform")]) == [{"status": "active"}]


def test_the_days_root_covers_every_seal_and_is_made_once_the_day_is_over(
    records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    round_id = open_round(records, ["A", "B", "C"])
    seals = [answer(records, round_id, ticker=ticker).seal for ticker in "ABC"]
    assert records.unrooted_days() == ()
    # One moment two days ago: a day counts as over ten minutes after midnight, and the test may run in those minutes.
    long_ago = "update public.arena_forecasts set created_at = date_trunc('day', now(), 'UTC') - interval '36 hours'"
    behind(postgres_server, long_ago)
    (over,) = records.unrooted_days()
    assert over < now().date()
    assert set(records.day_seals(over)) == set(seals)
    records.save_seal_root(over, merkle_root(records.day_seals(over)), 3)
    assert records.unrooted_days() == ()
    for one in seals:
        proof = prove(seals, one)
        assert verify(proof)
        assert proof.root == merkle_root(records.day_seals(over))


def test_the_sealed_payload_survives_the_database(records: ArenaRecords) -> None:
    enrolled(records)
    stored = answer(records, open_round(records), p="0.70")
    assert seal(json.loads(json.dumps(dict(stored.payload)))) == stored.seal
    assert json.loads(canonical(stored.payload)) == stored.payload


def test_a_board_is_due_when_a_round_closed_or_a_result_came(
    records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    season = enrolled(records)
    assert not records.report_due(season, Track.BLIND)
    round_id = open_round(records)
    assert not records.report_due(season, Track.BLIND)
    end_round(postgres_server, round_id)
    assert records.report_due(season, Track.BLIND)
    report = {"digest": "0" * 64, "season": season, "track": "blind", "as_of": now(), "known_at": now()}
    assert records.save_report({**report, "engine_version": "1", "rules_version": "1", "input_hash": "x", "report": {}})
    assert not records.report_due(season, Track.BLIND)
    assert records.report_due(season, Track.AWARE)
    records.record_result("A", status="finalized", result="yes", value=D(1), decided_at=now())
    assert records.report_due(season, Track.BLIND)
    other = season_of(season_span(season)[1])
    assert not records.report_due(other, Track.BLIND)
