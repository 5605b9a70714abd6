"""The stream function's HTTP: what it answers, refuses and tells about itself."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.fixtures.redis import RedisServer
from tests.fixtures.waiting import until
from tests.integration.stream_servers import Listener, StreamServer, publisher, serving, settings_for

from coliseum.errors import ConfigurationError
from coliseum.streaming.app import create_app
from coliseum.upstash.client import Redis

ADMIN = {"Authorization": "Bearer the-operators-own-token"}
ORIGIN = "http://localhost:3000"


@pytest.fixture(scope="module", params=["own", "uvicorn"])
def server(redis_server: RedisServer, request: pytest.FixtureRequest) -> Iterator[StreamServer]:
    """The stream on our own server and under another one."""
    with serving(settings_for(redis_server, "test:stream-http:"), server=request.param) as running:
        yield running


@pytest.fixture(scope="module")
def private(redis_server: RedisServer) -> Iterator[StreamServer]:
    """The same, behind tickets."""
    settings = settings_for(
        redis_server,
        "test:stream-private:",
        stream_auth="ticket",
        admin_token=SecretStr("the-operators-own-token"),
        stream_ticket_secret=SecretStr("a-secret-for-signing-tickets"),
    )
    with serving(settings) as running:
        yield running


def test_the_function_is_a_short_file_with_an_app_and_a_handler(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSE-110."""
    path = root / "functions" / "stream" / "app.py"
    assert len(path.read_text().splitlines()) < 60
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "http://127.0.0.1:9")
    spec = importlib.util.spec_from_file_location("stream_app", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.app is module.handler


def test_the_function_loads_no_framework_and_no_model_package(root: Path) -> None:
    """SSE-110: a cold start pays for every import."""
    heavy = ("fastapi", "starlette", "supabase", "pydantic_ai", "boto3")
    code = f"import app, sys; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=root / "functions" / "stream", capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_the_response_is_an_event_stream_that_must_not_be_stored_or_changed(server: StreamServer) -> None:
    """SSE-004."""
    answer = server.get("/api/python/sse/trading", method="HEAD")
    assert answer.status == 200
    assert answer.body == b""
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("path", ["/api/python/sse/trading", "/sse/trading"])
def test_the_stream_answers_under_its_prefix_and_at_the_root(server: StreamServer, path: str) -> None:
    """SSE-110."""
    assert Listener(server.url, path).wait("ready").status == 200


@pytest.mark.parametrize(
    ("path", "headers", "detail"),
    [
        ("/sse/trading", {"Last-Event-ID": "abc"}, "Last-Event-ID"),
        ("/sse/trading", {"Last-Event-ID": "1-1-1"}, "Last-Event-ID"),
        ("/sse/trading", {"Last-Event-ID": "9" * 5000}, "Last-Event-ID"),
        ("/sse/trading", {"Last-Event-ID": "-5-1"}, "Last-Event-ID"),
        ("/sse/trading?since=later", {}, "since"),
        ("/sse/trading?last_event_id=1%00-1", {}, "last_event_id"),
        ("/sse/trading?ticker=A%0d%0aevent:%20x", {}, "ticker"),
        ("/events?wait=-1", {}, "wait"),
        ("/events?wait=1e9", {}, "wait"),
        ("/events?wait=abc", {}, "wait"),
        ("/events?wait=nan", {}, "wait"),
        ("/events?after=xyz", {}, "after"),
        ("/events?after=1-1&after=2-2", {}, "after"),
        ("/events?stream=nothing", {}, "stream"),
    ],
)
def test_a_bad_request_is_a_problem_before_the_first_byte(
    server: StreamServer, path: str, headers: dict[str, str], detail: str
) -> None:
    """SSE-052, SSE-053."""
    answer = server.get(path, headers)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert detail in answer.json()["detail"]
    assert answer.json().keys() == {"type", "title", "status", "detail", "instance"}


@pytest.mark.parametrize(
    "path", ["/", "/sse", "/sse/", "/sse/nothing", "/sse/trading/", "/sse/ticket", "/api/python/x"]
)
def test_what_does_not_exist_is_a_problem(server: StreamServer, path: str) -> None:
    answer = server.get(path)
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("path", ["/sse/trading", "/sse/stats", "/sse/clients", "/events"])
def test_other_methods_are_refused_with_what_is_allowed(server: StreamServer, path: str) -> None:
    """SSE-005."""
    answer = server.get(path, method="POST", body="{}")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_a_page_of_an_allowed_origin_may_read_and_no_other(server: StreamServer) -> None:
    """SSE-006."""
    allowed = server.get("/sse/stats", {"Origin": ORIGIN})
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    other = server.get("/sse/stats", {"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in other.headers
    assert allowed.headers["vary"] == other.headers["vary"] == "Origin"


def test_errors_carry_cross_origin_headers_too(server: StreamServer) -> None:
    """SSE-006: or a page could not read why."""
    answer = server.get("/sse/trading?since=x", {"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_a_preflight_allows_the_headers_that_clients_send(server: StreamServer) -> None:
    """SSE-006."""
    answer = server.get("/sse/trading", {"Origin": ORIGIN}, method="OPTIONS")
    assert answer.status == 204
    assert "Last-Event-ID" in answer.headers["access-control-allow-headers"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "7200"


def test_stats_count_connections_events_and_delays(redis_server: RedisServer, redis: Redis, prefix: str) -> None:
    """SSE-090, SSE-092."""
    bot = publisher(redis, prefix)
    with serving(settings_for(redis_server, prefix)) as server:
        first = Listener(server.url, "/sse/trading").wait("snapshot")
        bot.trades(2)
        cursor = first.wait_trades(2).last_event_id
        Listener(server.url, "/sse/trades", last_event_id=cursor).wait("ready")
        stats = server.stats()
        assert stats["connections"]["now"] == stats["connections"]["total"] == 2
        assert stats["events_sent"] >= 4
        assert stats["delay_ms"]["p50"] <= stats["delay_ms"]["p99"] < 60_000
        assert stats["redis"]["commands_per_client_hour"] > 0
        first.close()
        until(lambda: server.stats()["connections"]["now"] == 1)
        assert server.stats()["connections"]["closed"] == {"client": 1}


def test_clients_are_listed_without_anything_that_identifies_them(redis_server: RedisServer, prefix: str) -> None:
    """SSE-093."""
    with serving(settings_for(redis_server, prefix)) as server:
        Listener(server.url, "/sse/status").wait("bot_status")
        (client,) = server.get("/sse/clients").json()["items"]
        assert client.keys() == {"id", "stream", "connected_since", "last_event_id", "events_sent"}
        assert client["stream"] == "status"
        assert "127.0.0.1" not in json.dumps(client)


def test_private_streams_refuse_clients_without_a_ticket(private: StreamServer) -> None:
    """SSE-080."""
    for path in ("/sse/trading", "/events", "/sse/stats", "/sse/clients", "/sse/trading?ticket=x.y"):
        answer = private.get(path)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_only_the_operator_gets_tickets(private: StreamServer) -> None:
    """SSE-080."""
    assert private.get("/sse/ticket", method="POST").status == 401
    assert private.get("/sse/ticket", {"Authorization": "Bearer wrong"}, method="POST").status == 401
    assert private.get("/sse/ticket", ADMIN).status == 405
    given = private.get("/sse/ticket", ADMIN, method="POST", body='{"stream": "trades"}')
    assert given.status == 201
    assert given.headers["cache-control"] == "no-store"


def test_a_token_that_the_edge_moved_aside_counts(private: StreamServer) -> None:
    """SSE-082: with `Authorization` CloudFront signs its own call."""
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=y"}
    aside = {"X-Forwarded-Authorization": ADMIN["Authorization"]}
    assert private.get("/sse/stats", {**signed, **aside}).status == 200
    assert private.get("/sse/stats", {**signed, "X-Forwarded-Authorization": "Bearer wrong"}).status == 401


@pytest.mark.parametrize(
    "body",
    [
        *("[]", "{", '{"x": 1}', "x" * 20_000),
        *('{"stream": "nothing"}', '{"stream": []}', '{"stream": null}'),
        *('{"tickers": "A"}', '{"tickers": ["A\\n"]}', '{"tickers": [[]]}'),
        *('{"tickers": [" "]}', '{"tickers": ["", "A"]}', '{"series": [","]}', '{"events": [""]}'),
    ],
)
def test_a_ticket_for_nothing_known_is_refused(private: StreamServer, body: str) -> None:
    assert private.get("/sse/ticket", ADMIN, method="POST", body=body).status == 400


def test_a_ticket_opens_its_own_stream_and_filter_and_no_more(private: StreamServer) -> None:
    """SSE-082."""
    wish = '{"stream": "trades", "tickers": ["A-1", "B-1"]}'
    ticket = private.get("/sse/ticket", ADMIN, method="POST", body=wish).json()["ticket"]
    assert Listener(private.url, f"/sse/trades?ticker=A-1&ticket={ticket}").wait("ready").status == 200
    assert private.get(f"/events?events=new_trades&ticker=B-1&ticket={ticket}").status == 200
    assert private.get("/events?events=new_trades&ticker=B-1", {"Authorization": f"Bearer {ticket}"}).status == 200
    assert private.get(f"/sse/trades?ticket={ticket}").status == 403
    assert private.get(f"/sse/trades?ticker=C-1&ticket={ticket}").status == 403
    assert private.get(f"/sse/status?ticket={ticket}").status == 403
    assert private.get(f"/sse/stats?ticket={ticket}").status == 401


def test_private_answers_may_not_be_shared_by_a_cache(private: StreamServer, server: StreamServer) -> None:
    """SSE-102."""
    assert private.get("/events", ADMIN).headers["cache-control"] == "no-store"
    assert server.get("/events").headers["cache-control"] == "public, max-age=1"


def test_tickets_without_a_secret_stop_the_start(redis_server: RedisServer) -> None:
    with pytest.raises(ConfigurationError, match="STREAM_TICKET_SECRET"):
        create_app(
            settings_for(redis_server, "x:", stream_auth="ticket", admin_token=SecretStr("the-operators-own-token"))
        )


def test_without_a_redis_the_answer_names_the_variable(redis_server: RedisServer) -> None:
    with serving(settings_for(redis_server, "x:", upstash_redis_rest_url=None)) as server:
        answer = server.get("/sse/trading")
        assert answer.status == 503
        assert "UPSTASH_REDIS_REST_URL" in answer.json()["detail"]
