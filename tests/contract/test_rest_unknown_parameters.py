"""Every route of every app refuses a query parameter that it does not know.

The routes come from the apps themselves, also those that no document shows, so a new route cannot be forgotten.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from functions.arena.app import build as build_arena
from functions.markets.app import build as build_markets
from functions.portfolio.app import build as build_portfolio
from pydantic import SecretStr
from starlette.testclient import TestClient
from tests.contract.rest_world import API, client_of, settings_of

from coliseum.config import Settings
from coliseum.http.stream_paths import PATHS
from coliseum.streaming.app import StreamApp, create_app
from coliseum.streaming.subscription import POLL_PARAMETERS, STREAM_PARAMETERS

TOKEN = "the-operators-own-token"
BUILDERS: dict[str, Callable[[Settings], FastAPI]] = {
    "portfolio": build_portfolio,
    "markets": build_markets,
    "arena": build_arena,
}
VALUES = {"ticker": "KXA-1", "day": "2026-11-21", "season": "2026Q4", "agent_id": "market", "order": "pause"}


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of everything that the app serves."""
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            path = re.sub(r"\{(\w+)\}", lambda found: VALUES.get(found[1], "x"), route.path or "")
            yield method, path


def table() -> list[tuple[str, str, str]]:
    rows = []
    for name, build in BUILDERS.items():
        app = build(settings_of())
        rows += [(name, method, path) for method, path in routes_of(app)]
        app.state.resources.close()
    return sorted(set(rows))


ROUTES = table()


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, TestClient]]:
    """One client per function. Nothing behind them is up: the query is refused before anything is asked."""
    settings = settings_of(admin_token=SecretStr(TOKEN)).model_copy(update={"arena_entry": "open"})
    with (
        client_of(build_portfolio(settings)) as portfolio,
        client_of(build_markets(settings)) as markets,
        client_of(build_arena(settings)) as arena,
    ):
        yield {"portfolio": portfolio, "markets": markets, "arena": arena}


def test_the_table_has_the_routes_that_no_document_shows() -> None:
    paths = {path for _, _, path in ROUTES}
    assert {"/health", "/", "/docs", "/openapi.json", API, f"{API}/docs", f"{API}/portfolio/summary"} <= paths


@pytest.mark.parametrize(("function", "method", "path"), ROUTES)
def test_every_route_refuses_an_unknown_parameter_by_name(
    function: str, method: str, path: str, clients: dict[str, TestClient]
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = clients[function].request(method, f"{path}?unheard_of=1", headers=headers, follow_redirects=False)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    assert (error["field"], error["in"]) == ("unheard_of", "query")
    assert error["message"].startswith("unknown parameter; this route takes ")


def test_a_route_that_does_not_exist_stays_a_404(clients: dict[str, TestClient]) -> None:
    assert clients["portfolio"].get(f"{API}/nowhere?x=1").status_code == 404


def test_without_a_token_the_operators_routes_do_not_exist_whatever_the_query() -> None:
    with client_of(build_arena(settings_of())) as arena:
        assert arena.post(f"{API}/arena/redrive?x=1").status_code == 404


def ask(app: StreamApp, method: str, path: str, query: str, headers: dict[str, str]) -> tuple[int, Any]:
    """Status and JSON body of one request to the stream's app."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": raw}

    async def run() -> None:
        await app(scope, receive, send)
        await app.close()

    asyncio.run(run())
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.fixture
def stream() -> StreamApp:
    secret = SecretStr("a-secret-for-signing-tickets")
    return create_app(settings_of(stream_auth="ticket", admin_token=SecretStr(TOKEN), stream_ticket_secret=secret))


@pytest.mark.parametrize(
    ("method", "path"), [(method.upper(), path) for path, operations in PATHS.items() for method in operations]
)
def test_every_stream_refuses_an_unknown_parameter_by_name(stream: StreamApp, method: str, path: str) -> None:
    """SSE-054."""
    status, body = ask(stream, method, path, "unheard_of=1", {"Authorization": f"Bearer {TOKEN}"})
    assert (status, body["status"], body["errors"][0]["field"]) == (422, 422, "unheard_of")
    assert "unheard_of: unknown parameter; this route takes " in body["detail"]


@pytest.mark.parametrize("query", ["since=now", "last_event_id=1-1", "snapshot=none", "strict=1"])
def test_the_long_poll_refuses_what_only_streams_take(stream: StreamApp, query: str) -> None:
    """SSE-054."""
    status, body = ask(stream, "GET", f"{API}/events", query, {"Authorization": f"Bearer {TOKEN}"})
    assert (status, body["errors"][0]["field"]) == (422, query.partition("=")[0])


def test_two_tickets_are_refused(stream: StreamApp) -> None:
    status, body = ask(stream, "GET", f"{API}/sse/trades", "ticket=a&ticket=b", {})
    assert (status, "ticket" in body["detail"]) == (400, True)


def test_the_document_lists_the_parameters_that_the_streams_take() -> None:
    documented = {
        path.removeprefix(API): {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        for path, operations in PATHS.items()
        for operation in operations.values()
        if "parameters" in operation
    }
    assert documented.pop("/events") == POLL_PARAMETERS
    assert documented.pop("/sse/stats") == documented.pop("/sse/clients") == set()
    assert set(map(frozenset, documented.values())) == {STREAM_PARAMETERS}
