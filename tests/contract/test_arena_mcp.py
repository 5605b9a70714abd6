"""The arena as an MCP server, by the official client in both of its eras, and what a hostile client cannot do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import httpx2
import pytest
from functions.arena.app import build as build_arena
from functions.mcp.app import build
from mcp.client.streamable_http import streamable_http_client
from starlette.testclient import TestClient
from tests.contract.conftest import served
from tests.contract.rest_world import API, client_of, settings_of
from tests.fixtures.postgres import PostgresServer
from tests.integration.arena_world import behind, end_round, enrolled, open_round

from coliseum.arena.entry.records import EntryRecords
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.http.app import lambda_handler
from coliseum.http.strict_body import MAX_BODY_BYTES
from coliseum.store.client import Store
from mcp import Client

MCP = f"{API}/arena/mcp"
ACCEPT = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
TOOLS = {"arena_questions", "arena_context", "arena_submit", "arena_score"}
ERAS = ["auto", "legacy", "2026-07-28"]


@pytest.fixture
def records(store: Store) -> ArenaRecords:
    records = ArenaRecords(store)
    enrolled(records)
    return records


@pytest.fixture
def settings(postgres_server: PostgresServer) -> Any:
    return settings_of(postgres=postgres_server).model_copy(update={"arena_entry": "open"})


@pytest.fixture
def address(settings: Any) -> Iterator[str]:
    with served(build(settings)) as url:
        yield f"{url}{MCP}"


@pytest.fixture
def direct(settings: Any) -> Iterator[TestClient]:
    with client_of(build(settings)) as client:
        yield client


@pytest.fixture
def token(settings: Any, records: ArenaRecords) -> str:
    del records
    with client_of(build_arena(settings)) as arena:
        made = arena.post(f"{API}/arena/entrants", json={"name": "Tool user", "contact": "me@example.org"}).json()
    return str(made["token"])


def call(address: str, token: str | None, *calls: tuple[str, dict[str, Any]], mode: str = "auto") -> list[Any]:
    """(is an error, text) of each call, by the official client."""

    async def run() -> list[Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(headers=headers) as http:
            transport = streamable_http_client(address, http_client=http)
            async with Client(transport, mode=mode) as client:
                assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
                answers = [await client.call_tool(name, arguments) for name, arguments in calls]
                return [(answer.is_error, answer.content[0].text) for answer in answers]  # type: ignore[union-attr]

    return asyncio.run(run())


@pytest.mark.parametrize("mode", ERAS)
def test_a_client_plays_with_the_tools_alone(address: str, records: ArenaRecords, token: str, mode: str) -> None:
    open_round(records, ["A", "B"])
    ((failed, listed),) = call(address, token, ("arena_questions", {}), mode=mode)
    assert not failed
    first = json.loads(listed)[0]
    assert first["ticker"] == "A"
    chosen = {"question_id": first["question_id"]}
    context, sealed, again, score = call(
        address,
        token,
        ("arena_context", chosen),
        ("arena_submit", {**chosen, "probability": 0.3, "rationale": "why"}),
        ("arena_submit", {**chosen, "probability": 0.9}),
        ("arena_score", {}),
        mode=mode,
    )
    assert json.loads(context[1])["context"]["question"]["ticker"] == "A"
    (stored,) = records.forecasts()
    assert json.loads(sealed[1]) == {"forecast_id": stored.forecast_id, "seal": stored.seal, "probability": 0.3}
    assert again[0]
    assert "the first one is final" in again[1]
    assert json.loads(score[1])["answered"] == 1


def test_without_a_token_the_tools_are_listed_and_a_call_says_how_to_register(
    address: str, records: ArenaRecords
) -> None:
    open_round(records)
    for name in ("arena_questions", "arena_score"):
        ((failed, text),) = call(address, None, (name, {}))
        assert failed
        assert "/arena/entrants" in text


def test_what_a_caller_can_mend_is_said(
    address: str, records: ArenaRecords, token: str, postgres_server: PostgresServer
) -> None:
    round_id = open_round(records)
    wrong = call(
        address,
        token,
        ("arena_context", {"question_id": "r-1.A"}),
        ("arena_submit", {"question_id": f"{round_id}.A", "probability": 2}),
        ("arena_submit", {"question_id": f"{round_id}.A"}),
        ("arena_submit", {"question_id": f"{round_id}.A", "probability": 0.5, "rationale": "x" * 5000}),
        ("arena_questions", {"limit": 1000}),
    )
    assert all(failed for failed, _ in wrong)
    assert "r-1.A" in wrong[0][1]
    end_round(postgres_server, round_id)
    ((failed, text),) = call(address, token, ("arena_submit", {"question_id": f"{round_id}.A", "probability": 0.5}))
    assert failed
    assert "closed" in text
    assert records.forecasts() == ()


@pytest.mark.parametrize("probability", [True, False, "0.5", "50%", [0.5], None, -0.1, 1.01, 37])
def test_a_probability_that_is_no_number_is_refused_as_over_rest(
    address: str, records: ArenaRecords, token: str, probability: Any
) -> None:
    """The first forecast is final, so no guess may be made about what was meant."""
    round_id = open_round(records)
    ((failed, _),) = call(
        address, token, ("arena_submit", {"question_id": f"{round_id}.A", "probability": probability})
    )
    assert failed
    assert records.forecasts() == ()


def rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_other_methods_are_refused_before_anything_waits(direct: TestClient, method: str) -> None:
    answer = direct.request(method, MCP, headers=ACCEPT)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_a_wrong_token_is_refused(direct: TestClient, records: ArenaRecords) -> None:
    answer = direct.post(MCP, json=rpc("tools/list"), headers={**ACCEPT, "Authorization": "Bearer clm_" + "A" * 43})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(("origin", "status"), [("https://evil.example", 403), ("http://localhost:3000", 200)])
def test_a_page_of_an_unknown_origin_may_not_call(direct: TestClient, origin: str, status: int) -> None:
    answer = direct.post(MCP, json=rpc("tools/list"), headers={**ACCEPT, "Origin": origin})
    assert answer.status_code == status


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"5", b"[" * 1000, b'{"jsonrpc": "2.0", "jsonrpc": "2.0"}', b'{"id": NaN}', b"\xff",
     b'{"jsonrpc": "2.0", "id": 1}', b'{"jsonrpc": "2.0", "id": 1, "method": 5}', b'{"method": "tools/list"}',
     b'[{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}]'],
    ids=range(13),
)  # fmt: skip
def test_a_wrong_body_is_a_refusal(direct: TestClient, body: bytes) -> None:
    answer = direct.post(MCP, content=body, headers=ACCEPT)
    assert 400 <= answer.status_code < 500


def test_a_long_body_is_refused(direct: TestClient) -> None:
    assert direct.post(MCP, content=b'"' + b"x" * MAX_BODY_BYTES, headers=ACCEPT).status_code == 413


def test_an_unknown_tool_is_an_error_of_the_protocol_or_the_tool(direct: TestClient) -> None:
    answer = direct.post(MCP, json=rpc("tools/call", name="arena_delete", arguments={}), headers=ACCEPT)
    body = answer.json()
    assert "error" in body or body["result"]["isError"]


def test_while_entry_is_off_there_is_no_server(postgres_server: PostgresServer) -> None:
    with client_of(build(settings_of(postgres=postgres_server))) as client:
        assert client.post(MCP, json=rpc("tools/list"), headers=ACCEPT).status_code == 404


def test_each_lambda_event_is_answered_alone(settings: Any, records: ArenaRecords) -> None:
    """A session manager runs once, so a second event of the same container needs another one."""
    app = build(settings)
    handler = lambda_handler(app)
    event = {
        "version": "2.0", "routeKey": "ANY /api/python/arena/mcp", "rawPath": MCP, "rawQueryString": "",
        "headers": {**{name.lower(): value for name, value in ACCEPT.items()}, "host": "x.execute-api.amazonaws.com"},
        "requestContext": {"http": {"method": "POST", "path": MCP, "sourceIp": "1.2.3.4", "protocol": "HTTP/1.1"},
                           "stage": "$default", "domainName": "x", "requestId": "1"},
        "body": json.dumps(rpc("tools/list")), "isBase64Encoded": False,
    }  # fmt: skip
    for _ in range(3):
        answer = handler(event, None)
        assert answer["statusCode"] == 200
        assert {tool["name"] for tool in json.loads(answer["body"])["result"]["tools"]} == TOOLS
    app.state.resources.close()


def test_the_page_for_agents_names_the_server(settings: Any) -> None:
    with served(build_arena(settings)) as url:
        page = httpx.get(f"{url}{API}/arena/SKILL.md").text
        assert f"{url}{MCP}" in page


def calling(token: str | None) -> dict[str, str]:
    return ACCEPT if token is None else {**ACCEPT, "Authorization": f"Bearer {token}"}


def allow(store: Store, **limits: Any) -> None:
    """The operator's decision about the only entrant."""
    records = EntryRecords(store)
    (entrant,) = records.entrants()
    decision = {"status": None, "requests_per_minute": None, "forecasts_per_day": None, **limits}
    assert records.decide(entrant["entrant_id"], **decision) is not None


