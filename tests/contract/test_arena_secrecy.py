"""No route or view shows the secrets of an open round, and bad input is refused."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psycopg
import pytest
from fastapi.routing import APIRoute
from functions.arena.app import ROUTERS, build
from starlette.testclient import TestClient
from tests.contract import arena_world
from tests.contract.arena_world import SECRET, SECRET_REASONS, World
from tests.contract.rest_world import API, check, client_of, settings_of
from tests.fixtures.postgres import PostgresServer

from coliseum.arena.api.exports.tables import SHAPES

ARENA = f"{API}/arena"


@pytest.fixture(scope="module")
def world(postgres_server: PostgresServer) -> World:
    return arena_world.build_alone(postgres_server)


@pytest.fixture(scope="module")
def client(postgres_server: PostgresServer) -> Iterator[TestClient]:
    with client_of(build(settings_of(postgres=postgres_server))) as client:
        yield client


@pytest.fixture(scope="module")
def secrets(world: World, postgres_server: PostgresServer) -> set[bytes]:
    """The forecasts of the open round, and every number of the trades that follow from them."""
    forecasts = {str(SECRET).encode(), SECRET_REASONS.encode()}
    with psycopg.connect(postgres_server.dsn) as connection:
        rows = connection.execute(_NUMBERS, {"open": world.open}).fetchall()
    numbers = {row[0].encode() for row in rows}
    assert len(numbers) >= 4, "the open round was traded"
    return forecasts | numbers


_NUMBERS = """
    select abs(cash)::text from arena_ledger where round_id = %(open)s and length(abs(cash)::text) > 4
    union select b.cash::text from arena_books b join arena_ledger l using (account_id) where l.round_id = %(open)s
    union select trim_scale(m.equity)::text from arena_marks m join arena_ledger l using (account_id)
      where l.round_id = %(open)s and m.at >= date_trunc('minute', l.at)
    except select abs(cash)::text from arena_ledger where round_id <> %(open)s
