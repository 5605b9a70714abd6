"""The routes with which an outside agent sets the endpoint that Coliseum calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from functions.arena.app import build
from pydantic import SecretStr
from starlette.testclient import TestClient
from tests.contract.rest_world import API, check, client_of, settings_of
from tests.fixtures.postgres import PostgresServer

from coliseum.arena.calling.records import CallRecords
from coliseum.store.client import Store

ARENA = f"{API}/arena"
MINE = f"{ARENA}/entrants/me/endpoint"
ADMIN = "an-operators-token-0123"
OPERATOR = {"Authorization": f"Bearer {ADMIN}"}
URL = "https://agent.example/forecast"


@pytest.fixture
def arena(postgres_server: PostgresServer, store: Store) -> Iterator[TestClient]:
    del store  # empties the tables
    settings = settings_of(postgres=postgres_server)
    settings = settings.model_copy(update={"arena_entry": "open", "admin_token": SecretStr(ADMIN)})
    with client_of(build(settings)) as client:
        yield client


def entered(arena: TestClient, *, endpoint: str | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    """(The answer to the registration, the agent's headers)."""
    body = {"name": "Waiting", "contact": "me@example.org", **({"endpoint": endpoint} if endpoint else {})}
    made = arena.post(f"{ARENA}/entrants", json=body).json()
    return made, {"Authorization": f"Bearer {made['token']}"}


def test_the_secret_is_shown_once_and_nowhere_else(arena: TestClient) -> None:
    made, headers = entered(arena, endpoint=URL)
    assert made["signing_secret"].startswith("whsec_")
    mine = arena.get(f"{ARENA}/entrants/me", headers=headers)
    check("/arena/entrants/me", 200, mine.json())
    listed = arena.get(f"{ARENA}/entrants", headers=OPERATOR)
    check("/arena/entrants", 200, listed.json())
    public = arena.get(f"{ARENA}/agents/{made['entrant_id']}")
    claim = arena.get(made["claim_url"].partition("testserver")[2] or made["claim_url"])
    for answer in (mine, listed, public, claim):
        assert made["signing_secret"][6:30] not in answer.text
    assert "agent.example" not in public.text
    (row,) = listed.json()["items"]
    assert (row["endpoint"], row["endpoint_state"]["status"]) == (URL, "unproven")
    assert (mine.json()["endpoint"], mine.json()["endpoint_state"]["recent"]) == (URL, [])


def test_an_agent_without_an_endpoint_has_no_secret_and_can_set_one_later(arena: TestClient, store: Store) -> None:
    made, headers = entered(arena)
    assert made["signing_secret"] is None
    assert arena.get(f"{ARENA}/entrants/me", headers=headers).json()["endpoint_state"] is None
    answer = arena.put(MINE, headers=headers, json={"endpoint": URL})
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    (asked,) = CallRecords(store).claim(questions=1, challenges=1, each=1, call_seconds=1).challenges
    assert (asked.endpoint, asked.secrets) == (URL, (answer.json()["signing_secret"],))


def test_an_endpoint_can_be_replaced_rotated_resumed_and_removed(arena: TestClient, store: Store) -> None:
    made, headers = entered(arena, endpoint=URL)
    second = arena.put(MINE, headers=headers, json={"endpoint": "https://b.example/"}).json()["signing_secret"]
    third = arena.post(f"{MINE}/secret", headers=headers).json()["signing_secret"]
    assert len({made["signing_secret"], second, third}) == 3
    assert arena.post(f"{MINE}/resume", headers=headers).json() == {"status": "unproven"}
    (asked,) = CallRecords(store).claim(questions=1, challenges=1, each=1, call_seconds=1).challenges
    assert (asked.endpoint, asked.secrets) == ("https://b.example/", (third, second))
    removed = arena.delete(MINE, headers=headers)
    assert (removed.status_code, removed.content) == (204, b"")
    mine = arena.get(f"{ARENA}/entrants/me", headers=headers).json()
    assert (mine["endpoint"], mine["endpoint_state"]) == (None, None)
    for path in ("secret", "resume"):
        refused = arena.post(f"{MINE}/{path}", headers=headers)
        assert refused.status_code == 409
        assert "no endpoint" in refused.json()["detail"]


@pytest.mark.parametrize(
    "endpoint",
    ["http://a.example", "https://127.0.0.1/", "https://[::1]/", "https://a.example:8443/", "https://u:p@a.example/",
     "https://localhost/", "https://metadata.google.internal/", "https://2130706433/", "https://a.example/\n",
     "", 5, None],
)  # fmt: skip
def test_a_wrong_address_says_what_would_be_right(arena: TestClient, endpoint: Any) -> None:
    _, headers = entered(arena)
    refused = arena.put(MINE, headers=headers, json={"endpoint": endpoint})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "endpoint"


def test_changes_need_the_agents_token_and_are_limited(arena: TestClient) -> None:
    made, headers = entered(arena, endpoint=URL)
    for method, path in (("PUT", MINE), ("DELETE", MINE), ("POST", f"{MINE}/secret"), ("POST", f"{MINE}/resume")):
        for wrong in ({}, OPERATOR, {"Authorization": "Bearer clm_" + "A" * 43}):
            assert arena.request(method, path, headers=wrong, json={"endpoint": URL}).status_code == 401
    statuses = [arena.post(f"{MINE}/resume", headers=headers).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]
    refused = arena.put(MINE, headers=headers, json={"endpoint": "https://victim.example/"})
    assert 80_000 < int(refused.headers["Retry-After"]) <= 86_400
    arena.post(f"{ARENA}/entrants/{made['entrant_id']}/ban", headers=OPERATOR)
    assert arena.delete(MINE, headers=headers).status_code == 403


def test_nothing_of_it_exists_while_entry_is_off(postgres_server: PostgresServer) -> None:
    with client_of(build(settings_of(postgres=postgres_server))) as client:
        for method, path in (("PUT", MINE), ("DELETE", MINE), ("POST", f"{MINE}/secret"), ("POST", f"{MINE}/resume")):
            assert client.request(method, path, json={"endpoint": URL}).status_code == 404


def test_the_log_names_the_change_and_no_secret(arena: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    _, headers = entered(arena, endpoint=URL)
    answers = [arena.put(MINE, headers=headers, json={"endpoint": URL}), arena.post(f"{MINE}/secret", headers=headers)]
    text = caplog.text + json.dumps([vars(record) for record in caplog.records], default=str)
    assert all(answer.json()["signing_secret"][6:30] not in text for answer in answers)
