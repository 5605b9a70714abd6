"""The question that each part of a starting system must answer."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from coliseum_local.probes import FUNCTION_PATHS, STATUS_PATH, STREAM_PATH, function_probes, service_probe
from coliseum_local.services import BOT, EXCHANGE, GATEWAY, POSTGRES, REDIS, StackService
from coliseum_local.template import LambdaFunction, Template

READY = b"event: ready\ndata: {}\n\n"
DEGRADED = b'event: ready\ndata: {"degraded": true}\n\n'


class Answers:
    """A server whose answers the test sets. `requests` holds path and authorisation of each."""

    def __init__(self) -> None:
        self.by_path: dict[str, tuple[int, bytes]] = {}
        self.requests: list[tuple[str, str | None]] = []
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answers.requests.append((self.path, self.headers["authorization"] or self.headers["apikey"]))
                status, body = answers.by_path.get(self.path, (404, b""))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
                """Nothing is logged."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def answers() -> Iterator[Answers]:
    served = Answers()
    thread = threading.Thread(target=served.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def functions(root: Path) -> tuple[LambdaFunction, ...]:
    return Template.read(root / "template.yaml").functions


Ask = Callable[[str], str | None]


@pytest.fixture
def ask(answers: Answers, functions: tuple[LambdaFunction, ...]) -> Ask:
    return lambda name: function_probes(functions, gateway=answers.url)[name]()


def test_every_function_that_something_calls_is_asked(functions: tuple[LambdaFunction, ...]) -> None:
    called = {function.name for function in functions if function.streams or function.routes or function.schedules}
    assert set(function_probes(functions, gateway="http://x")) == called
    assert {"portfolio", "markets", "arena", "stream", "poller"} <= called


@pytest.mark.parametrize(("status", "reason"), [(200, None), (503, None), (404, None), (502, "HTTP 502")])
def test_a_function_has_answered_unless_the_gateway_answers_for_it(
    answers: Answers, ask: Ask, status: int, reason: str | None
) -> None:
    answers.by_path[FUNCTION_PATHS["portfolio"]] = (status, b"{}")
    assert ask("portfolio") == reason


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b": comment\n\n" + READY, None),
        (200, DEGRADED, "its log cannot be read"),
        (200, b"event: closing\ndata: {}\n\n", "it ended without a ready event"),
        (401, b"", None),
        (504, b"", "HTTP 504"),
    ],
)
def test_the_stream_is_ready_when_it_reads_its_log(
    answers: Answers, ask: Ask, status: int, body: bytes, reason: str | None
) -> None:
    answers.by_path[STREAM_PATH] = (status, body)
    assert ask("stream") == reason


@pytest.mark.parametrize(("loaded", "reason"), [(1, None), (0, "not loaded")])
def test_a_scheduled_function_is_ready_when_its_handler_is_loaded(
    answers: Answers, ask: Ask, loaded: int, reason: str | None
) -> None:
    report = {"functions": [{"function": "settler", "loaded": 1}, {"function": "poller", "loaded": loaded}]}
    answers.by_path[STATUS_PATH] = (200, json.dumps(report).encode())
    assert ask("poller") == reason


@pytest.mark.parametrize(
    ("service", "path", "secret"),
    [
        (REDIS, "/ping", "Bearer t"),
        (POSTGRES, "/rest/v1/arena_seasons?limit=1", "k"),
        (EXCHANGE, "/exchange/status", None),
        (BOT, "/status", None),
        (GATEWAY, STATUS_PATH, None),
    ],
)
def test_a_service_is_asked_at_its_own_address_with_its_own_key(
    answers: Answers, service: StackService, path: str, secret: str | None
) -> None:
    variables = {
        "UPSTASH_REDIS_REST_URL": answers.url,
        "UPSTASH_REDIS_REST_TOKEN": "t",
        "SUPABASE_URL": answers.url,
        "SUPABASE_SERVICE_ROLE_KEY": "k",
        "KALSHI_API_BASE": answers.url,
        "BOT_STATUS_ENDPOINT": f"{answers.url}/status",
    }
    probe = service_probe(service, variables, url=answers.url)
    assert probe() == "HTTP 404"
    answers.by_path[path] = (200, b"{}")
    assert probe() is None
    assert answers.requests == [(path, secret)] * 2


def test_a_function_without_a_question_of_its_own_is_asked_at_its_first_route(
    answers: Answers, functions: tuple[LambdaFunction, ...]
) -> None:
    arena = next(function for function in functions if function.name == "arena")
    function_probes([replace(arena, name="history")], gateway=answers.url)["history"]()
    [(path, _)] = answers.requests
    assert path == re.sub(r"\{[^{}]*\}", "probe", arena.routes[0].path)