@pytest.mark.parametrize("mode", ERAS)
def test_only_calls_of_tools_count_against_the_limit(address: str, store: Store, token: str, mode: str) -> None:
    """Each session greets the server and lists its tools; with 30 requests a minute that would leave few forecasts."""
    allow(store, requests_per_minute=2)
    for _ in range(3):
        assert call(address, token, mode=mode) == []
    first, second, third = call(address, token, *[("arena_score", {})] * 3, mode=mode)
    assert not first[0] and not second[0]  # noqa: PT018 - the two that the limit allows
    assert third[0]
    assert "try again in" in third[1]
    assert call(address, token, mode=mode) == []


def test_what_does_not_count_runs_no_tool(direct: TestClient, store: Store, token: str) -> None:
    allow(store, requests_per_minute=1)
    bodies: list[dict[str, Any]] = [
        rpc("ping"),
        rpc("prompts/list"),
        rpc("resources/list"),
        rpc("arena_score"),
        {**rpc("tools/list"), "id": None},
        {**rpc("tools/call", name="arena_score", arguments={}), "method": "tools/Call"},
        {**rpc("tools/call", name="arena_score", arguments={}), "method": "tools/call "},
    ]
    for body in bodies * 2:
        assert "answered" not in direct.post(MCP, json=body, headers=calling(token)).text
    asked = rpc("tools/call", name="arena_score", arguments={})
    assert "answered" in direct.post(MCP, json=asked, headers=calling(token)).text


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("refusal", [("pending", "has not admitted"), ("banned", "has banned")])
def test_who_may_not_call_is_told_so_by_the_tool(
    address: str, token: str, postgres_server: PostgresServer, mode: str, refusal: tuple[str, str]
) -> None:
    """To a client a bare 403 is the end of the session, without its reason."""
    status, reason = refusal
    behind(postgres_server, f"update public.arena_entrants set status = '{status}'")  # noqa: S608 - a test's own word
    for failed, text in call(address, token, ("arena_questions", {}), ("arena_score", {}), mode=mode):
        assert failed
        assert reason in text


