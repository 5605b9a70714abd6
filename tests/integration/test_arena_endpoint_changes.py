"""Endpoints that are replaced, repaired or removed, their secrets, and who may see them, in the database itself."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from secrets import token_bytes

import psycopg
import pytest
from tests.fixtures.postgres import PostgresServer
from tests.integration.arena_world import answer, enrolled, open_round
from tests.integration.endpoint_world import URL, claim, pass_time, proven, registered, sealed, state

from coliseum.arena.calling.records import CallRecords, EndpointChallenge
from coliseum.arena.entry.entrants import Entrants
from coliseum.arena.entry.records import EntryRecords
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.errors import Conflict, OverLimit, SourceRefused
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
