"""The arena function as Lambda calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from functions.arena.app import build
from pydantic import SecretStr
from tests.contract.rest_world import API, check, settings_of
from tests.fixtures.postgres import PostgresServer

from coliseum.arena.agents.enrollment import enroll_roster
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.http.app import lambda_handler
from coliseum.store.client import Store

TOKEN = "a-token-of-the-operator"
EVENTS = Path(__file__).resolve().parents[2] / "events"


@pytest.fixture
def app(postgres_server: PostgresServer, store: Store) -> Iterator[FastAPI]:
    enroll_roster(ArenaRecords(store), "2026Q4", has_key=False)
    app = build(settings_of(postgres=postgres_server))
    yield app
    app.state.resources.close()


@pytest.mark.parametrize(("name", "status"), [("leaderboard", 200), ("forecasts", 200), ("pause", 404)])
def test_the_handler_answers_the_gateways_events(app: FastAPI, name: str, status: int) -> None:
    event = json.loads((EVENTS / f"arena.http-{name}.json").read_text())
    answer = lambda_handler(app)(event, None)
    body = json.loads(answer["body"])
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (status, False)
    if status == 200:
        check(f"/arena/{name}", 200, body)
        assert (body["items"], body["count"]) == ([], 0)
    else:
        assert body["instance"] == f"{API}/arena/agents/market/pause"


def test_an_empty_board_says_why_it_is_empty(app: FastAPI) -> None:
    event = json.loads((EVENTS / "arena.http-leaderboard.json").read_text())
    body = json.loads(lambda_handler(app)(event, None)["body"])
    assert "the first comes when a round is closed" in body["reason"]


def test_without_queue_and_database_an_admin_action_names_the_queues_setting() -> None:
    settings = settings_of(admin_token=SecretStr(TOKEN), supabase_url=None, supabase_service_role_key=None)
    client = TestClient(build(settings), raise_server_exceptions=False)
    for path in ("rounds", "redrive"):
        answer = client.post(f"{API}/arena/{path}", headers={"Authorization": f"Bearer {TOKEN}"})
        assert (answer.status_code, answer.json()["variable"]) == (503, "DECISIONS_QUEUE_URL")


def test_importing_the_handler_leaves_heavy_packages_alone(root: Path) -> None:
    heavy = {"boto3", "botocore.session", "pydantic_ai", "openai", "supabase", "numpy"}
    code = f"import sys, functions.arena.app; print(sorted(sys.modules.keys() & {heavy}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{root}:{root / 'layers/coliseum'}", "PYDANTIC_DISABLE_PLUGINS": "true"},
        cwd=root / "tests",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
