"""The built bundle, run as Lambda runs it: AWS's runtime client and emulator, real servers, nothing of this
project's environment. Needs Linux, Python 3.13 and AWS SAM in .venv-sam, and skips without them, saying so."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.exchange import Exchange
from tests.fixtures.function_url import serving as serving_url
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer
from tests.fixtures.scripted_bot import ScriptedBot, row, serving
from tests.fixtures.waiting import PATIENCE_SECONDS

from coliseum_local.emulator import CannotEmulate, Emulator, base_python, find_emulator, python_path
from coliseum_local.function_url import FunctionUrl
from coliseum_local.function_url import variables as lambda_variables
from coliseum_local.invoke import BUNDLE, variables_of
from coliseum_local.template import Template

pytestmark = pytest.mark.slow
Invoke = Callable[[str], Any]
BUILD_SECONDS = 900.0
HTTP_EVENTS = {
    "portfolio.http-balance": 200,
    "portfolio.http-fills": 200,
    "portfolio.http-fills-bad-limit": 422,
    "portfolio.http-fills-csv": 200,
    "portfolio.http-health": 200,
    "portfolio.http-not-found": 404,
    "portfolio.http-preflight": 200,
    "portfolio.http-summary": 200,
    "markets.http-list": 200,
    "markets.http-unknown": 404,
    "mcp.http-tools": 404,  # outside agents are off by default; the SDK has been imported by then
}


@pytest.fixture(scope="module")
def template(root: Path) -> Template:
    return Template.read(root / "template.yaml")


@pytest.fixture(scope="module")
def emulator(root: Path) -> Path:
    try:
        return find_emulator(root)
    except CannotEmulate as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def bundle(root: Path, emulator: Path) -> Path:
    """The bundle for this machine, built again where a source is newer."""
    assert emulator
    build = subprocess.run(
        ["make", f"{BUNDLE}/.built"], cwd=root, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    if "none was found" in build.stdout:
        pytest.skip(build.stdout.strip().splitlines()[-1])
    assert build.returncode == 0, build.stdout + build.stderr
    return root / BUNDLE


@pytest.fixture(scope="module")
def bot() -> Iterator[ScriptedBot]:
    with serving(ScriptedBot()) as scripted:
        scripted.trade(row("built-1", at=time.time()))
        yield scripted


@pytest.fixture(scope="module")
def servers(
    redis_server: RedisServer, postgres_server: PostgresServer, exchange_server: Exchange, bot: ScriptedBot
) -> dict[str, str]:
    return {
        "ENVIRONMENT": "test",
        "UPSTASH_REDIS_REST_URL": redis_server.url,
        "UPSTASH_REDIS_REST_TOKEN": redis_server.token,
        "REDIS_KEY_PREFIX": "bundle:",
        "SUPABASE_URL": postgres_server.url,
        "SUPABASE_SERVICE_ROLE_KEY": postgres_server.secret_key,
        "KALSHI_API_BASE": exchange_server.url,
        "KALSHI_API_KEY": exchange_server.api_key,
        "KALSHI_RSA_KEY_PATH": str(exchange_server.private_key_path),
        "BOT_STATUS_ENDPOINT": bot.status_url,
        "BOT_TRADES_ENDPOINT": bot.trades_url,
        "POLL_INTERVAL_SECONDS": "0.5",
    }


def event(root: Path, name: str) -> Any:
    return json.loads((root / "events" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def environments(
    root: Path, template: Template, bundle: Path, emulator: Path, servers: dict[str, str]
) -> Iterator[Invoke]:
    """Answers one of the sample events, in an environment per function that stays warm."""
    warm: dict[str, Emulator] = {}

    def invoke(name: str) -> Any:
        function = template.function(name.split(".", maxsplit=1)[0])
        if function.name not in warm:
            # A short minute for the poller: it keeps ten seconds for the projection and needs some for its cold start.
            seconds = 30 if function.schedules else None
            values = variables_of(function) | servers
            warm[function.name] = Emulator(
                function, bundle=bundle, emulator=emulator, variables=values, timeout_seconds=seconds
            )
            warm[function.name].__enter__()
        return warm[function.name].invoke(event(root, name))

    yield invoke
    for environment in warm.values():
        environment.close()


@pytest.mark.parametrize(("name", "status"), HTTP_EVENTS.items())
def test_a_built_function_answers_its_sample_events(environments: Invoke, name: str, status: int) -> None:
    answer = environments(name)
    assert answer["statusCode"] == status, answer
    assert answer["headers"]["content-type"]


def test_a_built_function_reads_the_real_servers(environments: Invoke) -> None:
    balance = json.loads(environments("portfolio.http-balance")["body"])
    assert balance["source"] == "kalshi"
    health = environments("portfolio.http-health")
    body = base64.b64decode(health["body"]) if health["isBase64Encoded"] else health["body"]
    assert json.loads(body)["database"] == "connected"


def test_the_built_poller_takes_the_bots_trades_to_the_log_and_to_postgres(
    environments: Invoke, postgres_server: PostgresServer
) -> None:
    result = environments("poller.schedule")
    assert result["trades"] >= 1, result
    assert result["ticks"] >= 2
    assert result["projection"]["entries"] >= 1
    assert result["projection"]["problem"] is None


def test_the_built_stream_sends_its_first_event_at_once(
    root: Path, template: Template, bundle: Path, servers: dict[str, str]
) -> None:
    function = template.function("stream")
    task = bundle / function.logical_id
    layer, wrapper = bundle / "StreamingLayer", function.variables["AWS_LAMBDA_EXEC_WRAPPER"].removeprefix("/opt/")
    values = variables_of(function) | servers | {"SSE_SESSION_MAX_SECONDS": "1"}
    values["PYTHONPATH"] = python_path(function, bundle)
    url = FunctionUrl(
        command=[str(layer / wrapper), base_python()],
        variables=lambda_variables(task=task, handler=function.handler, extra=values),
        folder=task,
        timeout_seconds=PATIENCE_SECONDS,
        cap=2,
    )
    path = event(root, "stream.function-url")["rawPath"]
    with serving_url(url) as running:
        with running.client.stream("GET", path) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert next(response.iter_lines()) == "event: ready"
        assert running.settled().outcome == "complete"
        resume = event(root, "stream.function-url-resume")
        with running.client.stream(
            "GET", f"{resume['rawPath']}?{resume['rawQueryString']}", headers={"last-event-id": "1763726400000-42"}
        ) as response:
            assert response.status_code == 200


def test_every_sample_event_is_used(root: Path) -> None:
    used = {*HTTP_EVENTS, "poller.schedule", "stream.function-url", "stream.function-url-resume"}
    kept = {file.stem for file in (root / "events").iterdir()}
    assert {name for name in kept if name.split(".")[0] in {"portfolio", "markets", "mcp", "poller", "stream"}} == used


def test_every_function_fits_into_lambda_with_its_layers(bundle: Path, template: Template) -> None:
    """250 MB unzipped is the limit."""
    for function in template.functions:
        size = sum(size_of(bundle / part) for part in (function.logical_id, *function.layers))
        assert size < 230_000_000, f"{function.name} has {size} bytes"


def test_the_http_functions_stay_small(bundle: Path) -> None:
    assert size_of(bundle / "ApiDependenciesLayer") < 75_000_000


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_bytecode_ships_and_knows_where_it_will_stand(bundle: Path) -> None:
    for compiled, place in (
        ("ColiseumLayer/python/coliseum/__pycache__/config.cpython-313.pyc", b"/opt/python/coliseum/config.py"),
        ("ApiDependenciesLayer/python/httpx/__pycache__/_api.cpython-313.pyc", b"/opt/python/httpx/_api.py"),
        ("PortfolioFunction/__pycache__/app.cpython-313.pyc", b"/var/task/app.py"),
    ):
        assert place in (bundle / compiled).read_bytes()


def test_the_http_functions_load_no_package_for_models(bundle: Path, template: Template) -> None:
    code = "import sys, app; print(*{'openai', 'pydantic_ai', 'logfire', 'boto3'} & set(sys.modules))"
    for name in ("portfolio", "markets", "stream", "poller"):
        function = template.function(name)
        loaded = subprocess.run(
            [base_python(), "-S", "-c", code],
            cwd=bundle / function.logical_id,
            env={"PYTHONPATH": python_path(function, bundle)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert loaded.stdout.strip() == "", name


def test_the_bundle_is_not_the_development_environment(bundle: Path) -> None:
    """What is deployed holds none of the tools that stand around it here. The MCP SDK requires uvicorn."""
    for tool in ("pytest", "psycopg", "coliseum_local"):
        assert not list(bundle.glob(f"*Layer/python/{tool}"))
    assert [path.parts[-3] for path in bundle.glob("*Layer/python/uvicorn")] == ["McpDependenciesLayer"]