"""


def paths(world: World) -> list[str]:
    """Every GET route of the arena, with the ids of the open round where it has ids."""
    round_id, ticker, agent, track = world.secret_id.split("/")
    known = {
        "{agent_id}": agent, "{round_id}": round_id, "{ticker}": ticker, "{track}": track, "{seal}": "0" * 64,
        "{claim_id}": "0" * 16, "{season}": world.season, "{day}": world.made_at.date().isoformat(),
        "{entrant_id}": "e-nobody", "{question_id}": f"{round_id}.{ticker}",
    }  # fmt: skip
    found: list[str] = []
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            if "GET" in (route.methods or ()):
                path = route.path
                for name, value in known.items():
                    path = path.replace(name, value)
                policies = ["flat", "quarter_kelly", "self_sized"] if "{policy}" in path else [""]
                names = list(SHAPES) if "{name}" in path else [""]
                found += [
                    path.replace("{policy}", policy).replace("{name}", name).replace("{form}", form)
                    for policy in policies
                    for name in names
                    for form in (["csv", "jsonl"] if "{form}" in path else [""])
                ]
    return found


def test_no_route_shows_the_forecasts_of_an_open_round(client: TestClient, world: World, secrets: set[bytes]) -> None:
    routes = paths(world)
    assert len(routes) > 30
    for path in routes:
        assert "{" not in path
        response = client.get(path)
        assert response.status_code in ({400} if path.endswith(".parquet") else {200, 404}), (path, response.text)
        assert [secret for secret in secrets if secret in response.content] == [], path


def test_the_search_for_secrets_finds_public_forecasts(client: TestClient, world: World, secrets: set[bytes]) -> None:
    """The same search finds the forecasts of a closed round."""
    body = client.get(f"{ARENA}/forecasts/{world.forecast_id}").content
    assert arena_world.REASONS.encode() in body
    assert b"0.91" in body


def test_the_publishable_key_reads_no_secrets(
    world: World, postgres_server: PostgresServer, secrets: set[bytes]
) -> None:
    key = postgres_server.publishable_key
    with psycopg.connect(postgres_server.dsn) as connection:
        views = [
            row[0]
            for row in connection.execute(
                "select table_name from information_schema.role_table_grants where grantee = 'anon'"
                " and table_name like 'public_arena_%'"
            ).fetchall()
        ]
    assert len(views) > 12
    for view in views:
        answer = httpx.get(f"{postgres_server.url}/rest/v1/{view}", headers={"apikey": key}, params={"limit": "1000"})
        assert answer.status_code == 200, view
        assert [secret for secret in secrets if secret in answer.content] == [], view


def test_only_the_seal_of_a_forecast_in_an_open_round_is_public(client: TestClient, world: World) -> None:
    body = client.get(f"{ARENA}/forecasts/{world.secret_id}").json()
    check("/arena/forecasts/{seal}", 200, body)
    assert len(body["seal"]) == 64
    secret_fields = ("probability", "low", "high", "abstain", "payload", "result")
    assert ([body[name] for name in secret_fields], body["attempts"], body["opened"]) == ([None] * 6, [], False)


def test_a_public_ledger_ends_before_the_first_trade_of_an_open_round(client: TestClient, world: World) -> None:
    rows = client.get(f"{ARENA}/accounts/{world.account}/ledger?limit=1000").json()["items"]
    account = client.get(f"{ARENA}/accounts/{world.account}").json()
    assert world.open not in {row["round_id"] for row in rows}
    assert world.secret_ticker not in {one["ticker"] for one in account["positions"]}
    assert account["entries"] == len(rows)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/agents?limit=0", 422),
        ("/agents?limit=1001", 422),
        ("/agents?status=dead", 422),
        ("/agents?cursor=garbage", 400),
        ("/agents/nobody", 404),
        ("/agents/NOBODY", 422),
        ("/agents/a%0d%0ab", 422),
        ("/rounds/none", 404),
        ("/rounds?season=2026", 422),
        ("/rounds?status=maybe", 422),
        ("/rounds/none/markets/NONE", 404),
        ("/forecasts?track=deaf", 422),
        ("/forecasts?agent=%27%3B--", 422),
        ("/forecasts?round=a/b", 422),
        ("/forecasts/" + "0" * 64, 404),
        ("/forecasts/" + "0" * 64 + "/proof", 404),
        ("/forecasts/abc", 422),
        ("/forecasts/r/T/a/blind", 404),
        ("/forecasts/r/T/a/deaf/proof", 422),
        ("/seals/yesterday", 422),
        ("/seals/2026-13-01", 422),
        ("/leaderboard?metric=profit", 400),
        ("/leaderboard?metric=Profit", 422),
        ("/leaderboard?slice=category:None", 400),
        ("/leaderboard?slice=", 422),
        ("/leaderboard?track=both", 422),
        ("/leaderboard?as_of=yesterday", 400),
        ("/leaderboard?known_at=2026-11-21", 400),
        ("/leaderboard?season=Q4", 422),
        ("/calibration?slice=none", 400),
        ("/evidence?as_of=-1", 400),
        ("/accounts/2026Q4/nobody/flat", 404),
        ("/accounts/2026Q4/nobody/flat/ledger", 404),
        ("/accounts/2026Q4/sharp/greedy", 422),
        ("/accounts/2026/sharp/flat", 422),
        ("/accounts?policy=greedy", 422),
        ("/attribution?season=now", 422),
        ("/exports/secrets.csv", 422),
        ("/exports/ledger.xlsx", 422),
        ("/exports/ledger.csv?cursor=x", 400),
        ("/nothing", 404),
    ],
)
def test_bad_input_is_a_problem(client: TestClient, world: World, path: str, status: int) -> None:
    response = client.get(ARENA + path)
    assert (response.status_code, response.json()["status"]) == (status, status), response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_a_cursor_is_valid_only_for_its_own_list_and_filters(client: TestClient, world: World) -> None:
    cursor = client.get(f"{ARENA}/forecasts?limit=1").json()["next_cursor"]
    assert client.get(f"{ARENA}/forecasts?limit=1&cursor={cursor}").status_code == 200
    assert client.get(f"{ARENA}/forecasts?limit=1&agent=sharp&cursor={cursor}").status_code == 400
    assert client.get(f"{ARENA}/rounds?cursor={cursor}").status_code == 400


def test_without_a_database_every_read_is_a_problem_that_names_it(world: World) -> None:
    with client_of(build(settings_of())) as client:
        response = client.get(f"{ARENA}/leaderboard")
        assert (response.status_code, response.json()["source"]) == (503, "postgres")
        assert response.headers["retry-after"] == "5"
    with client_of(build(settings_of(supabase_url=None))) as client:
        response = client.get(f"{ARENA}/agents")
        assert (response.status_code, response.json()["variable"]) == (503, "SUPABASE_URL")
