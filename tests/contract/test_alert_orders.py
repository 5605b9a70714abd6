"""The history of alerts over HTTP, and the orders about them: who may send them, and what they do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
from functions.portfolio.app import build
from pydantic import SecretStr
from starlette.testclient import TestClient
from tests.contract.rest_world import API, DOCUMENT, check, client_of, settings_of
from tests.fixtures.postgres import PostgresServer

from coliseum.store.client import Store

TOKEN = "an-operators-token-0123"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
START = datetime(2026, 12, 1, tzinfo=UTC)
ORDERS = [("/alerts/bot_idle:all:3/acknowledge", None), ("/alerts/mute", {"rule": "bot_idle", "hours": 2})]


def check_order(path: str, body: object) -> None:
    """Assert that the answer of an order has the published schema."""
    schema = DOCUMENT["paths"][API + path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(body, {**schema, "components": DOCUMENT["components"]})


@pytest.fixture
def client(store: Store, postgres_server: PostgresServer) -> Iterator[TestClient]:
    """Seven alerts, two and two of one moment, each with one delivery."""
    settings = settings_of(postgres=postgres_server, admin_token=SecretStr(TOKEN))
    owner = settings.identity.label
    rows = [
        {
            "owner": owner,
            "alert_id": f"bot_idle:all:{number}",
            "rule": "bot_idle",
            "subject": "all",
            "episode": number,
            "severity": "warning",
            "is_event": False,
            "text": "The bot does not trade.",
            "raised_at": (START + timedelta(minutes=number // 2)).isoformat(),
        }
        for number in range(7)
    ]
    store.insert("alerts", [*rows, {**rows[0], "owner": "somebody else"}])
    at = START.isoformat()
    store.insert(
        "alert_deliveries",
        [
            {"owner": owner, "alert_id": row["alert_id"], "phase": "raised", "service": "json-12345678", "at": at}
            | {"created_at": at, "due_at": at}
            for row in rows
        ],
    )
    with client_of(build(settings)) as opened:
        yield opened


def test_pages_hold_each_alert_once_newest_first(client: TestClient) -> None:
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        response = client.get(f"{API}/alerts", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        check("/alerts", response.status_code, response.json())
        ids += [item["id"] for item in response.json()["items"]]
        cursor = response.json()["next_cursor"]
    assert ids == [f"bot_idle:all:{number}" for number in reversed(range(7))]


def test_an_alert_says_who_was_told(client: TestClient) -> None:
    item = client.get(f"{API}/alerts?limit=1").json()["items"][0]
    assert (item["state"], item["deliveries"][0]["status"]) == ("firing", "waiting")
    assert item["deliveries"][0]["service"] == "json-12345678"


def test_filters_choose_by_rule_and_time(client: TestClient) -> None:
    assert client.get(f"{API}/alerts?rule=closing").json()["items"] == []
    late = client.get(f"{API}/alerts", params={"since": "2026-12-01T00:03:00Z"}).json()["items"]
    assert [item["id"] for item in late] == ["bot_idle:all:6"]


@pytest.mark.parametrize(("path", "body"), ORDERS)
def test_orders_need_the_operators_token(
    client: TestClient, postgres_server: PostgresServer, path: str, body: dict[str, object] | None
) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}):
        assert client.post(API + path, json=body, headers=headers).status_code == 401
    with client_of(build(settings_of(postgres=postgres_server))) as closed:
        assert closed.post(API + path, json=body, headers=ADMIN).status_code == 404


def test_an_alert_is_acknowledged_once_and_for_all(client: TestClient) -> None:
    path = f"{API}/alerts/bot_idle:all:3/acknowledge"
    first, second = client.post(path, headers=ADMIN), client.post(path, headers=ADMIN)
    check_order("/alerts/{alert_id}/acknowledge", first.json())
    assert first.json() == second.json()
    item = client.get(f"{API}/alerts").json()["items"][3]
    assert (item["id"], item["acknowledged_at"]) == ("bot_idle:all:3", first.json()["acknowledged_at"])


def test_an_unknown_alert_is_not_found(client: TestClient) -> None:
    assert client.post(f"{API}/alerts/bot_idle:all:99/acknowledge", headers=ADMIN).status_code == 404
    assert client.post(f"{API}/alerts/x/acknowledge", headers=ADMIN).status_code == 422


def test_a_mute_ends_within_seven_days(client: TestClient) -> None:
    answer = client.post(f"{API}/alerts/mute", json={"rule": "*", "hours": 168}, headers=ADMIN)
    check_order("/alerts/mute", answer.json())
    until = datetime.fromisoformat(answer.json()["until"])
    assert timedelta(days=6, hours=23) < until - datetime.now(UTC) <= timedelta(days=7, minutes=1)
    ended = client.post(f"{API}/alerts/mute", json={"rule": "*", "hours": 0}, headers=ADMIN)
    assert datetime.fromisoformat(ended.json()["until"]) <= datetime.now(UTC) + timedelta(minutes=1)


@pytest.mark.parametrize(
    "body",
    [
        {"rule": "bot_idle", "hours": 168.1},
        {"rule": "bot_idle", "hours": -1},
        {"rule": "no_such_rule", "hours": 1},
        {"rule": "bot_idle", "hours": "1"},
        {"rule": "bot_idle"},
        {"rule": "bot_idle", "hours": 1, "more": 1},
    ],
)
def test_a_wrong_mute_is_refused_and_named(client: TestClient, body: dict[str, object]) -> None:
    answer = client.post(f"{API}/alerts/mute", json=body, headers=ADMIN)
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert answer.json()["errors"][0]["field"] in {"rule", "hours", "more"}
