"""Every list route refuses bad input and is in a table that says who answers when a source is down.

The list routes come from the published OpenAPI document, so a new one cannot be forgotten: the last two tests name the
table that it is missing from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from functions.arena.app import build as build_arena
from functions.markets.app import build as build_markets
from functions.portfolio.app import build as build_portfolio
from starlette.testclient import TestClient
from tests.contract import arena_world
from tests.contract.arena_world import World
from tests.contract.rest_world import API, DOCUMENT, check, client_of, settings_of
from tests.contract.test_rest_fallbacks import CHAINS
from tests.fixtures.postgres import PostgresServer

_ENVELOPE = {"items", "count", "next_cursor", "source", "as_of", "stale"}
_OTHERS = {"stream", "arena entry", "arena operation"}
_DAY = {"day": "2026-11-21"}


def list_routes() -> dict[str, dict[str, Any]]:
    """Path template → operation, for every GET whose answer is the list envelope.

    The lists of the stream function have no shared parameters; tests/functions/test_stream.py tests them. Those for
    outside agents and the operator need a token; tests/contract/test_arena_entry.py tests them.
    """
    routes = {}
    for path, operations in DOCUMENT["paths"].items():
        answer = operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        reference = answer.get("application/json", {}).get("schema", {}).get("$ref", "")
        schema = DOCUMENT["components"]["schemas"].get(reference.rpartition("/")[2], {})
        if schema.get("properties", {}).keys() >= _ENVELOPE and not _OTHERS & set(operations["get"]["tags"]):
            routes[path.removeprefix(API)] = operations["get"]
    return routes


LISTS = list_routes()

# Query parameter → values that every list route with that parameter refuses, each with its HTTP status.
BAD_INPUTS: dict[str, list[tuple[str, int]]] = {
    "limit": [("0", 422), ("-1", 422), ("1001", 422), ("1000000000", 422), ("abc", 422)],
    "cursor": [("garbage", 400), ("%00%ff", 400), ("x" * 5000, 422)],
    "ticker": [("A%0d%0aB", 422)],
    "since": [("garbage", 400), ("99999999999999", 400)],
    "until": [("garbage", 400)],
    "as_of": [("yesterday", 400), ("-1", 400)],
    "known_at": [("2026-11-21", 400)],
    "format": [("xml", 422)],
    "by": [("month", 422), ("", 422)],
    "tz": [("Nowhere", 400), ("..%2FUTC", 400), ("x" * 65, 422)],
    "points": [("3", 422), ("2001", 422), ("x", 422)],
    "status": [("maybe", 422)],
    "category": [("", 422)],
    "period": [("2h", 422)],
    "season": [("2026", 422)],
    "agent": [("%27%3B--", 422)],
    "round": [("a/b", 422)],
    "track": [("deaf", 422)],
    "metric": [("Profit", 422)],
    "slice": [("", 422)],
    "policy": [("greedy", 422)],
    "action": [("maybe", 422)],
    "verdict": [("maybe", 422)],
    "rule": [("no_such_rule", 422), ("", 422)],
}
# Lists of the arena: Postgres answers or nothing does.
POSTGRES_ONLY = frozenset(
    {
        "/arena/agents",
        "/arena/rounds",
        "/arena/markets",
        "/arena/forecasts",
        "/arena/seals/{day}",
        "/arena/leaderboard",
        "/arena/calibration",
        "/arena/separability",
        "/arena/evidence",
        "/arena/accounts",
        "/arena/accounts/{season}/{agent_id}/{policy}/ledger",
        "/arena/accounts/{season}/{agent_id}/{policy}/curve",
        "/arena/accounts/{season}/{agent_id}/{policy}/decisions",
        "/arena/attribution",
        "/arena/claims",
        "/arena/sources",
    }
)


def query_parameters(route: str) -> list[str]:
    return [one["name"] for one in LISTS[route].get("parameters", []) if one["in"] == "query"]


@pytest.fixture(scope="module")
def world(postgres_server: PostgresServer) -> World:
    return arena_world.build_alone(postgres_server)


@pytest.fixture(scope="module")
def clients(postgres_server: PostgresServer, world: World) -> Iterator[dict[str, TestClient]]:
    """One client per function, by the first part of its paths. Only Postgres is up."""
    settings = settings_of(postgres=postgres_server)
    with (
        client_of(build_portfolio(settings)) as portfolio,
        client_of(build_markets(settings)) as markets,
        client_of(build_arena(settings)) as arena,
    ):
        yield {"portfolio": portfolio, "markets": markets, "arena": arena, "alerts": portfolio}


def path_of(route: str, world: World) -> str:
    season, agent_id, policy = world.account.split("/")
    return API + route.format(ticker="KXA-1", season=season, agent_id=agent_id, policy=policy, **_DAY)


@pytest.mark.parametrize(
    ("route", "query", "status"),
    [
        (route, f"{name}={value}", status)
        for route in LISTS
        for name in query_parameters(route)
        for value, status in BAD_INPUTS.get(name, [])
    ],
)
def test_a_list_refuses_bad_input_and_names_the_parameter(
    route: str, query: str, status: int, clients: dict[str, TestClient], world: World
) -> None:
    response = clients[route.split("/")[1]].get(f"{path_of(route, world)}?{query}")
    body = response.json()
    check(route, response.status_code, body)
    assert response.status_code == status, body
    assert body["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("route", sorted(POSTGRES_ONLY))
def test_a_list_of_the_arena_comes_from_postgres(route: str, clients: dict[str, TestClient], world: World) -> None:
    response = clients["arena"].get(path_of(route, world))
    check(route, 200, response.json())
    assert (response.json()["source"], response.json()["stale"]) == ("postgres", False)


def test_no_list_of_the_arena_answers_without_postgres(world: World) -> None:
    with client_of(build_arena(settings_of())) as arena:
        answers = {route: arena.get(path_of(route, world)) for route in sorted(POSTGRES_ONLY)}
    assert {(answer.status_code, answer.json()["source"]) for answer in answers.values()} == {(503, "postgres")}


def test_every_list_route_is_in_a_table_of_fallbacks() -> None:
    missing = set(LISTS) - set(CHAINS) - POSTGRES_ONLY
    assert not missing, (
        f"add {sorted(missing)} to CHAINS in tests/contract/test_rest_fallbacks.py"
        " (or to POSTGRES_ONLY in tests/contract/test_rest_lists.py where nothing stands in for Postgres)"
    )
    assert not POSTGRES_ONLY - set(LISTS), "POSTGRES_ONLY names a route that does not exist"


def test_every_parameter_of_a_list_route_is_in_the_table_of_bad_inputs() -> None:
    missing = {name for route in LISTS for name in query_parameters(route)} - set(BAD_INPUTS)
    assert not missing, f"add {sorted(missing)} to BAD_INPUTS in tests/contract/test_rest_lists.py"