def test_a_database_that_does_not_answer_is_an_error_of_the_tool(token: str) -> None:
    with served(build(settings_of().model_copy(update={"arena_entry": "open"}))) as url:
        ((failed, text),) = call(f"{url}{MCP}", token, ("arena_questions", {}))
    assert failed
    assert "try again later" in text
    assert token not in text


def test_callers_at_the_same_time_are_not_mixed(
    address: str, settings: Any, store: Store, records: ArenaRecords
) -> None:
    round_id = open_round(records, [f"T{number}" for number in range(6)])
    with client_of(build_arena(settings)) as arena:
        made = [
            arena.post(f"{API}/arena/entrants", json={"name": name, "contact": "me@example.org"}).json()
            for name in ("Odd one", "Even one", "Third one")
        ]

    def play(number: int) -> None:
        calls = [
            ("arena_submit", {"question_id": f"{round_id}.T{each}", "probability": (number + 1) / 10})
            for each in range(6)
        ]
        assert not any(failed for failed, _ in call(address, made[number]["token"], *calls))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(play, range(3)))
    sealed = {(each.agent_id, float(each.p or 0)) for each in records.forecasts()}
    assert sealed == {(each["entrant_id"], (number + 1) / 10) for number, each in enumerate(made)}
    assert len(records.forecasts()) == 18


WRONG_HEADERS: list[tuple[dict[str, str], int]] = [
    ({"Accept": "text/html"}, 406),
    ({"Accept": "image/*;q=0.5"}, 406),
    ({"Content-Type": "text/plain"}, 400),
    ({"Content-Type": "application/x-www-form-urlencoded"}, 400),
    ({"Origin": "null"}, 403),
    ({"Origin": "https://localhost:3000.evil.example"}, 403),
    ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
    ({"MCP-Protocol-Version": "1999-01-01"}, 400),
    ({"Mcp-Session-Id": "somebody-else"}, 200),
    ({"Host": "evil.example"}, 200),
]


def test_wrong_headers_are_refused(direct: TestClient) -> None:
    """A page that rebinds its name to ours sends its own Origin. Host says nothing."""
    for headers, status in WRONG_HEADERS:
        answer = direct.post(MCP, json=rpc("tools/list"), headers={**ACCEPT, **headers})
        assert answer.status_code == status, headers


WRONG_CALLS: list[dict[str, Any]] = [
    {},
    {"name": 5},
    {"name": "arena_delete"},
    {"name": "arena_score", "arguments": []},
    {"name": "arena_score", "arguments": "x"},
    {"name": "arena_context"},
    {"name": "arena_context", "arguments": {"question_id": 5}},
    {"name": "arena_context", "arguments": {"question_id": "x" * 201}},
    {"name": "arena_context", "arguments": {"question_id": {"a": 1}}},
    {"name": "arena_questions", "arguments": {"limit": "5"}},
    {"name": "arena_questions", "arguments": {"limit": 0}},
    {"name": "arena_questions", "arguments": {"limit": 5, "unknown": 1}},
    {"name": "arena_submit", "arguments": {"question_id": "r-1.A", "probability": 0.5, "rationale": 5}},
    {"name": "arena_submit", "arguments": {"question_id": "r-1.A", "probability": 0.5, "rational": "why"}},
]


def test_wrong_arguments_are_an_error_that_shows_no_token(
    direct: TestClient, records: ArenaRecords, token: str
) -> None:
    for params in WRONG_CALLS:
        answer = direct.post(MCP, json=rpc("tools/call", **params), headers=calling(token))
        body = answer.json()
        assert "error" in body or body["result"]["isError"], params
        assert token not in answer.text
        assert "Traceback" not in answer.text
    assert records.forecasts() == ()


def test_the_tools_say_that_they_take_no_other_arguments(direct: TestClient) -> None:
    tools = direct.post(MCP, json=rpc("tools/list"), headers=ACCEPT).json()["result"]["tools"]
    assert [tool["inputSchema"]["additionalProperties"] for tool in tools] == [False] * len(TOOLS)
