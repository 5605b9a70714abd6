"""Round opener and settler as Lambda calls them: scheduled events in; database, log, queue and exchange are real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from functions.round_opener import app as opener
from functions.settler import app as settler
from moto.server import ThreadedMotoServer
from tests.fixtures.exchange import Exchange
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer
from tests.functions.asked_round import MODELS as ASKED
from tests.functions.asked_round import ask
from tests.functions.forecaster_world import World
from tests.integration.arena_world import answer, end_round

from coliseum import aws, config
from coliseum.arena.records.all_tables import ArenaRecords
from coliseum.errors import ConfigurationError
from coliseum.feed.entries import EntryKind
from coliseum.feed.feed import Feed
from coliseum.observability import logger
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

EVENTS = Path(__file__).resolve().parents[2] / "events"
CONTEXT: Any = SimpleNamespace(
    function_name="arena",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:arena",
    aws_request_id="1",
    get_remaining_time_in_millis=lambda: 120_000,
)
logger()  # writes to the stdout of its first call: not that of a test that captures it


@pytest.fixture(scope="module")
def sqs() -> Iterator[SQSClient]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        aws.sqs_client.cache_clear()
        yield boto3.client("sqs")
        aws.sqs_client.cache_clear()
    server.stop()


@pytest.fixture
def queue_url(  # noqa: PLR0917 - fixtures
    sqs: SQSClient,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
    exchange_server: Exchange,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """A queue of the test's own, in the settings of two new containers."""
    url = sqs.create_queue(QueueName=prefix.replace(":", "-"))["QueueUrl"]
    values = {
        "upstash_redis_rest_url": redis_server.url,
        "upstash_redis_rest_token": redis_server.token,
        "redis_key_prefix": prefix,
        "supabase_url": postgres_server.url,
        "supabase_service_role_key": postgres_server.secret_key,
        "kalshi_api_base": exchange_server.url,
        "decisions_queue_url": url,
        "round_interval_seconds": 3600,
        "round_open_seconds": 60,
        "round_markets": 2,
    }
    monkeypatch.setitem(vars(config), "settings", config.load(values))
    yield url
    if opener.opener.cache_info().currsize:
        opener.opener().close()
    if settler.settler.cache_info().currsize:
        settler.settler().resources.close()
    opener.opener.cache_clear()
    settler.settler.cache_clear()


def call(app: ModuleType, event: str) -> dict[str, Any]:
    summary: dict[str, Any] = app.handler(json.loads((EVENTS / event).read_text()), CONTEXT)
    return summary


def received(sqs: SQSClient, url: str) -> list[str]:
    found: list[str] = []
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"])["decision_id"] for message in batch]
    return found


def test_the_schedule_opens_a_round_once_and_enrols_the_roster(
    store: Store, sqs: SQSClient, queue_url: str, redis: Redis, prefix: str
) -> None:
    first = call(opener, "round_opener.schedule.json")
    assert first["new"]
    records = ArenaRecords(store)
    asked = {one.decision_id for one in records.decisions(first["round_id"]) if one.agent_id != "consensus"}
    messages = received(sqs, queue_url)
    assert set(messages) == asked
    assert len(messages) == len(asked) == first["handed_out"]
    assert {agent.status for agent in records.agents() if agent.kind == "llm"} == {"needs_key"}
    held = records.round(first["round_id"])
    assert (held.exchange, held.funded_at is not None) == ("sandbox", True)

    again = call(opener, "round_opener.schedule.json")
    assert again == {"round_id": first["round_id"], "new": False, "handed_out": 0}
    assert received(sqs, queue_url) == []
    entries = Feed(redis, prefix=prefix, maxlen=1000).latest(10).reading.entries
    assert [(entry.kind, entry.data["round_id"]) for entry in entries] == [(EntryKind.ROUND_OPENED, first["round_id"])]


def test_the_settler_closes_the_round_and_publishes_boards_and_trades(  # noqa: PLR0917 - fixtures
    store: Store,
    queue_url: str,
    redis: Redis,
    prefix: str,
    postgres_server: PostgresServer,
    exchange_server: Exchange,
) -> None:
    round_id = call(opener, "round_opener.schedule.json")["round_id"]
    records = ArenaRecords(store)
    ticker = records.asked_markets([round_id])[0].ticker
    answer(records, round_id, agent="base-rate", ticker=ticker, p="0.99")
    exchange_server.admin(f"markets/{ticker}/settle", result="yes")
    end_round(postgres_server, round_id)
    summary = call(settler, "settler.schedule.json")
    assert (summary["results"], summary["rounds_closed"], summary["problems"], summary["boards"]) == (1, 1, (), 2)
    reports = store.select("arena_reports", "report", where=[("track", "eq", "blind")], order=("digest",))
    assert [one["report"]["report"]["graded_cells"] for one in reports] == [1], "a run's boards know its own results"
    kinds = [entry.kind for entry in Feed(redis, prefix=prefix, maxlen=1000).latest(100).reading.entries]
    assert {EntryKind.ROUND_OPENED, EntryKind.SETTLED, EntryKind.LEADERBOARD_CHANGED} <= set(kinds)
    again = call(settler, "settler.schedule.json")
    assert (again["rounds_closed"], again["ledger_rows"], again["boards"]) == (0, 0, 0)


def test_without_a_queue_the_functions_say_which_setting_is_missing(
    queue_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(config), "settings", config.settings.model_copy(update={"decisions_queue_url": None}))
    for build in (opener.opener, settler.settler):
        with pytest.raises(ConfigurationError, match="DECISIONS_QUEUE_URL"):
            build()


def test_a_nearly_spent_budget_is_told_once_and_a_spent_one_ends_the_asking(
    world: World, queue_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settlers, cap = config.settings, Decimal("0.0025")
    asked = ask(world.store)
    model = ASKED[0]
    assert world.invoke(asked.decision(model, "blind"), arena_daily_budget_usd=cap) == 0
    assert world.budget() == (Decimal(0), Decimal("0.0021")), "84 % of the budget"
    assert world.invoke(asked.decision(model, "aware"), arena_daily_budget_usd=cap) == 0
    assert asked.status(model, "blind")[0] == "done"
    assert asked.status(model, "aware") == ("skipped", 1, "budget")
    assert len(world.openrouter.requests) == 1
    capsys.readouterr()
    world.patch.setattr(config, "settings", settlers, raising=False)
    for _ in range(2):
        call(settler, "settler.schedule.json")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "BudgetNearlySpent" in line]
    assert [line["BudgetNearlySpent"] for line in lines] == [[1.0]]
