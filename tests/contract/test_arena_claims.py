"""Registered claims over HTTP and in the database: who may register one, and that nobody can change one."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import httpx
import psycopg
import pytest
from functions.arena.app import build
from pydantic import SecretStr
from starlette.testclient import TestClient
from tests.contract import arena_world
from tests.contract.arena_world import World
from tests.contract.rest_world import API, check, client_of, settings_of
from tests.fixtures.postgres import PostgresServer

from coliseum.arena.claims import chain_after, claim_of_text, registered_claim
from coliseum.arena.forecasts import Track
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.store.client import Store

ARENA = f"{API}/arena"
TOKEN = "an-operators-token-0123"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def world(postgres_server: PostgresServer) -> World:
    return arena_world.build_alone(postgres_server)


@pytest.fixture(scope="module")
def client(postgres_server: PostgresServer) -> Iterator[TestClient]:
    with client_of(build(settings_of(postgres=postgres_server, admin_token=SecretStr(TOKEN)))) as client:
        yield client


@pytest.fixture(scope="module")
def records(postgres_server: PostgresServer) -> Iterator[ArenaRecords]:
    store = Store(postgres_server.url, postgres_server.secret_key)
    yield ArenaRecords(store)
    store.close()


def claim(world: World, about: str, **changes: Any) -> dict[str, Any]:
    return {
        "agent": "sharp",
        "direction": "above",
        "population": {"season": world.season, "track": "blind"},
        "stopping": {"rule": "every_look"},
        "text": about,
        **changes,
    }


def register(client: TestClient, body: dict[str, Any]) -> dict[str, Any]:
    response = client.post(f"{ARENA}/claims", headers=HEADERS, json=body)
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def shown(client: TestClient, claim_id: str) -> dict[str, Any]:
    body: dict[str, Any] = client.get(f"{ARENA}/claims/{claim_id}").json()
    check("/arena/claims/{claim_id}", 200, body)
    return body


def test_a_claim_is_sealed_dated_by_the_database_and_public_at_once(client: TestClient, world: World) -> None:
    before = datetime.now(UTC)
    made = register(client, claim(world, "it reads the weather"))
    body = shown(client, made["claim_id"])

    assert made["new"] is True
    assert body["seal"] == made["seal"] == hashlib.sha256(body["claim"].encode()).hexdigest()
    assert before - timedelta(minutes=1) < datetime.fromisoformat(body["registered_at"]) < before + timedelta(minutes=1)
    assert (body["verdict"], body["final"], body["digest"]) == ("unresolved", False, None)
    assert body["reason"] == "no leaderboard was made since the registration"
    assert body["statement"] == "sharp is better than the market"


def test_what_is_shown_is_a_file_for_the_command_line(client: TestClient, world: World) -> None:
    body = shown(client, register(client, claim(world, "a file"))["claim_id"])
    told, registered_at = registered_claim(body["document"])
    assert (told, told.seal) == (claim_of_text(body["claim"]), body["seal"])
    assert registered_at == datetime.fromisoformat(body["registered_at"])


def test_the_same_claim_again_changes_nothing(client: TestClient, world: World) -> None:
    first = register(client, claim(world, "twice"))
    before = shown(client, first["claim_id"])
    again = register(client, claim(world, "twice", threshold=0, against="market", metric="skill"))
    after = shown(client, first["claim_id"])
    assert (again["claim_id"], again["new"]) == (first["claim_id"], False)
    assert (after["registered_at"], after["chain"]) == (before["registered_at"], before["chain"])


def test_the_chain_shows_that_no_claim_was_changed_removed_or_added(client: TestClient, world: World) -> None:
    for number in range(3):
        register(client, claim(world, f"link {number}"))
    items = client.get(f"{ARENA}/claims", params={"limit": 1000}).json()
    check("/arena/claims", 200, items)
    previous = "0" * 64
    for place, item in enumerate(reversed(items["items"])):
        assert (item["number"], item["previous"]) == (place + 1, previous)
        sealed = hashlib.sha256(item["claim"].encode()).hexdigest()
        previous = chain_after(previous, sealed, datetime.fromisoformat(item["document"]["registered_at"]))
        assert item["chain"] == previous


def test_claims_are_filtered_paged_and_exported(client: TestClient, world: World) -> None:
    mine = register(client, claim(world, "about uniform", agent="uniform", direction="below"))
    listed = client.get(f"{ARENA}/claims", params={"agent": "uniform"}).json()
    first = client.get(f"{ARENA}/claims", params={"limit": 1}).json()
    following = client.get(f"{ARENA}/claims", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    rows = list(csv.DictReader(io.StringIO(client.get(f"{ARENA}/exports/claims.csv").text)))

    assert [item["claim_id"] for item in listed["items"]] == [mine["claim_id"]]
    assert first["items"][0]["number"] == following["items"][0]["number"] + 1
    assert mine["claim_id"] in {row["claim_id"] for row in rows}
    sealed = next(row for row in rows if row["claim_id"] == mine["claim_id"])
    assert hashlib.sha256(sealed["claim"].encode()).hexdigest() == sealed["seal"]


def test_the_number_of_claims_about_an_agent_is_shown(client: TestClient, world: World) -> None:
    made = [register(client, claim(world, text, direction="below")) for text in ("one of many", "another of many")]
    body = shown(client, made[-1]["claim_id"])
    listed = client.get(f"{ARENA}/claims", params={"agent": "sharp", "limit": 1000}).json()
    assert body["registered"] == listed["count"] >= 2


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
def test_only_the_operator_registers(client: TestClient, world: World, headers: dict[str, str]) -> None:
    assert client.post(f"{ARENA}/claims", headers=headers, json=claim(world, "x")).status_code == 401


def test_without_a_configured_token_there_is_no_such_route(postgres_server: PostgresServer, world: World) -> None:
    with client_of(build(settings_of(postgres=postgres_server))) as client:
        response = client.post(f"{ARENA}/claims", headers=HEADERS, json=claim(world, "x"))
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"agent": "nobody"}, 404, "nobody"),
        ({"against": "nobody"}, 404, "nobody"),
        ({"against": "sharp"}, 400, "against"),
        ({"against": "modest"}, 400, "track"),
        ({"metric": "brier"}, 422, "metric"),
        ({"direction": "up"}, 422, "direction"),
        ({"threshold": 1}, 422, "threshold"),
        ({"text": ""}, 422, "text"),
        ({"text": "two\nlines"}, 400, "text"),
        ({"colour": "red"}, 422, "colour"),
        ({"registered_at": "2020-01-01T00:00:00Z"}, 422, "registered_at"),
        ({"population": {"season": "2020Q1", "track": "blind"}}, 400, "season"),
        ({"population": {"season": "2026Q5", "track": "blind"}}, 422, "season"),
        ({"population": {"track": "blind"}}, 422, "season"),
        ({"stopping": {"rule": "date", "at": "2020-01-01T00:00:00Z"}}, 400, "at"),
        ({"stopping": {"rule": "date"}}, 400, "at"),
        ({"threshold": "0.5"}, 422, "threshold"),
        ({"threshold": False}, 422, "threshold"),
        ({"stopping": {"rule": "clusters", "count": "50"}}, 422, "count"),
        ({"stopping": {"rule": "clusters", "count": 50.0}}, 422, "count"),
        ({"stopping": {"rule": "date", "at": 4102444800}}, 422, "at"),
        ({"stopping": {"rule": "date", "at": "4102444800000"}}, 422, "at"),
        ({"stopping": {"rule": "date", "at": "2100-01-01T00:00:00"}}, 422, "zone"),
        ({"stopping": {"rule": "date", "at": "2100-01-01T00:00:00Z"}}, 400, "last leaderboards"),
        ({"stopping": {"rule": "clusters"}}, 400, "count"),
        ({"stopping": {"rule": "clusters", "count": 5}}, 422, "count"),
        ({"stopping": {"rule": "every_look", "count": 50}}, 400, "count"),
        ({"stopping": {"rule": "sometime"}}, 422, "rule"),
    ],
)
def test_a_claim_that_cannot_be_decided_is_refused(
    client: TestClient, world: World, changes: dict[str, Any], status: int, word: str
) -> None:
    response = client.post(f"{ARENA}/claims", headers=HEADERS, json=claim(world, "refused", **changes))
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    assert word in response.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"direction"', '"direction": "below", "direction"'),
        ('"direction"', '"dir\\u0065ction": "below", "direction"'),
        ('"rule"', '"rule": "every_look", "rule"'),
        ('"track"', '"track": "blind", "track"'),
        ('"above"', "NaN"),
    ],
)
def test_a_body_that_two_readers_could_read_in_two_ways_is_refused(
    client: TestClient, world: World, old: str, new: str
) -> None:
    body = json.dumps(claim(world, "two ways")).replace(old, new, 1)
    headers = {**HEADERS, "Content-Type": "application/json"}
    response = client.post(f"{ARENA}/claims", headers=headers, content=body)
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
    assert client.get(f"{ARENA}/claims", params={"limit": 1000}).text.count("two ways") == 0


def test_a_slice_that_can_change_after_the_forecast_is_refused(client: TestClient, world: World) -> None:
    population = {"season": world.season, "track": "blind", "slice": "liquidity:low"}
    response = client.post(f"{ARENA}/claims", headers=HEADERS, json=claim(world, "x", population=population))
    assert (response.status_code, "category:" in response.json()["detail"]) == (400, True)


def test_the_database_refuses_what_its_own_clock_finds_too_late(records: ArenaRecords, world: World) -> None:
    late = json.dumps({**claim(world, "late"), "population": {"season": "2020Q1", "track": "blind"}})
    with pytest.raises(Exception, match="season 2020Q1 is over"):
        records.store.rpc("arena_register_claim", {"p_claim": late})
    past = json.dumps({**claim(world, "past"), "stopping": {"rule": "date", "at": "2020-01-01T00:00:00Z"}})
    with pytest.raises(Exception, match="is not after the registration"):
        records.store.rpc("arena_register_claim", {"p_claim": past})


CHANGES = [
    "update arena_claims set claim = claim",
    "update arena_claims set registered_at = registered_at - interval '1 day'",
    "delete from arena_claims",
    "truncate arena_claims cascade",
    "update arena_claim_looks set verdict = 'supported'",
    "delete from arena_claim_looks",
    "truncate arena_claim_looks",
]


@pytest.fixture
def look(client: TestClient, world: World, records: ArenaRecords) -> dict[str, Any]:
    """A claim with its final look."""
    made = register(client, claim(world, f"decided {datetime.now(UTC).isoformat()}"))
    row = {"claim_id": made["claim_id"], "digest": world.digest, "verdict": "refuted", "final": True,
           "reason": "so it is", "numbers": {"clusters": 12}}  # fmt: skip
    assert records.save_claim_looks([row]) == (made["claim_id"],)
    return row


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("role", ["postgres", "service_role", "anon", "authenticated"])
def test_no_role_changes_a_claim_or_a_look(
    postgres_server: PostgresServer, look: dict[str, Any], client: TestClient, role: str, change: str
) -> None:
    before = shown(client, look["claim_id"])
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        if role != "postgres":
            connection.execute(f"set role {role}".encode())
        with pytest.raises((psycopg.errors.RestrictViolation, psycopg.errors.InsufficientPrivilege)):
            connection.execute(change.encode())
    after = shown(client, look["claim_id"])
    assert {**after, "as_of": None, "registered": None} == {**before, "as_of": None, "registered": None}


def rows_of(postgres_server: PostgresServer) -> tuple[list[Any], list[Any]]:
    """Both tables."""
    with psycopg.connect(postgres_server.dsn) as connection:
        claims = connection.execute("select * from arena_claims order by number").fetchall()
        looks = connection.execute("select * from arena_claim_looks order by claim_id, digest").fetchall()
    return claims, looks


@pytest.mark.parametrize("key", ["secret_key", "publishable_key"])
@pytest.mark.parametrize(
    ("method", "table"),
    list(product(("PATCH", "DELETE", "POST"), ("arena_claims", "arena_claim_looks", "public_arena_claims"))),
)
def test_no_key_writes_claims_through_the_data_api(
    postgres_server: PostgresServer, look: dict[str, Any], key: str, table: str, method: str
) -> None:
    headers = {"apikey": getattr(postgres_server, key), "authorization": f"Bearer {getattr(postgres_server, key)}"}
    before = rows_of(postgres_server)
    chosen = "" if method == "POST" else f"?claim_id=eq.{look['claim_id']}"
    body = None if method == "DELETE" else {"claim_id": look["claim_id"]}
    answer = httpx.request(method, f"{postgres_server.url}/rest/v1/{table}{chosen}", headers=headers, json=body)
    assert answer.status_code >= 400
    assert answer.json()["code"] in {"42501", "55000"}  # no privilege, or a view that cannot be written
    assert rows_of(postgres_server) == before


def test_no_http_method_but_post_and_get_knows_claims(client: TestClient, look: dict[str, Any]) -> None:
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        response = client.request(method, f"{ARENA}/claims/{look['claim_id']}", headers=HEADERS, json={})
        assert response.status_code in {404, 405}


def test_nothing_follows_a_verdict(
    client: TestClient, records: ArenaRecords, look: dict[str, Any], world: World
) -> None:
    other = {**look, "verdict": "supported"}
    assert records.save_claim_looks([other]) == ()
    body = shown(client, look["claim_id"])
    assert (body["verdict"], body["final"], body["digest"]) == ("refuted", True, world.digest)


def test_an_insert_by_the_owner_cannot_date_a_claim_or_follow_a_verdict(
    postgres_server: PostgresServer, look: dict[str, Any], client: TestClient, world: World
) -> None:
    text = json.dumps(claim(world, "dated back"), sort_keys=True, separators=(",", ":"))
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        row = connection.execute(
            "insert into arena_claims (claim, registered_at, number, chain) values (%s, '2020-01-01', 1, 'x')"
            " returning registered_at > now() - interval '1 minute', number > 1",
            (text,),
        ).fetchone()
        assert row == (True, True)
        with pytest.raises(psycopg.errors.RestrictViolation, match="has its verdict"):
            connection.execute(
                "insert into arena_claim_looks select claim_id, repeat('0', 64), 'supported', false, 'x', '{}', now()"
                " from arena_claim_looks where claim_id = %s",
                (look["claim_id"],),
            )


def test_a_single_look_is_not_final_before_its_date(client: TestClient, records: ArenaRecords, world: World) -> None:
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    made = register(client, claim(world, "one day", stopping={"rule": "date", "at": at}))
    row = {"claim_id": made["claim_id"], "digest": world.digest, "verdict": "supported", "final": True,
           "reason": "too soon", "numbers": {}}  # fmt: skip
    with pytest.raises(Exception, match="is not decided before"):
        records.save_claim_looks([row])


def test_only_events_that_are_first_asked_after_the_registration_count(
    client: TestClient, records: ArenaRecords, world: World
) -> None:
    made = register(client, claim(world, "only later events"))
    (open_claim,) = [one for one in records.open_claims(world.season, Track.BLIND)
                     if one.claim_id == made["claim_id"]]  # fmt: skip
    assert records.claim_events(open_claim) == frozenset()


def test_a_standing_shows_the_claims_that_were_registered_when_its_leaderboard_was_made(
    client: TestClient, look: dict[str, Any], world: World, postgres_server: PostgresServer
) -> None:
    def claims() -> set[str]:
        body = client.get(f"{ARENA}/leaderboard", params={"track": "blind"}).json()
        check("/arena/leaderboard", 200, body)
        (mine,) = [item for item in body["items"] if item["agent_id"] == "sharp"]
        return {item["claim_id"] for item in mine["claims"]}

    assert look["claim_id"] not in claims()
    postgres_server.execute(
        "set session_replication_role = replica; update arena_reports set known_at = now() + interval '1 second'"
    )
    assert look["claim_id"] in claims()
