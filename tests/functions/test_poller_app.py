"""The poller function as Lambda calls it: a scheduled event in, a summary and metrics out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from functions.poller import app
from tests.contract.rest_world import with_key
from tests.fixtures.exchange import Exchange
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer
from tests.fixtures.scripted_bot import ScriptedBot, row, serving

from coliseum import config
from coliseum.observability import logger
from coliseum.store.client import Store

EVENT = json.loads((Path(__file__).resolve().parents[2] / "events" / "poller.schedule.json").read_text())
AT = 1_795_000_000.0
logger()  # writes to the stdout of its first call: not that of a test that captures it
Invoke = Callable[..., dict[str, Any]]


class Clock:
    """Monotonic seconds that pass only while something sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def bot() -> Iterator[ScriptedBot]:
    with serving(ScriptedBot()) as scripted:
        yield scripted


@pytest.fixture
def invoke(
    bot: ScriptedBot, redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Invoke]:
    """Call the handler in a new container with these settings. Its minute lasts half a second."""

    def call(**more: Any) -> dict[str, Any]:
        values = {
            "upstash_redis_rest_url": redis_server.url,
            "upstash_redis_rest_token": redis_server.token,
            "redis_key_prefix": prefix,
            "bot_status_endpoint": bot.status_url,
            "bot_trades_endpoint": bot.trades_url,
            "poll_interval_seconds": 0.2,
        }
        monkeypatch.setattr(config, "settings", config.load(values | more), raising=False)
        monkeypatch.setattr(app, "MINUTE_SECONDS", 0.5)
        new_container()
        summary: dict[str, Any] = app.handler(EVENT, SimpleNamespace(get_remaining_time_in_millis=lambda: 70_000))
        return summary

    yield call
    new_container()


def new_container() -> None:
    """The next call builds a container; the connections of the last one are closed."""
    if app.container.cache_info().currsize:
        app.container().clients.close()
    app.container.cache_clear()


def test_a_minute_brings_trades_from_the_bot_to_postgres(
    bot: ScriptedBot,
    invoke: Invoke,
    store: Store,
    postgres_server: PostgresServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bot.trade(row("a", at=AT), row("b", at=AT + 1), row("bad", at=AT, quantity=-1))
    supabase = {"supabase_url": postgres_server.url, "supabase_service_role_key": postgres_server.secret_key}
    summary = invoke(**supabase)
    again = invoke(**supabase)

    assert summary["ticks"] >= 1
    assert (summary["trades"], summary["rejected"]) == (2, 1)
    assert summary["projection"] == {"entries": 4, "lost": 0, "problem": None}
    assert (again["trades"], again["projection"]["entries"]) == (0, 0)
    assert [row["trade_id"] for row in store.select("trades", "trade_id", order=("seq",))] == ["a", "b"]
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert written[0]["Ticks"] == [float(summary["ticks"])]
    assert written[0]["TradesPublished"] == [2.0]
    assert written[0]["RejectedTrades"] == [1.0]
    assert {"SourceGaps", "RedisErrors", "PollLagMs", "ProjectionFailures"} <= set(written[0])


def test_old_history_is_thinned_after_the_minute(invoke: Invoke, store: Store, postgres_server: PostgresServer) -> None:
    old = datetime.now(UTC).replace(minute=0) - timedelta(days=30)
    moments = [old + timedelta(minutes=minutes) for minutes in (0, 5, 65)]
    store.insert(
        "balance_snapshots", [{"taken_at": at, "cash": 1, "portfolio_value": 0, "source": "kalshi"} for at in moments]
    )
    invoke(supabase_url=postgres_server.url, supabase_service_role_key=postgres_server.secret_key)

    assert len(store.select("balance_snapshots", "taken_at")) == 2


@pytest.fixture
def everything(store: Store, postgres_server: PostgresServer, exchange_server: Exchange) -> dict[str, Any]:
    """The settings for an empty database and an account."""
    database = {"supabase_url": postgres_server.url, "supabase_service_role_key": postgres_server.secret_key}
    return {"kalshi_api_base": exchange_server.url, **with_key(exchange_server), **database}


def test_a_quiet_minute_with_an_account_snapshot_costs_eight_redis_commands(
    invoke: Invoke, everything: dict[str, Any], store: Store, redis_server: RedisServer, prefix: str
) -> None:
    """The handler's own services through a whole minute, on a clock that needs no time."""
    invoke(**everything)
    clock = Clock()
    services = app.build(config.settings, clock=lambda: int((AT + clock()) * 1000))
    # The turn to ask for the balance ends by itself, on a slow machine even before this line.
    for turn in redis_server.admin.post("/", json=["KEYS", f"{prefix}*cache:balance:turn"]).json()["result"]:
        redis_server.admin.post("/", json=["DEL", turn])
    redis_server.reset_meter()
    done = services.poller.minute(until=58.0, clock=clock, sleep=clock.sleep)
    services.projector.run(services.poller.head, time_left=lambda: 60)
    services.history.run(time_left=lambda: 60, clock=lambda: time.time() + 300)

    assert done.trades == 0
    assert redis_server.billed() == {"HMGET": 1, "SET": 4, "PUBLISH": 3}
    assert len(store.select("balance_snapshots", "taken_at")) == 2
    services.clients.close()


def test_trades_are_published_where_supabase_is_not_configured(bot: ScriptedBot, invoke: Invoke) -> None:
    bot.trade(row("a", at=AT))
    summary = invoke()

    assert summary["trades"] == 1
    assert summary["projection"]["problem"] == "SUPABASE_URL or SUPABASE_SERVICE_ROLE_KEY is not set"


def test_trades_are_published_while_supabase_is_down_and_projected_later(
    bot: ScriptedBot, invoke: Invoke, store: Store, postgres_server: PostgresServer
) -> None:
    bot.trade(row("a", at=AT))
    down = invoke(supabase_url="http://127.0.0.1:9", supabase_service_role_key="sb_secret_unused")
    later = invoke(supabase_url=postgres_server.url, supabase_service_role_key=postgres_server.secret_key)

    assert down["trades"] == 1
    assert "postgres" in down["projection"]["problem"]
    assert later["projection"]["entries"] == 2
    assert [row["trade_id"] for row in store.select("trades", "trade_id")] == ["a"]


def test_a_minute_without_redis_is_counted_and_not_raised(invoke: Invoke) -> None:
    summary = invoke(upstash_redis_rest_url="http://127.0.0.1:9")

    assert summary["redis_errors"] > 0
    assert summary["trades"] == 0


def test_an_invocation_with_little_time_does_not_begin_a_tick(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MARGIN_SECONDS", 71.0)

    assert invoke()["ticks"] == 0
