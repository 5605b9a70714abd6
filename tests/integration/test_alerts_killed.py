"""kill -9 between any two steps of a real process loses no alert and changes no id."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from functions.alerts.app import build
from tests.fixtures.alert_services import http_service
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer

from coliseum import config
from coliseum.feed.entries import EntryKind, event_candidate
from coliseum.feed.feed import Feed, now_ms
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

ROOT = Path(__file__).resolve().parents[2]
PLACES = [f"{when} {what}" for what in ("commit", "claim", "sending", "mark") for when in ("before", "after")]
if not os.environ.get("COLISEUM_SOAK"):  # a process takes seconds to start; test_alerts.py dies at every place
    PLACES = ["after commit", "after sending"]
GAP = {"reason": "window", "from": "2026-12-01T00:00:00.000Z", "to": "2026-12-01T00:01:00.000Z", "lost": 2}


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_process_loses_no_alert(
    place: str, store: Store, postgres_server: PostgresServer, redis_server: RedisServer, prefix: str
) -> None:
    with http_service() as (taken, port):
        variables = {
            "SUPABASE_URL": postgres_server.url,
            "SUPABASE_SERVICE_ROLE_KEY": postgres_server.secret_key,
            "UPSTASH_REDIS_REST_URL": redis_server.url,
            "UPSTASH_REDIS_REST_TOKEN": redis_server.token,
            "REDIS_KEY_PREFIX": prefix,
            "KALSHI_API_BASE": "http://127.0.0.1:9/trade-api/v2",
            "ALERT_URLS": f"json://127.0.0.1:{port}/?rto=5&cto=5",
        }
        settings = config.load({name.lower(): value for name, value in variables.items()})
        redis = Redis.from_settings(settings)
        feed = Feed.from_settings(settings, redis)
        feed.publish([event_candidate(EntryKind.SOURCE_GAP, "first", {**GAP, "lost": 0})], now_ms=now_ms())
        look(settings)
        feed.publish([event_candidate(EntryKind.SOURCE_GAP, "second", GAP)], now_ms=now_ms())
        assert run(place, variables) == -9
        store.rpc("alerts_mark", {"p_owner": settings.identity.label, "p_rows": due_now(store)})
        look(settings)
        entries = [entry for entry in feed.latest(50).reading.entries if entry.kind is EntryKind.ALERT]
        redis.close()
        statuses = {row["status"] for row in store.select("alert_deliveries", "status", limit=10)}
        assert (len(set(taken.ids())), len(entries), statuses) == (1, 1, {"sent"})


def look(settings: config.Settings) -> None:
    container = build(settings)
    container.watch.run(time_left=lambda: 60.0)
    container.clients.close()


def due_now(store: Store) -> list[dict[str, object]]:
    """Marks that make every waiting row due: the test does not wait for the 30 seconds of a retry."""
    rows = store.select("alert_deliveries", "alert_id,phase,service", where=[("status", "eq", "waiting")], limit=10)
    past = "2026-01-01T00:00:00Z"
    return [{**row, "status": "waiting", "at": past, "due_at": past} for row in rows]


def run(place: str, variables: dict[str, str]) -> int:
    path = os.pathsep.join(str(ROOT / part) for part in (".", "layers/coliseum", "layers/streaming", "local"))
    environment = {**os.environ, **variables, "PYTHONPATH": path}
    command = [sys.executable, "-m", "tests.integration.killed_alerts", place]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
