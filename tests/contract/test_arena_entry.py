"""Outside agents over REST: how they enter and play, and what a hostile one cannot do."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from functions.arena.app import build
from pydantic import SecretStr
from starlette.testclient import TestClient
from tests.contract.rest_world import API, check, client_of, settings_of
from tests.fixtures.postgres import PostgresServer
from tests.integration.arena_world import answer, end_round, enrolled, now, open_round

from coliseum.arena.entry.entrants import OPEN_FORECASTS_PER_DAY, OPEN_REQUESTS_PER_MINUTE
from coliseum.arena.forecasts import seal
from coliseum.arena.frozen_context import PRICED_KEYS
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.errors import SourceRefused
from coliseum.store.client import Store

ARENA = f"{API}/arena"
ADMIN = "an-operators-token-0123"
OPERATOR = {"Authorization": f"Bearer {ADMIN}"}
ME = {"name": "Base rates", "contact": "me@example.org"}
FORECAST = {"probability": 0.37, "rationale": "It rarely rains."}


@pytest.fixture
def records(store: Store) -> ArenaRecords:
    return ArenaRecords(store)


@pytest.fixture
def arena(postgres_server: PostgresServer, store: Store) -> Iterator[TestClient]:
    """An arena that anyone may enter."""
    del store  # empties the tables
    yield from _client(postgres_server, "open")


@pytest.fixture
def invited(postgres_server: PostgresServer, store: Store) -> Iterator[TestClient]:
    """An arena whose operator admits each agent."""
    del store
    yield from _client(postgres_server, "invite")


def _client(server: PostgresServer, mode: str) -> Iterator[TestClient]:
    values = {"arena_entry": mode, "admin_token": SecretStr(ADMIN), "arena_entry_per_address": 60}
    settings = settings_of(postgres=server).model_copy(update=values)
    with client_of(build(settings)) as client:
        yield client


def entered(arena: TestClient, name: str = ME["name"]) -> tuple[str, dict[str, str]]:
    """(entrant id, its headers)."""
    made = arena.post(f"{ARENA}/entrants", json={**ME, "name": name})
    assert made.status_code == 201, made.text
    return made.json()["entrant_id"], {"Authorization": f"Bearer {made.json()['token']}"}


def question(arena: TestClient, headers: dict[str, str]) -> str:
    return str(arena.get(f"{ARENA}/questions", headers=headers).json()["items"][0]["question_id"])


# ---------------------------------------------------------------- the way in


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/SKILL.md"), ("POST", "/entrants"), ("GET", "/entrants"), ("GET", "/entrants/me"),
        ("POST", "/entrants/me/token"), ("POST", "/entrants/e-x/admit"), ("GET", "/questions"),
        ("GET", "/questions/r-1.A"), ("PUT", "/forecasts/r-1.A"), ("GET", "/entrants/e-x/claim?code=abc"),
    ],
)  # fmt: skip
def test_nothing_of_it_exists_while_entry_is_off(postgres_server: PostgresServer, method: str, path: str) -> None:
    for client in _client(postgres_server, "off"):
        response = client.request(method, f"{ARENA}{path}", headers=OPERATOR, json={})
        assert response.status_code == 404


def test_an_agent_enters_reads_answers_and_is_scored(
    arena: TestClient, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    round_id = open_round(records)
    entrant, headers = entered(arena)
    listed = arena.get(f"{ARENA}/questions", headers=headers)
    check("/arena/questions", 200, listed.json())
    (asked,) = listed.json()["items"]
    assert (asked["question_id"], asked["round_id"], asked["ticker"]) == (f"{round_id}.A", round_id, "A")
    assert set(PRICED_KEYS) <= asked["context"].keys()
    text = json.dumps(asked["context"], sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == asked["context_hash"]
    sealed = arena.put(f"{ARENA}/forecasts/{asked['question_id']}", headers=headers, json=FORECAST)
    assert sealed.status_code == 201
    assert sealed.json()["forecast_id"] == f"{round_id}/A/{entrant}/open"
    assert arena.get(f"{ARENA}/questions", headers=headers).json()["items"] == []
    secret = arena.get(f"{ARENA}/forecasts/{sealed.json()['forecast_id']}").json()
    assert (secret["opened"], secret["payload"]) == (False, None)
    assert "0.37" not in json.dumps(secret)
    end_round(postgres_server, round_id)
    opened = arena.get(f"{ARENA}/forecasts/{sealed.json()['forecast_id']}").json()
    assert (opened["payload"]["probability"], opened["payload"]["rationale"]) == ("0.37", FORECAST["rationale"])
    assert seal(opened["payload"]) == sealed.json()["seal"]
    records.record_result("A", status="finalized", result="no", value=Decimal(0), decided_at=now())
    mine = arena.get(f"{ARENA}/entrants/me", headers=headers).json()
    assert (mine["asked"], mine["answered"], mine["settled"], mine["missed"]) == (1, 1, 1, [])
    assert mine["brier"] == pytest.approx(0.37**2)


def test_a_new_round_asks_agents_that_play_and_silence_is_recorded(
    arena: TestClient, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    first = open_round(records, ago=timedelta(seconds=30))
    playing, headers = entered(arena)
    silent, _ = entered(arena, "Silent")
    assert arena.put(f"{ARENA}/forecasts/{first}.A", headers=headers, json=FORECAST).status_code == 201
    assert records.playing_entrants() == {playing}
    postgres_server.execute(f"update arena_agents set status = 'paused' where agent_id = '{silent}'")  # noqa: S608
    second = open_round(records)
    end_round(postgres_server, second)
    records.close_round(second)
    mine = arena.get(f"{ARENA}/entrants/me", headers=headers).json()
    assert (mine["asked"], mine["answered"], mine["missed"]) == (2, 1, [f"{second}.A"])


def test_an_invited_agent_waits_for_the_operator(invited: TestClient, records: ArenaRecords) -> None:
    enrolled(records)
    open_round(records)
    made = invited.post(f"{ARENA}/entrants", json=ME).json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert made["status"] == "pending"
    assert invited.get(f"{ARENA}/questions", headers=headers).status_code == 403
    path = made["claim_url"].removeprefix("http://testserver").removeprefix("https://testserver")
    shown = invited.get(path)
    assert (shown.status_code, shown.json()["name"], shown.json()["status"]) == (200, ME["name"], "pending")
    entrant = made["entrant_id"]
    assert invited.post(f"{ARENA}/entrants/{entrant}/admit").status_code == 401
    assert invited.post(f"{ARENA}/entrants/{entrant}/admit", headers=headers).status_code == 401
    assert invited.post(f"{ARENA}/entrants/{entrant}/admit", headers=OPERATOR).json()["status"] == "active"
    assert len(invited.get(f"{ARENA}/questions", headers=headers).json()["items"]) == 1


def test_wrong_codes_find_nothing_and_do_not_close_the_link(
    invited: TestClient, postgres_server: PostgresServer
) -> None:
    """Ids are public, so anyone could close the links of others."""
    made = invited.post(f"{ARENA}/entrants", json=ME).json()
    right = made["claim_url"].partition(API)[2]
    for wrong in (*(str(number) * 43 for number in range(7)), "x", "é" * 43):
        assert invited.get(f"{ARENA}/entrants/{made['entrant_id']}/claim", params={"code": wrong}).status_code == 404
    assert invited.get(f"{API}{right}").status_code == 200
    postgres_server.execute("update arena_entrants set claim_until = now()")
    assert invited.get(f"{API}{right}").status_code == 404


def test_the_operator_sees_limits_and_bans_agents(arena: TestClient, records: ArenaRecords) -> None:
    enrolled(records)
    open_round(records, ["A", "B"])
    entrant, headers = entered(arena)
    assert arena.get(f"{ARENA}/entrants").status_code == 401
    listed = arena.get(f"{ARENA}/entrants", headers=OPERATOR).json()
    assert [(row["entrant_id"], row["contact"]) for row in listed["items"]] == [(entrant, ME["contact"])]
    limited = arena.post(f"{ARENA}/entrants/{entrant}/limit", headers=OPERATOR, json={"forecasts_per_day": 1})
    assert limited.json()["forecasts_per_day"] == 1
    first = arena.put(f"{ARENA}/forecasts/{question(arena, headers)}", headers=headers, json=FORECAST)
    second = arena.put(f"{ARENA}/forecasts/{question(arena, headers)}", headers=headers, json=FORECAST)
    assert (first.status_code, second.status_code) == (201, 429)
    assert int(second.headers["Retry-After"]) > 0
    assert arena.post(f"{ARENA}/entrants/{entrant}/ban", headers=OPERATOR).json()["status"] == "banned"
    assert arena.get(f"{ARENA}/questions", headers=headers).status_code == 403
    assert arena.get(f"{ARENA}/agents/{entrant}").json()["status"] == "retired"
    assert arena.post(f"{ARENA}/entrants/e-nobody/ban", headers=OPERATOR).status_code == 404


def test_a_token_can_be_replaced(arena: TestClient) -> None:
    _, headers = entered(arena)
    token = arena.post(f"{ARENA}/entrants/me/token", headers=headers).json()["token"]
    assert arena.get(f"{ARENA}/entrants/me", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert arena.get(f"{ARENA}/entrants/me", headers=headers).status_code == 401


def test_an_agent_is_marked_as_an_outsider_and_has_no_account(arena: TestClient, records: ArenaRecords) -> None:
    enrolled(records)
    entrant, _ = entered(arena)
    shown = arena.get(f"{ARENA}/agents/{entrant}").json()
    assert (shown["kind"], shown["tracks"], shown["accounts"]) == ("entrant", ["open"], [])
    assert ME["contact"] not in json.dumps(shown)


# ---------------------------------------------------------------- what a hostile agent cannot do


def test_one_of_two_forecasts_at_once_wins_and_the_other_learns_its_seal(
    arena: TestClient, records: ArenaRecords
) -> None:
    enrolled(records)
    open_round(records)
    _, headers = entered(arena)
    address, start = f"{ARENA}/forecasts/{question(arena, headers)}", threading.Barrier(8)

    def send(number: int) -> Any:
        start.wait()
        return arena.put(address, headers=headers, json={"probability": 0.1 + number / 100})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    (won,) = [each for each in answers if each.status_code == 201]
    assert {each.status_code for each in answers if each is not won} == {409}
    assert {each.json()["seal"] for each in answers} == {won.json()["seal"]}
    assert len(records.forecasts()) == 1


def test_a_forecast_is_neither_late_nor_for_a_foreign_question(
    arena: TestClient, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    round_id = open_round(records)
    _, headers = entered(arena)
    for wrong in ("r-1.A", f"{round_id}.NOPE", f"{round_id}.A.open"):
        assert arena.put(f"{ARENA}/forecasts/{wrong}", headers=headers, json=FORECAST).status_code == 404
    for wrong in ("A", f"{round_id}/A/uniform/blind", "..%2F..%2Fx.A", f"{round_id}.A%00", "x" * 300):
        assert arena.put(f"{ARENA}/forecasts/{wrong}", headers=headers, json=FORECAST).status_code in {404, 405, 422}
    end_round(postgres_server, round_id)
    late = arena.put(f"{ARENA}/forecasts/{round_id}.A", headers=headers, json=FORECAST)
    assert late.status_code == 409
    assert "closed" in late.json()["detail"]
    assert records.forecasts() == ()


@pytest.mark.parametrize(
    "token",
    ["", "x", "clm_" + "A" * 43, "clm_" + "A" * 42, "clm_" + "é" * 43, "clm_" + "A" * 5000, ADMIN, "' or 1=1 --"],
)
def test_a_wrong_token_is_refused_and_not_repeated(arena: TestClient, token: str) -> None:
    response = arena.get(f"{ARENA}/questions", headers={b"Authorization": b"Bearer " + token.encode()})
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert not token or token not in response.text


BODIES = [
    b"", b"{}", b"[]", b"null", b"0.5", b'{"probability": "0.5"}', b'{"probability": NaN}', b'{"probability": 1e999}',
    b'{"probability": Infinity}', b'{"probability": -0.1}', b'{"probability": 1.01}', b'{"probability": true}',
    b'{"probability": 0.5, "probability": 0.6}', b'{"probability": 0.5, "agent_id": "market"}',
    b'{"probability": 0.5, "rationale": "\\u0000"}', b'{"probability": 0.5, "rationale": "\\ud800"}',
    b'{"probability": 0.5, "rationale": 5}', b'{"probability": 0.5, "rationale": "' + b"x" * 5000 + b'"}',
    b'{"a":' * 20_000, b"[" * 30_000, b"\xff\xfe", b"{", b'{"probability": 37}', b'{"probability": 0.5,}',
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_wrong_body_is_named_and_stores_nothing(arena: TestClient, records: ArenaRecords, body: bytes) -> None:
    enrolled(records)
    round_id = open_round(records)
    _, headers = entered(arena)
    response = arena.put(
        f"{ARENA}/forecasts/{round_id}.A", headers={**headers, "Content-Type": "application/json"}, content=body
    )
    assert response.status_code in {413, 422}
    assert response.json()["detail"]
    assert b"xxxx" not in response.content
    assert records.forecasts() == ()


def test_a_body_that_is_too_long_is_refused(arena: TestClient) -> None:
    _, headers = entered(arena)
    response = arena.put(f"{ARENA}/forecasts/r-1.A", headers=headers, content=b'{"rationale": "' + b"x" * 40_000)
    assert response.status_code == 413


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""}, {"name": "x"}, {"name": "x" * 61}, {"name": " spaces "}, {"name": "two\nlines"},
        {"name": "hidden\u202etext"}, {"name": "zero\u200bwidth"}, {"contact": ""}, {"contact": None}, {"more": 1},
        {"endpoint": "http://a.example"}, {"endpoint": "https://127.0.0.1/x"}, {"endpoint": "https://a.example:8443"},
        {"endpoint": "https://user@a.example"}, {"endpoint": "https://localhost/x"}, {"endpoint": "https://a.internal"},
        {"endpoint": "https://2130706433/"}, {"endpoint": "https://127.0x1/f"}, {"endpoint": "https://0x7f.0x0.0x0.0x1/"},
        {"endpoint": "https://a.9x/"}, {"endpoint": "https://a.example/\x7f"}, {"endpoint": "https://[::1]/"},
        {"endpoint": "ftp://a.example"},
        {"endpoint": "https://a.example/\n"}, {"name": 5},
    ],
)  # fmt: skip
def test_a_wrong_registration_says_what_would_be_right(arena: TestClient, change: dict[str, Any]) -> None:
    response = arena.post(f"{ARENA}/entrants", json={**ME, **change})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == next(iter(change))


@pytest.mark.parametrize("name", ["uniform", "UNIFORM", "Base rates", "BASE RATES"])
def test_a_name_that_is_taken_is_refused(arena: TestClient, records: ArenaRecords, name: str) -> None:
    enrolled(records)
    entered(arena)
    taken = arena.post(f"{ARENA}/entrants", json={**ME, "name": name})
    assert taken.status_code == (409 if name.lower() in {"base rates", "uniform"} else 201)


def test_a_flood_is_stopped_at_the_limit(arena: TestClient) -> None:
    _, headers = entered(arena)
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda _: arena.get(f"{ARENA}/entrants/me", headers=headers).status_code, range(60)))
    assert statuses.count(200) == OPEN_REQUESTS_PER_MINUTE
    assert set(statuses) == {200, 429}


def test_registrations_are_limited_by_the_hour(arena: TestClient) -> None:
    statuses = [
        arena.post(f"{ARENA}/entrants", json={**ME, "name": f"Agent {number}"}).status_code for number in range(62)
    ]
    assert statuses == [201] * 60 + [429] * 2


def test_the_days_limit_holds_for_many_at_once(
    arena: TestClient, records: ArenaRecords, postgres_server: PostgresServer
) -> None:
    enrolled(records)
    tickers = [f"A{number}" for number in range(12)]
    round_id = open_round(records, tickers)
    _, headers = entered(arena)
    postgres_server.execute("update arena_entrants set forecasts_per_day = 5, requests_per_minute = 6000")
    with ThreadPoolExecutor(6) as pool:
        statuses = list(
            pool.map(
                lambda ticker: (
                    arena.put(f"{ARENA}/forecasts/{round_id}.{ticker}", headers=headers, json=FORECAST).status_code
                ),
                tickers,
            )
        )
    assert statuses.count(201) == 5
    assert OPEN_FORECASTS_PER_DAY > 5


def test_agents_with_entry_do_not_change_the_forecasts_of_others(arena: TestClient, records: ArenaRecords) -> None:
    enrolled(records)
    round_id = open_round(records)
    stored = answer(records, round_id)
    _, headers = entered(arena)
    arena.put(f"{ARENA}/forecasts/{round_id}.A", headers=headers, json=FORECAST)
    kept = [one for one in records.forecasts() if one.agent_id == "uniform"]
    assert kept == [stored]


@pytest.mark.parametrize("probability", [0, 0.001, 0.37, 0.995, 1])
def test_no_agent_may_be_certain(arena: TestClient, records: ArenaRecords, probability: float) -> None:
    enrolled(records)
    open_round(records)
    _, headers = entered(arena)
    address = f"{ARENA}/forecasts/{question(arena, headers)}"
    tried = arena.put(f"{address}?dry_run=true", headers=headers, json={"probability": probability})
    assert (tried.status_code, tried.json()["stored"], tried.json()["forecast_id"]) == (200, False, None)
    sealed = arena.put(address, headers=headers, json={"probability": probability})
    assert sealed.json()["probability"] == min(0.99, max(0.01, probability))


def test_nothing_secret_is_stored_or_shown(arena: TestClient, postgres_server: PostgresServer) -> None:
    made = arena.post(f"{ARENA}/entrants", json=ME).json()
    with psycopg.connect(postgres_server.dsn) as connection:
        (row,) = connection.execute("select to_jsonb(e)::text from arena_entrants e").fetchall()
    assert made["token"] not in row[0]
    assert made["claim_url"].rpartition("=")[2] not in row[0]
    for key in (postgres_server.publishable_key, postgres_server.secret_key):
        with closing(Store(postgres_server.url, key)) as store, pytest.raises(SourceRefused):
            store.select("arena_entrants", "token_hash")
