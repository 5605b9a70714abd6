"""The stream's hand-written part of the document against the stream app itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from tests.contract.rest_world import API, DOCUMENT, check, publish, settings_of
from tests.fixtures.redis import RedisServer

from coliseum.http.routes import STREAMS as LINKED
from coliseum.http.stream_paths import PATHS, STREAMS
from coliseum.streaming import access, routes, subscription
from coliseum.streaming.app import create_app
from coliseum.streaming.subscription import STREAMS as SERVED


@pytest.fixture
def stream(redis_server: RedisServer, prefix: str) -> Iterator[TestClient]:
    publish(redis_server, prefix, ())
    with TestClient(create_app(settings_of(prefix=prefix, redis=redis_server))) as client:
        yield client


def test_the_described_streams_are_the_served_streams() -> None:
    assert set(STREAMS) == set(SERVED)
    assert set(LINKED) <= set(SERVED)
    assert {f"{API}/sse/{name}" for name in SERVED} <= set(DOCUMENT["paths"])


@pytest.mark.parametrize("path", ["/sse/stats", "/sse/clients", "/events"])
def test_the_json_answers_are_as_described(stream: TestClient, path: str) -> None:
    response = stream.get(API + path, params={"after": "earliest"} if path == "/events" else None)
    assert response.status_code == 200
    check(path, 200, response.json())


def test_described_paths_exist_and_only_answer_their_methods(stream: TestClient) -> None:
    for path in PATHS.keys() - {f"{API}/sse/ticket"}:
        assert stream.options(path).status_code == 204, path
        assert stream.post(path).status_code == 405, path


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/sse/trading", "since=garbage"),
        ("/sse/trading", "snapshot=maybe"),
        ("/events", "wait=99"),
        ("/events", "ticker=%0d"),
    ],
)
def test_a_refusal_is_a_problem_as_described(stream: TestClient, path: str, query: str) -> None:
    response = stream.get(f"{API}{path}?{query}")
    body = response.json()
    assert (response.status_code, body["status"], body["instance"]) == (400, 400, API + path)
    check(path, 400, body)


def test_the_described_parameters_are_the_ones_that_are_read() -> None:
    read = inspect.getsource(routes) + inspect.getsource(subscription) + inspect.getsource(access)
    for path in PATHS.values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                assert f'"{parameter["name"]}"' in read or f'b"{parameter["name"].lower()}"' in read


def test_the_parameters_that_are_read_are_described() -> None:
    for path, named in (
        ("/sse/trading", {"since", "last_event_id", "snapshot", "strict"}),
        ("/events", {"after", "wait", "stream"}),
    ):
        described = {parameter["name"] for parameter in DOCUMENT["paths"][API + path]["get"]["parameters"]}
        assert named | {"ticker", "series", "events", "ticket"} <= described


@pytest.mark.parametrize("name", ["trading", "trades", "status", "arena"])
def test_a_streams_own_events_are_named_in_its_description(name: str) -> None:
    description = DOCUMENT["paths"][f"{API}/sse/{name}"]["get"]["description"]
    assert {event for kind, event in subscription.EVENT_NAMES.items() if f"`{event}`" in description} == {
        subscription.EVENT_NAMES[kind] for kind in SERVED[name]
    }
