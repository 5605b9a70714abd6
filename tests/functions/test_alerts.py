"""The alerts as Lambda calls them: real database, Redis and Apprise, and services on loopback."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from functions.alerts import app
from tests.fixtures.alert_services import TakenMessages, http_service
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer

from coliseum import config
from coliseum.feed.entries import EntryKind, event_candidate
from coliseum.feed.feed import Feed, now_ms
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

EVENT = Path(__file__).resolve().parents[2] / "events" / "alerts.schedule.json"
CONTEXT: Any = SimpleNamespace(
    function_name="alerts",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:alerts",
    aws_request_id="1",
    get_remaining_time_in_millis=lambda: 90_000,
)
PASSWORD = "hunter2-in-the-address"


@pytest.fixture
def webhook(
    store: Store,
    postgres_server: PostgresServer,
    redis_server: RedisServer,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[TakenMessages]:
    """A new container whose one service is a webhook."""
    with http_service() as (taken, port):
        values = {
            "supabase_url": postgres_server.url,
            "supabase_service_role_key": postgres_server.secret_key,
            "upstash_redis_rest_url": redis_server.url,
            "upstash_redis_rest_token": redis_server.token,
            "redis_key_prefix": prefix,
            "kalshi_api_base": "http://127.0.0.1:9/trade-api/v2",
            "alert_urls": f"json://user:{PASSWORD}@127.0.0.1:{port}/?rto=1&cto=1",
        }
        monkeypatch.setitem(vars(config), "settings", config.load(values))
        app.container.cache_clear()
        yield taken
        app.container().clients.close()
        app.container.cache_clear()


def call() -> dict[str, Any]:
    answer: dict[str, Any] = app.handler(json.loads(EVENT.read_text()), CONTEXT)
    return answer


def publish_gap() -> None:
    settings = config.settings
    redis = Redis.from_settings(settings)
    data = {
        "reason": "window",
        "from": "2026-12-01T00:00:00.000Z",
        "to": "2026-12-01T00:01:00.000Z",
        "lost": 2,
        "backfilled": 0,
    }
    Feed.from_settings(settings, redis).publish([event_candidate(EntryKind.SOURCE_GAP, "g", data)], now_ms=now_ms())
    redis.close()


def test_an_entry_of_the_log_becomes_a_message_with_an_id(webhook: TakenMessages) -> None:
    assert call() == {"raised": 0, "cleared": 0, "sent": 0, "failed": 0, "given_up": 0, "problem": None}
    publish_gap()
    assert call() == {"raised": 1, "cleared": 0, "sent": 2, "failed": 0, "given_up": 0, "problem": None}
    (found,) = webhook.ids()
    assert found.startswith("trades_lost:window-")
    assert "The bot lost 2 of its trades between" in webhook.texts[0]


def test_a_secret_is_in_no_log_and_no_row_also_when_everything_fails(
    webhook: TakenMessages, store: Store, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    call()
    webhook.fault = "500"
    publish_gap()
    assert call()["failed"] == 1
    rows = [str(store.select(table, "*", limit=100)) for table in ("alerts", "alert_deliveries", "alert_states")]
    out, err = capfd.readouterr()
    shown = "".join([caplog.text, out, err, *rows])
    assert "FAILURE, HTTP 500" in shown
    assert PASSWORD not in shown
    assert "json://" not in shown
