"""Leases of calls to endpoints, and the rule that stores what they answered, in the database itself."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta
from decimal import Decimal
from random import Random
from secrets import token_bytes, token_hex
from typing import Any

import psycopg
import pytest
from tests.fixtures.postgres import PostgresServer
from tests.integration.arena_world import answer, end_round, enrolled, now, open_round
from tests.integration.endpoint_world import URL, registered

from coliseum.arena import forecasts
from coliseum.arena.calling.records import CallRecords, ClaimedCalls, EndpointChallenge, QuestionCall
from coliseum.arena.entry.entrants import Entrants
from coliseum.arena.entry.records import EntryRecords
from coliseum.arena.entry.sealing import entrant_payload
from coliseum.arena.forecasts import Track
from coliseum.arena.frozen_context import shown_hash
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.errors import Conflict, NotPermitted, OverLimit, SourceError, SourceRefused
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


def claim(calls: CallRecords, *, questions: int = 64, challenges: int = 16, each: int = 2) -> ClaimedCalls:
    return calls.claim(questions=questions, challenges=challenges, each=each, call_seconds=30)


def proven(entrants: Entrants, calls: CallRecords, name: str = "Pull") -> tuple[str, str]:
    """(Entrant id, token) of an agent whose endpoint has given its proof."""
    made = registered(entrants, name=name)
    for asked in claim(calls, questions=0).challenges:
        assert calls.end_challenge(asked, problem=None)
    return made.entrant_id, made.token


def sealed(call: QuestionCall, **change: Any) -> tuple[dict[str, Any], str]:
    row: Mapping[str, Any] = {
        "round_id": call.round_id, "ticker": call.ticker, "context_hash": call.context_hash, **change
    }  # fmt: skip
    payload = entrant_payload(
        change.get("entrant_id", call.entrant_id),
        row,
        probability=Decimal("0.4"),
        rationale="",
        made_at=now(),
        nonce=token_bytes(16),
    )
    return payload, forecasts.seal(payload)


def state(entrants: Entrants, token: str) -> dict[str, Any]:
    found: dict[str, Any] = entrants.record(entrants.authorize(token))["endpoint_state"]
    return found


def pass_time(server: PostgresServer, seconds: int) -> None:
    """Let leases and waits be so many seconds older."""
    for column in ("next_call_at", "lease_until", "asked_at", "problem_at"):
        server.execute(f"update arena_endpoints set {column} = {column} - interval '{seconds} s'")  # noqa: S608
    for column in ("lease_until", "called_at"):
        server.execute(f"update arena_calls set {column} = {column} - interval '{seconds} s'")  # noqa: S608


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


# ---------------------------------------------------------------- outcomes


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


# ---------------------------------------------------------------- one rule for both ways


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


def test_a_new_address_has_a_new_secret_and_calls_to_the_old_one_store_nothing(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords
) -> None:
    enrolled(records)
    open_round(records, ["A"])
    _, token = proven(entrants, calls)
    (running,) = claim(calls).questions
    me = entrants.authorize(token)
    secret = entrants.set_endpoint(me, "https://other.example/")
    assert calls.answer(running, *sealed(running)) == "lease"
    (asked,) = claim(calls).challenges
    assert (asked.endpoint, asked.secrets) == ("https://other.example/", (secret,))
    entrants.remove_endpoint(me)
    assert not calls.end_challenge(asked, problem=None)
    assert len(claim(calls)) == 0
    with pytest.raises(Conflict, match="no endpoint"):
        entrants.rotate_endpoint_secret(me)


def test_a_challenge_to_the_old_address_proves_nothing_for_the_new_one(entrants: Entrants, calls: CallRecords) -> None:
    made = registered(entrants, name="Pull")
    (old,) = claim(calls).challenges
    entrants.set_endpoint(entrants.authorize(made.token), "https://victim.example/")
    assert not calls.end_challenge(old, problem=None)
    assert state(entrants, made.token)["status"] == "unproven"


@pytest.mark.parametrize("way", ["resume", "set"])
def test_a_repaired_endpoint_is_asked_again_what_it_had_failed(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer, way: str
) -> None:
    enrolled(records)
    open_round(records, ["A"])
    _, token = proven(entrants, calls)
    for _ in range(3):
        (one,) = claim(calls).questions
        calls.end(one, "wrong", problem="x" * 1000)
        pass_time(postgres_server, 1000)
    assert len(claim(calls)) == 0
    me = entrants.authorize(token)
    if way == "resume":
        entrants.resume_endpoint(me)
    else:
        entrants.set_endpoint(me, URL)
    (asked,) = claim(calls).challenges
    assert calls.end_challenge(asked, problem=None)
    assert (state(entrants, token)["problem"], state(entrants, token)["status"]) == (None, "ready")
    (again,) = claim(calls).questions
    assert calls.answer(again, *sealed(again)) is None


def test_an_endpoint_that_is_silent_for_a_week_is_not_asked_by_new_rounds(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    """Like an agent that sends its forecasts itself."""
    entrant, _ = proven(entrants, calls)
    assert records.playing_entrants() == {entrant}
    postgres_server.execute("update arena_endpoints set proven_at = now() - interval '7 days'")
    assert records.playing_entrants() == frozenset()


def test_a_rotated_secret_signs_beside_the_old_one_for_a_day(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    open_round(records, ["A", "B"])
    _, token = proven(entrants, calls)
    (old,) = {one.secrets for one in claim(calls, questions=1).questions}
    secret = entrants.rotate_endpoint_secret(entrants.authorize(token))
    assert {one.secrets for one in claim(calls).questions} == {(secret, *old)}
    postgres_server.execute("update arena_endpoints set previous_until = now()")
    pass_time(postgres_server, 61)
    assert {one.secrets for one in claim(calls).questions} == {(secret,)}


def test_an_agent_changes_its_endpoint_at_most_ten_times_a_day(
    entrants: Entrants, postgres_server: PostgresServer
) -> None:
    """Each change is followed by a request to an address of its choice."""
    made = registered(entrants, name="Pull", endpoint=None)
    assert made.signing_secret is None
    me = entrants.authorize(made.token)
    for number in range(10):
        entrants.set_endpoint(me, f"https://victim{number}.example/")
    for change in (
        lambda: entrants.set_endpoint(me, URL),
        lambda: entrants.resume_endpoint(me),
        lambda: entrants.rotate_endpoint_secret(me),
        lambda: entrants.remove_endpoint(me),
    ):
        with pytest.raises(OverLimit, match="ten times"):
            change()
    postgres_server.execute("update arena_entrants set endpoint_changes_at = now() - interval '1 day'")
    entrants.set_endpoint(me, URL)


def test_no_role_reads_secrets_and_only_the_service_role_claims(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    del calls
    enrolled(records)
    open_round(records)
    answer(records, open_round(records, ago=timedelta(minutes=2)))
    registered(entrants, name="Pull")
    for key in (postgres_server.publishable_key, postgres_server.secret_key):
        with closing(Store(postgres_server.url, key)) as door:
            for table in ("arena_endpoints", "arena_calls"):
                with pytest.raises(SourceRefused):
                    door.select(table, "*", order=("entrant_id",))
    with closing(Store(postgres_server.url, postgres_server.publishable_key)) as door, pytest.raises(SourceRefused):
        CallRecords(door).claim(questions=1, challenges=1, each=1, call_seconds=30)
    with psycopg.connect(postgres_server.dsn) as connection:
        inner = connection.execute(
            "select proname from pg_proc where proname in ('arena_seal_entrant_forecast', 'arena_endpoint_state',"
            " 'arena_count_endpoint_change', 'arena_note_endpoint_problem')"
            " and (has_function_privilege('service_role', oid, 'execute')"
            " or has_function_privilege('anon', oid, 'execute'))"
        ).fetchall()
    assert inner == []


def test_old_calls_are_forgotten(
    entrants: Entrants, calls: CallRecords, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    open_round(records)
    proven(entrants, calls)
    assert len(claim(calls).questions) == 1
    assert calls.forget() == 0
    postgres_server.execute("update arena_calls set called_at = now() - interval '31 days'")
    assert calls.forget() == 1


def test_a_claimed_call_shows_no_secret_in_a_log() -> None:
    asked = EndpointChallenge(entrant_id="e-x", endpoint=URL, lease=1, secrets=("whsec_secret",))
    assert "whsec" not in repr(asked)
