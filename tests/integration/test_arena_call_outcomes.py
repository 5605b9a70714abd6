"""What an answer, an abstention or a problem of an endpoint does, in the database itself."""

from __future__ import annotations

from decimal import Decimal
from secrets import token_bytes, token_hex
from typing import Any

import psycopg
import pytest
from tests.fixtures.postgres import PostgresServer
from tests.integration.arena_world import end_round, enrolled, open_round
from tests.integration.endpoint_world import claim, pass_time, proven, registered, sealed, state

from coliseum.arena.calling.records import CallRecords
from coliseum.arena.entry.entrants import Entrants
from coliseum.arena.entry.records import EntryRecords
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.errors import SourceRefused
from coliseum.store.client import Store


@pytest.fixture
def records(store: Store) -> ArenaRecords:
    return ArenaRecords(store)


@pytest.fixture
def calls(store: Store) -> CallRecords:
    return CallRecords(store)


@pytest.fixture
def entrants(store: Store) -> Entrants:
    return Entrants(lambda: EntryRecords(store), random=token_bytes)


def test_problems_in_a_row_wait_longer_and_then_pause_the_endpoint_with_the_reason(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    open_round(records)
    _, token = proven(entrants, calls)
    waits = []
    for number in range(1, 9):
        (one,) = claim(calls).questions
        calls.end(one, "unreachable", problem=f"problem {number}")
        with psycopg.connect(postgres_server.dsn) as connection:
            row = connection.execute(
                "select problems, round(extract(epoch from next_call_at - problem_at)) from arena_endpoints"
            ).fetchone()
        assert row is not None
        assert row[0] == number
        waits.append(int(row[1]))
        pass_time(postgres_server, 3600)
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]
    assert len(claim(calls)) == 0
    shown = state(entrants, token)
    assert (shown["status"], shown["problems"], shown["problem"]) == ("paused", 8, "problem 8")
    assert records.playing_entrants() == frozenset()
    entrants.resume_endpoint(entrants.authorize(token))
    assert len(claim(calls).challenges) == 1


def test_problems_of_calls_at_the_same_time_count_once(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords
) -> None:
    enrolled(records)
    open_round(records, ["A", "B"])
    _, token = proven(entrants, calls)
    for one in claim(calls).questions:
        calls.end(one, "unreachable", problem="no answer")
    assert state(entrants, token)["problems"] == 1


def test_a_wrong_reply_is_tried_three_times_and_a_silent_endpoint_until_the_close(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    open_round(records, ["A"])
    _, token = proven(entrants, calls)
    for outcome in ("unreachable", "wrong", "unreachable", "wrong", "wrong"):
        (one,) = claim(calls).questions
        assert calls.end(one, outcome, problem="why")
        pass_time(postgres_server, 1000)
    assert claim(calls).questions == ()
    (shown,) = state(entrants, token)["recent"]
    assert (shown["status"], shown["attempt"], shown["problem"]) == ("failed", 5, "why")


@pytest.mark.parametrize("outcome", ["abstained", "deferred"])
def test_an_abstention_is_no_problem_and_is_not_asked_again(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, outcome: Any
) -> None:
    enrolled(records)
    round_id = open_round(records)
    _, token = proven(entrants, calls)
    (one,) = claim(calls).questions
    assert calls.end(one, outcome)
    assert len(claim(calls)) == 0
    shown = state(entrants, token)
    assert (shown["status"], shown["problems"], shown["calls"]) == ("ready", 0, {outcome: 1})
    stored = entrants.submit(entrants.authorize(token), f"{round_id}.A", probability=Decimal("0.3"), rationale="")
    assert stored.forecast_id, "the agent may still send one"


def test_gone_pauses_at_once_and_an_endpoint_may_ask_for_a_longer_wait(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    open_round(records, ["A"])
    _, token = proven(entrants, calls)
    (one,) = claim(calls).questions
    calls.end(one, "unreachable", problem="busy", retry_after=500)
    pass_time(postgres_server, 490)
    assert len(claim(calls)) == 0
    pass_time(postgres_server, 20)
    (one,) = claim(calls).questions
    calls.end(one, "stop", problem="gone")
    assert (state(entrants, token)["status"], state(entrants, token)["problem"]) == ("paused", "gone")


def test_a_challenge_without_proof_is_made_five_times(
    entrants: Entrants, calls: CallRecords, postgres_server: PostgresServer
) -> None:
    made = registered(entrants, name="Pull")
    for _ in range(5):
        (asked,) = claim(calls).challenges
        assert calls.end_challenge(asked, problem="no proof")
        assert not calls.end_challenge(asked, problem=None), "it has ended"
        pass_time(postgres_server, 3600)
    assert len(claim(calls)) == 0
    assert state(entrants, made.token)["status"] == "paused"


def test_what_a_call_answers_is_neither_late_nor_second_nor_foreign(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    round_id = open_round(records, ["A", "B", "C", "D"])
    entrant, token = proven(entrants, calls)
    own = calls.claim(questions=9, challenges=0, each=9, call_seconds=30).questions
    by_ticker = {one.ticker: one for one in own}
    sent = entrants.submit(entrants.authorize(token), f"{round_id}.A", probability=Decimal("0.3"), rationale="")
    assert calls.answer(by_ticker["A"], *sealed(by_ticker["A"])) == "second"
    for change in ({"entrant_id": "e-other"}, {"context_hash": "0" * 64}, {"round_id": "r-1"}, {"ticker": "A"}):
        with pytest.raises(SourceRefused):
            calls.answer(by_ticker["B"], *sealed(by_ticker["B"], **change))
    payload, seal = sealed(by_ticker["B"])
    with pytest.raises(SourceRefused):
        calls.answer(by_ticker["B"], {**payload, "nonce": token_hex(2)}, seal)
    entrants.decide(entrant, status="banned")
    assert calls.answer(by_ticker["B"], payload, seal) == "banned"
    entrants.decide(entrant, status="active")
    assert calls.answer(by_ticker["C"], *sealed(by_ticker["C"])) is None
    end_round(postgres_server, round_id)
    assert calls.answer(by_ticker["D"], *sealed(by_ticker["D"])) == "late"
    assert {one.forecast_id for one in records.forecasts()} == {sent.forecast_id, f"{round_id}/C/{entrant}/open"}
    assert {one["status"] for one in state(entrants, token)["recent"]} == {"answered", "failed"}
