"""The entrant caller as Lambda calls it, with the endpoint that docs/entry.md shows. Database and endpoint are real."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from functions.arena.app import build
from functions.entrant_caller import app
from starlette.testclient import TestClient
from tests.contract.rest_world import API, check, client_of
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.waiting import until
from tests.integration.arena_world import enrolled, open_round

from coliseum import config
from coliseum.arena.calling.caller import CALL_SECONDS
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.outbound.local_names import add_local_name, remove_local_name
from coliseum.store.client import Store
from coliseum_local.template import Template

EVENT = Path(__file__).resolve().parents[2] / "events" / "entrant_caller.schedule.json"
HOST = "agent.coliseum.test"
CONTEXT: Any = SimpleNamespace(
    function_name="entrant_caller",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:entrant_caller",
    aws_request_id="1",
    get_remaining_time_in_millis=lambda: 120_000,
)


@pytest.fixture
def records(store: Store) -> ArenaRecords:
    return ArenaRecords(store)


@pytest.fixture
def container(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The settings of a new container, in an environment whose proxies would break every call."""
    values = {
        "supabase_url": postgres_server.url,
        "supabase_service_role_key": postgres_server.secret_key,
        "arena_entry": "open",
    }
    monkeypatch.setitem(vars(config), "settings", config.load(values))
    yield monkeypatch
    if app.caller.cache_info().currsize:
        app.caller().resources.close()
    app.caller.cache_clear()


@pytest.fixture
def arena(container: pytest.MonkeyPatch) -> Iterator[TestClient]:
    with client_of(build(config.settings)) as client:
        yield client


@contextmanager
def documented_endpoint(root: Path, folder: Path, secret: str) -> Iterator[None]:
    """The program of docs/entry.md, as it stands there, under the name that `make run` gives it."""
    text = (root / "docs" / "entry.md").read_text()
    (program,) = re.findall(r"```python\n(# my_endpoint\.py\n.*?)```", text, re.DOTALL)
    (folder / "my_endpoint.py").write_text(program)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {**os.environ, "SIGNING_SECRET": secret, "PORT": str(port)}
    process = subprocess.Popen([sys.executable, "my_endpoint.py"], cwd=folder, env=variables, stderr=subprocess.DEVNULL)
    add_local_name(HOST, f"http://127.0.0.1:{port}")
    try:
        until(lambda: _accepts(port))
        yield
    finally:
        remove_local_name(HOST)
        process.kill()
        process.wait()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def call() -> dict[str, Any]:
    found: dict[str, Any] = app.handler(json.loads(EVENT.read_text()), CONTEXT)
    return found


def test_an_agent_that_only_waits_gets_its_first_sealed_forecast(
    root: Path, tmp_path: Path, records: ArenaRecords, arena: TestClient, container: pytest.MonkeyPatch
) -> None:
    enrolled(records)
    open_round(records, ["A", "B"])
    me = {"name": "Waiting", "contact": "me@example.org", "endpoint": f"https://{HOST}/forecast"}
    made = arena.post(f"{API}/arena/entrants", json=me).json()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        container.setenv(name, "http://127.0.0.1:9")
    container.setenv("NO_PROXY", postgres_host(config.settings))
    with documented_endpoint(root, tmp_path, made["signing_secret"]):
        assert call() == {
            "challenges": 1, "proven": 1, "calls": 2, "forecasts": 2, "abstained": 0, "problems": 0
        }  # fmt: skip
        assert call()["calls"] == 0
    stored = records.forecasts()
    assert {(one.agent_id, one.ticker, one.p) for one in stored} == {
        (made["entrant_id"], ticker, Decimal("0.37")) for ticker in ("A", "B")
    }
    mine = arena.get(f"{API}/arena/entrants/me", headers={"Authorization": f"Bearer {made['token']}"}).json()
    check("/arena/entrants/me", 200, mine)
    assert (mine["answered"], mine["endpoint_state"]["status"]) == (2, "ready")
    assert mine["endpoint_state"]["calls"] == {"answered": 2}


def postgres_host(settings: config.Settings) -> str:
    return str(settings.supabase_url).split("//")[1]


def test_the_documented_endpoint_refuses_whoever_has_another_secret(
    root: Path, tmp_path: Path, records: ArenaRecords, arena: TestClient
) -> None:
    enrolled(records)
    me = {"name": "Waiting", "contact": "me@example.org", "endpoint": f"https://{HOST}/forecast"}
    made = arena.post(f"{API}/arena/entrants", json=me).json()
    with documented_endpoint(root, tmp_path, "whsec_" + "A" * 43 + "="):
        assert call()["proven"] == 0
    mine = arena.get(f"{API}/arena/entrants/me", headers={"Authorization": f"Bearer {made['token']}"}).json()
    assert mine["endpoint_state"]["problem"].startswith("answered 401")


def test_while_entry_is_off_nothing_is_asked(container: pytest.MonkeyPatch) -> None:
    container.setitem(vars(config), "settings", config.load({}))
    assert call() == {}
    assert app.caller.cache_info().currsize == 0


def test_calls_fit_into_the_functions_time(root: Path) -> None:
    timeout = Template.read(root / "template.yaml").function("entrant_caller").timeout_seconds
    assert timeout >= app.RUN_SECONDS + CALL_SECONDS + app.SECONDS_TO_SPARE
