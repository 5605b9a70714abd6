"""Who is called, and the leases of calls, in the database itself."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta
from decimal import Decimal
from random import Random
from secrets import token_bytes
from typing import Any

import pytest
from tests.fixtures.postgres import PostgresServer
from tests.integration.arena_world import end_round, enrolled, open_round
from tests.integration.endpoint_world import URL, claim, pass_time, proven, registered, sealed, state

from coliseum.arena.calling.records import CallRecords
from coliseum.arena.entry.entrants import Entrants
from coliseum.arena.entry.records import EntryRecords
from coliseum.arena.forecasts import Track
from coliseum.arena.frozen_context import shown_hash
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.errors import Conflict, NotPermitted, OverLimit, SourceError
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


# ---------------------------------------------------------------- who is called


def test_an_endpoint_is_asked_for_its_proof_first_and_for_nothing_else(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords
) -> None:
    enrolled(records)
    open_round(records, ["A", "B"])
    made = registered(entrants, name="Pull")
    first = claim(calls)
    assert first.questions == ()
    (asked,) = first.challenges
    assert (asked.entrant_id, asked.endpoint, asked.secrets) == (made.entrant_id, URL, (made.signing_secret,))
    assert len(claim(calls)) == 0, "its challenge runs"
    assert calls.end_challenge(asked, problem=None)
    second = claim(calls)
    assert second.challenges == ()
    assert sorted(one.ticker for one in second.questions) == ["A", "B"]
    assert all(one.secrets == (made.signing_secret,) for one in second.questions)
    assert all(one.context_hash == shown_hash(one.context, Track.OPEN) for one in second.questions)


def test_agents_that_are_not_active_or_at_their_limit_are_not_called(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    open_round(records, ["A", "B", "C"])
    waiting = registered(entrants, name="Waiting", mode="invite")
    assert len(claim(calls)) == 0
    entrants.decide(waiting.entrant_id, status="active")
    assert len(claim(calls).challenges) == 1
    entrant, _ = proven(entrants, calls)
    entrants.decide(entrant, forecasts_per_day=1)
    (only,) = claim(calls).questions
    assert calls.answer(only, *sealed(only)) is None
    assert claim(calls).questions == ()
    entrants.decide(entrant, forecasts_per_day=100)
    assert len(claim(calls).questions) == 2
    entrants.decide(entrant, status="banned")
    pass_time(postgres_server, 100)
    assert claim(calls).questions == ()


def test_an_agent_that_only_waits_to_be_called_is_asked_by_new_rounds(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords
) -> None:
    enrolled(records)
    made = registered(entrants, name="Pull")
    assert records.playing_entrants() == frozenset()
    (asked,) = claim(calls).challenges
    calls.end_challenge(asked, problem=None)
    assert records.playing_entrants() == {made.entrant_id}


def test_an_answered_question_is_not_called_whoever_answered(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords
) -> None:
    enrolled(records)
    round_id = open_round(records, ["A", "B"])
    _, token = proven(entrants, calls)
    entrants.submit(entrants.authorize(token), f"{round_id}.A", probability=Decimal("0.3"), rationale="")
    (left,) = claim(calls).questions
    assert left.ticker == "B"
    assert calls.answer(left, *sealed(left)) is None
    assert len(claim(calls)) == 0


def test_rounds_that_are_over_or_nearly_over_are_not_asked(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    over = open_round(records, ["A"], ago=timedelta(seconds=60))
    end_round(postgres_server, over)
    open_round(records, ["B"], minutes=1 / 60)
    open_round(records, ["C"], ago=timedelta(minutes=5), exchange="replay")
    proven(entrants, calls)
    assert claim(calls).questions == ()


# ---------------------------------------------------------------- leases


def test_no_two_workers_get_one_question(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    open_round(records, [f"A{number}" for number in range(6)])
    for number in range(8):
        registered(entrants, name=f"Pull {number}")
    start = threading.Barrier(6)

    def take(_: int) -> list[Any]:
        start.wait()
        with closing(Store(postgres_server.url, postgres_server.secret_key)) as own:
            found: list[Any] = []
            for _ in range(4):
                claimed = CallRecords(own).claim(questions=5, challenges=3, each=6, call_seconds=30)
                for asked in claimed.challenges:
                    assert CallRecords(own).end_challenge(asked, problem=None)
                found += [("challenge", one.entrant_id) for one in claimed.challenges]
                found += [(one.question_id, one.entrant_id) for one in claimed.questions]
            return found

    with ThreadPoolExecutor(6) as pool:
        taken = [one for part in pool.map(take, range(6)) for one in part]
    assert len(taken) == len(set(taken))
    assert sum(kind == "challenge" for kind, _ in taken) == 8
    assert len(taken) > 30


def test_a_lost_lease_is_given_again_and_the_first_worker_stores_nothing(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    open_round(records)
    proven(entrants, calls)
    (lost,) = claim(calls).questions
    assert len(claim(calls)) == 0
    pass_time(postgres_server, 61)
    (again,) = claim(calls).questions
    assert (again.question_id, again.attempt) == (lost.question_id, lost.attempt + 1)
    assert calls.answer(lost, *sealed(lost)) == "lease"
    assert not calls.end(lost, "abstained")
    assert calls.answer(again, *sealed(again)) is None
    assert calls.answer(again, *sealed(again)) == "lease"
    assert len(records.forecasts()) == 1


def test_an_endpoint_has_two_calls_at_a_time_and_one_after_a_problem(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    open_round(records, ["A", "B", "C", "D"])
    proven(entrants, calls)
    first, second = claim(calls).questions
    assert len(claim(calls)) == 0
    assert calls.end(first, "unreachable", problem="no answer")
    assert calls.end(second, "unreachable", problem="no answer")
    assert len(claim(calls)) == 0, "it waits"
    pass_time(postgres_server, 31)
    (probe,) = claim(calls).questions
    assert probe.ticker in {"C", "D"}, "questions take turns"
    assert calls.answer(probe, *sealed(probe)) is None
    assert len(claim(calls).questions) == 2


def test_endpoints_with_problems_come_after_the_others(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    open_round(records, ["A", "B"])
    proven(entrants, calls, "Slow")
    for one in claim(calls).questions:
        calls.end(one, "unreachable", problem="no answer")
    good, _ = proven(entrants, calls, "Good")
    pass_time(postgres_server, 31)
    assert {one.entrant_id for one in claim(calls, questions=2).questions} == {good}


def test_everything_at_once_ends_in_no_deadlock_and_in_one_forecast_a_question(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    """Workers claim and report while agents change endpoints and send forecasts, and the operator bans and admits."""
    enrolled(records)
    round_id = open_round(records, [f"A{number}" for number in range(8)])
    agents = [proven(entrants, calls, f"Pull {number}") for number in range(3)]
    postgres_server.execute("update arena_entrants set requests_per_minute = 6000")
    refused: list[SourceError] = []

    def work(seed: int) -> None:
        chance = Random(seed)
        with closing(Store(postgres_server.url, postgres_server.secret_key)) as own:
            mine, door = CallRecords(own), Entrants(lambda: EntryRecords(own), random=token_bytes)
            for _ in range(25):
                agent = chance.choice(agents)
                with suppress(Conflict, NotPermitted, OverLimit):
                    try:
                        _one_step(chance, mine, door, agent, round_id)
                    except SourceError as error:
                        refused.append(error)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert refused == []
    stored = [one.forecast_id for one in records.forecasts()]
    assert len(stored) == len(set(stored)) > 0


def _one_step(chance: Random, calls: CallRecords, entrants: Entrants, agent: tuple[str, str], round_id: str) -> None:
    entrant, token = agent
    match chance.randrange(8):
        case 0:
            entrants.set_endpoint(entrants.authorize(token), URL)
        case 1:
            entrants.resume_endpoint(entrants.authorize(token))
        case 2:
            entrants.decide(entrant, status="banned")
            entrants.decide(entrant, status="active")
        case 3:
            question = f"{round_id}.A{chance.randrange(8)}"
            entrants.submit(entrants.authorize(token), question, probability=Decimal("0.3"), rationale="")
        case _:
            claimed = calls.claim(questions=4, challenges=2, each=4, call_seconds=30)
            for asked in claimed.challenges:
                calls.end_challenge(asked, problem=None)
            for one in claimed.questions:
                if chance.random() < 0.5:
                    calls.answer(one, *sealed(one))
                else:
                    calls.end(one, chance.choice(["abstained", "wrong", "unreachable"]), problem="why")


@pytest.mark.parametrize("column", ["seconds = 6", "problems = 1, problem_at = now() - interval '1 hour'"])
def test_many_slow_endpoints_leave_half_of_the_places_to_the_others(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer, column: str
) -> None:
    enrolled(records)
    open_round(records, ["A", "B"])
    for number in range(34):
        registered(entrants, name=f"Slow {number}")
    postgres_server.execute(f"update arena_endpoints set status = 'ready', proven_at = now(), {column}")  # noqa: S608
    quick, _ = proven(entrants, calls, "Quick")
    first = claim(calls, questions=64, each=1).questions
    assert len(first) == 33
    assert first.count(next(one for one in first if one.entrant_id == quick)) == 1
    assert claim(calls, questions=31, each=1).questions == (), "the slow ones have no more places"
    assert len(claim(calls, questions=31, each=2).questions) == 1, "the quick one has"


def test_the_time_of_an_answer_is_kept_and_shown(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    open_round(records, ["A", "B"])
    _, token = proven(entrants, calls)
    assert state(entrants, token)["seconds"] is None
    first, second = claim(calls).questions
    pass_time(postgres_server, 7)
    assert calls.answer(first, *sealed(first)) is None
    assert 7 <= state(entrants, token)["seconds"] < 60
    postgres_server.execute("update arena_calls set called_at = now()")
    assert calls.end(second, "abstained")
    assert state(entrants, token)["seconds"] < 7
