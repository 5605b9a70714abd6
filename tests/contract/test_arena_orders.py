"""Admin actions: who may send them, what they do, and that they can be repeated."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import jsonschema
import pytest
from functions.arena.app import build
from moto.server import ThreadedMotoServer
from pydantic import SecretStr
from starlette.testclient import TestClient
from tests.contract.rest_world import API, DOCUMENT, client_of, settings_of, with_key
from tests.fixtures.exchange import Exchange
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer

from coliseum import aws
from coliseum.arena.agents.enrollment import enroll_roster
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.feed.entries import EntryKind
from coliseum.feed.feed import Feed
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

ARENA = f"{API}/arena"
TOKEN = "an-operators-token-0123"
ADMIN_HEADERS = {b"Authorization": f"Bearer {TOKEN}".encode()}
COMMANDS = ["/rounds", "/redrive", "/agents/market/pause", "/agents/market/resume", "/agents/market/retire"]


class Queue:
    """An SQS queue of the fake server, and its messages."""

    def __init__(self) -> None:
        self._sqs = boto3.client("sqs")
        self.url = self._sqs.create_queue(QueueName="decisions")["QueueUrl"]

    def take(self) -> list[str]:
        """The decision ids of all messages. The queue is empty afterwards."""
        decision_ids: list[str] = []
        while True:
            messages = self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
            if not messages:
                return decision_ids
            for message in messages:
                decision_ids.append(json.loads(message["Body"])["decision_id"])
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])


@pytest.fixture(scope="module")
def sqs_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def queue(sqs_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    for name, value in {"AWS_ENDPOINT_URL": sqs_url, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}.items():
        monkeypatch.setenv(name, value)
    aws.sqs_client.cache_clear()
    queue = Queue()
    yield queue
    queue.take()
    aws.sqs_client.cache_clear()


Serve = Callable[..., TestClient]


@pytest.fixture
def serve(
    exchange_server: Exchange, redis_server: RedisServer, postgres_server: PostgresServer, store: Store, prefix: str
) -> Iterator[Serve]:
    """Starts the app with real servers and the given settings."""
    opened: list[TestClient] = []

    def start(**more: Any) -> TestClient:
        values = {**with_key(exchange_server), "round_open_seconds": 30, "round_markets": 3, **more}
        settings = settings_of(
            exchange=exchange_server, redis=redis_server, postgres=postgres_server, prefix=prefix, **values
        )
        client = client_of(build(settings)).__enter__()
        opened.append(client)
        return client

    yield start
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def season(store: Store) -> ArenaRecords:
    records = ArenaRecords(store)
    enroll_roster(records, "2026Q4", has_key=False)
    return records


def post(client: TestClient, path: str, template: str = "") -> Any:
    response = client.post(ARENA + path, headers=ADMIN_HEADERS)
    assert response.status_code == 200, response.text
    content = DOCUMENT["paths"][f"{ARENA}{template or path}"]["post"]["responses"]["200"]["content"]
    schema = {**content["application/json"]["schema"], "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(response.json())
    return response.json()


def test_without_an_admin_token_the_commands_answer_404(serve: Serve, season: ArenaRecords) -> None:
    client = serve()
    for path in COMMANDS:
        response = client.post(ARENA + path, headers=ADMIN_HEADERS)
        assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert {agent.status for agent in season.agents()} == {"active", "needs_key"}


def test_a_wrong_token_is_refused_before_anything_else(
    serve: Serve, season: ArenaRecords, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(admin_token=SecretStr(TOKEN))
    for header in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"):
        for path in [*COMMANDS, "/agents/NOBODY/promote"]:
            response = client.post(ARENA + path, headers={b"Authorization": header.encode()} if header else {})
            assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer"), (header, path)
            assert response.headers["content-type"] == "application/problem+json"
            assert TOKEN not in response.text
    assert {agent.status for agent in season.agents()} == {"active", "needs_key"}
    assert TOKEN not in caplog.text


def test_the_document_says_which_routes_need_the_token() -> None:
    posts = {
        path: item["post"] for path, item in DOCUMENT["paths"].items() if path.startswith(ARENA) and "post" in item
    }
    # Registering needs no token, a new token needs the old one, and MCP clients list tools before they have one.
    for_agents: dict[str, Any] = {f"{ARENA}/entrants": None, f"{ARENA}/entrants/me/token": [{"outside agent": []}]}
    for path in ("/mcp", "/entrants/me/endpoint/secret", "/entrants/me/endpoint/resume"):
        for_agents[f"{ARENA}{path}"] = [{"outside agent": []}]
    assert {path: posts.pop(path).get("security") for path in for_agents} == for_agents
    assert len(posts) == 7
    assert all(operation["security"] == [{"operator": []}] for operation in posts.values())


def test_an_agent_can_be_paused_resumed_and_retired_but_not_brought_back(
    serve: Serve, season: ArenaRecords, caplog: pytest.LogCaptureFixture
) -> None:
    client, template = serve(admin_token=SecretStr(TOKEN)), "/agents/{agent_id}/{order}"
    answers = [
        post(client, f"/agents/market/{order}", template)
        for order in ("pause", "pause", "resume", "resume", "retire", "retire")
    ]
    assert [answer["status"] for answer in answers] == ["paused", "paused", "active", "active", "retired", "retired"]
    assert [answer["changed"] for answer in answers] == [True, False, True, False, True, False]
    assert season.agent("market").status == "retired"
    back = client.post(f"{ARENA}/agents/market/resume", headers=ADMIN_HEADERS)
    assert (back.status_code, "has not retired" in back.json()["detail"]) == (400, True)
    logged = [vars(record) for record in caplog.records if record.message == "admin command"]
    assert [fields["command"] for fields in logged] == ["pause", "pause", "resume", "resume", "retire", "retire"]
    assert {fields["agent_id"] for fields in logged} == {"market"}
    assert len({fields["correlation_id"] for fields in logged}) == 6
    assert TOKEN not in str(logged)


def test_a_resumed_model_without_a_key_needs_a_key(serve: Serve, season: ArenaRecords) -> None:
    client, template = serve(admin_token=SecretStr(TOKEN)), "/agents/{agent_id}/{order}"
    model = next(agent.agent_id for agent in season.agents() if agent.kind == "llm")
    post(client, f"/agents/{model}/pause", template)
    assert post(client, f"/agents/{model}/resume", template)["status"] == "needs_key"


def test_an_invalid_command_is_a_problem(serve: Serve, season: ArenaRecords) -> None:
    client = serve(admin_token=SecretStr(TOKEN))
    for path, status in {"nobody/pause": 404, "NOBODY/pause": 422, "market/promote": 422}.items():
        response = client.post(f"{ARENA}/agents/{path}", headers=ADMIN_HEADERS)
        assert (response.status_code, response.json()["status"]) == (status, status)


def test_a_round_is_opened_once_and_its_questions_can_be_handed_out_again(
    serve: Serve, queue: Queue, store: Store, redis: Redis, prefix: str
) -> None:
    client = serve(admin_token=SecretStr(TOKEN), decisions_queue_url=queue.url, round_interval_seconds=604_800)
    first, second = post(client, "/rounds"), post(client, "/rounds")
    decisions = [one.decision_id for one in ArenaRecords(store).decisions(first["round_id"])]
    queued = queue.take()
    assert (first["new"], second["new"], second["handed_out"]) == (True, False, 0)
    assert first["round_id"] == second["round_id"]
    assert len(queued) == len(set(queued)) == first["handed_out"] > 0
    assert set(queued) < set(decisions), "the consensus waits for the others"
    again = post(client, "/redrive")
    assert (sorted(queue.take()), again["handed_out"]) == (sorted(queued), len(queued))
    kinds = [entry.kind for entry in Feed(redis, prefix=prefix, maxlen=100).latest(10).reading.entries]
    assert kinds == [EntryKind.ROUND_OPENED]
    assert client.get(f"{ARENA}/rounds").json()["items"][0]["round_id"] == first["round_id"]


def test_without_a_queue_an_admin_action_names_the_missing_setting(serve: Serve, season: ArenaRecords) -> None:
    client = serve(admin_token=SecretStr(TOKEN))
    for path in ("/rounds", "/redrive"):
        response = client.post(ARENA + path, headers=ADMIN_HEADERS)
        assert (response.status_code, response.json()["variable"]) == (503, "DECISIONS_QUEUE_URL")
