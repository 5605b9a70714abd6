"""One question to each part of a starting system, at its real address. A part is ready when it answers.

An error that a function itself answers counts too: it runs, and `make run` shows its health later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import httpx

from coliseum.client import Parser
from coliseum_local.services import BOT, EXCHANGE, GATEWAY, POSTGRES, QUEUE, REDIS, StackService
from coliseum_local.startup import Probe
from coliseum_local.template import LambdaFunction

PROBE_SECONDS = 30.0
"""A function's first answer includes the import of its packages."""
GATEWAY_FAILURES = frozenset((429, 502, 504))
"""Statuses with which the gateway itself says that a function did not answer."""
FUNCTION_PATHS = {
    "portfolio": "/api/python/health",
    "markets": "/api/python/markets?limit=1",
    "arena": "/api/python/arena/leaderboard",
}
"""Cheap questions. Another function is asked at its first route."""
STREAM_PATH = "/api/python/sse/trading?snapshot=none"
STATUS_PATH = "/_local/status"


def service_probe(service: StackService, variables: Mapping[str, str], *, url: str) -> Probe:
    """`variables` are those under which the functions reach the service, `url` is where it listens."""
    if service is REDIS:
        token = {"Authorization": f"Bearer {variables['UPSTASH_REDIS_REST_TOKEN']}"}
        return partial(_expect_ok, f"{variables['UPSTASH_REDIS_REST_URL']}/ping", token)
    if service is POSTGRES:
        key = {"apikey": variables["SUPABASE_SERVICE_ROLE_KEY"]}
        return partial(_expect_ok, f"{variables['SUPABASE_URL']}/rest/v1/arena_seasons?limit=1", key)
    if service is QUEUE:
        return partial(_ask_queue, variables["AWS_ENDPOINT_URL_SQS"], variables["DECISIONS_QUEUE_URL"])
    addresses = {
        EXCHANGE: f"{variables.get('KALSHI_API_BASE')}/exchange/status",
        BOT: variables.get("BOT_STATUS_ENDPOINT", ""),
        GATEWAY: f"{url}{STATUS_PATH}",
    }
    return partial(_expect_ok, addresses[service], {})


def function_probes(functions: Iterable[LambdaFunction], *, gateway: str) -> dict[str, Probe]:
    """By the function's name. Functions that only a queue starts have nothing to answer yet and are left out."""
    found: dict[str, Probe] = {}
    for function in functions:
        if function.streams:
            found[function.name] = partial(_ask_stream, f"{gateway}{STREAM_PATH}")
        elif function.routes:
            path = FUNCTION_PATHS.get(function.name) or _path_of(function)
            found[function.name] = partial(_ask_function, f"{gateway}{path}")
        elif function.schedules:
            found[function.name] = partial(_ask_scheduled, f"{gateway}{STATUS_PATH}", function.name)
    return found


def _path_of(function: LambdaFunction) -> str:
    """The path of the function's first route, with a name in place of each parameter. Any answer will do."""
    return re.sub(r"\{[^{}]*\}", "probe", function.routes[0].path)


def _expect_ok(url: str, headers: Mapping[str, str]) -> str | None:
    status = _get(url, headers).status_code
    return None if status == 200 else f"HTTP {status}"


def _ask_function(url: str) -> str | None:
    status = _get(url).status_code
    return f"HTTP {status}" if status in GATEWAY_FAILURES else None


def _ask_scheduled(status_url: str, name: str) -> str | None:
    """The gateway starts it at once. Some runs last a minute, so that a loaded handler is enough."""
    functions: list[dict[str, Any]] = _get(status_url).json()["functions"]
    return None if any(row["function"] == name and row["loaded"] for row in functions) else "not loaded"


def _ask_stream(url: str) -> str | None:
    """Ready is a stream whose first event says that it reads the log. A private stream answers 401."""
    with httpx.stream("GET", url, timeout=PROBE_SECONDS, trust_env=False) as response:
        if response.status_code != 200:
            return f"HTTP {response.status_code}" if response.status_code in GATEWAY_FAILURES else None
        parser = Parser()
        for chunk in response.iter_raw():
            for event in parser.feed(chunk):
                if event.name == "ready":
                    degraded = isinstance(event.data, dict) and event.data.get("degraded")
                    return "its log cannot be read" if degraded else None
    return "it ended without a ready event"


def _ask_queue(endpoint: str, queue_url: str) -> str | None:
    from coliseum_local.queue import sqs_at

    sqs_at(endpoint).get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return None


def _get(url: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    return httpx.get(url, headers=dict(headers or {}), timeout=PROBE_SECONDS, trust_env=False)
