"""`coliseum doctor` against real servers, each broken in turn."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.contract.rest_world import settings_of, unused_url, with_key
from tests.fixtures.exchange import Exchange
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer
from tests.fixtures.scripted_bot import ScriptedBot, serving
from tests.fixtures.waiting import PATIENCE_SECONDS

from coliseum.arena.sources.records import FeedResult, NotedFeed, SourceRecords
from coliseum.config import Settings
from coliseum.feed.feed import Feed
from coliseum.identity import Identity, exchange_at
from coliseum.store.client import Store
from coliseum.upstash.client import Redis
from coliseum_local.doctor import CHECKS, Diagnosis, Status, doctor, examine

MODEL_KEY = "sk-or-v1-this-is-the-secret-of-the-test"
GOOD_KEY: dict[str, Any] = {"data": {"limit": 5, "limit_remaining": 3.5}}


@contextmanager
def answering(status: int, body: bytes, headers: dict[str, str] | None = None) -> Iterator[str]:
    """A server that gives every GET the same answer; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # named by the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def whole(
    prefix: str, redis_server: RedisServer, postgres_server: PostgresServer, exchange_server: Exchange
) -> Iterator[dict[str, Any]]:
    """Settings of an installation in which every part works."""
    with serving(ScriptedBot()) as bot, answering(200, json.dumps(GOOD_KEY).encode()) as openrouter:
        settings = settings_of(
            prefix=prefix,
            redis=redis_server,
            postgres=postgres_server,
            exchange=exchange_server,
            **with_key(exchange_server),
            openrouter_api_key=SecretStr(MODEL_KEY),
            openrouter_base_url=openrouter,
            admin_token=SecretStr("the-operators-token"),
        )
        values = {name: getattr(settings, name) for name in Settings.model_fields}
        yield values | {"bot_status_endpoint": bot.status_url, "bot_trades_endpoint": bot.trades_url}


def diagnose(values: dict[str, Any], part: str) -> Diagnosis:
    """One part's diagnosis."""
    settings = Settings(_env_file=None, **values)
    ((_, diagnosis),) = examine(settings, checks={part: CHECKS[part]}, seconds=PATIENCE_SECONDS)
    return diagnosis


def test_an_address_that_is_no_api_is_not_blamed_on_the_key(whole: dict[str, Any]) -> None:
    with answering(404, b"{}") as url:
        settings = Settings(_env_file=None, **{**whole, "kalshi_api_base": f"{url}/v1"})
        found = CHECKS["account"](settings)
    assert (found.status, "end in /trade-api/v2" in found.advice, "key" in found.found) == (Status.FAILED, True, False)


def test_a_whole_installation_is_ok_in_every_part(whole: dict[str, Any]) -> None:
    settings = Settings(_env_file=None, **whole)
    found = dict(examine(settings, seconds=PATIENCE_SECONDS))
    assert list(found) == list(CHECKS)
    assert {name: one for name, one in found.items() if one.status is not Status.OK} == {}


BROKEN: list[tuple[str, dict[str, Any], str, str]] = [
    ("exchange", {"kalshi_api_base": unused_url()}, "failed", "kalshi"),
    ("account", {"kalshi_api_key": None}, "not set", "no KALSHI_API_KEY"),
    ("account", {"kalshi_api_key": SecretStr("someone-elses-key")}, "failed", "the exchange refuses the key"),
    ("account", {"kalshi_rsa_key_path": Path("/nowhere/key.pem")}, "failed", "KALSHI_RSA_KEY_PATH: names no readable"),
    ("account", {"kalshi_private_key": SecretStr("not a PEM")}, "failed", "KALSHI_PRIVATE_KEY: holds no PEM block"),
    ("clock", {"kalshi_api_base": unused_url()}, "warning", "not compared: ConnectError"),
    ("bot", {"bot_trades_endpoint": f"{unused_url()}/trades"}, "failed", "/trades"),
    ("redis", {"upstash_redis_rest_url": None}, "failed", "no address or no token"),
    ("redis", {"upstash_redis_rest_url": unused_url()}, "failed", "redis"),
    ("redis", {"upstash_redis_rest_token": SecretStr("wrong-token")}, "failed", "redis"),
    ("postgres", {"supabase_url": None}, "failed", "no address or no key"),
    ("postgres", {"supabase_url": unused_url()}, "failed", "postgres"),
    ("postgres", {"supabase_service_role_key": SecretStr("sb_secret_wrong")}, "failed", "Invalid API key"),
    ("models", {"openrouter_api_key": None}, "not set", "no OPENROUTER_API_KEY"),
    ("models", {"openrouter_base_url": unused_url()}, "failed", "OpenRouter does not answer: ConnectError"),
    ("models", {"environment": "production"}, "failed", "OPENROUTER_BASE_URL: expected an https address"),
    ("sources", {"arena_sources": "off"}, "not set", "ARENA_SOURCES is off"),
    ("sources", {"arena_sources": '[{"name": "x"}]'}, "failed", "ARENA_SOURCES: url: got None"),
    ("streams", {"stream_auth": "ticket"}, "failed", "STREAM_TICKET_SECRET: expected a value"),
    ("admin", {"admin_token": None}, "not set", "no ADMIN_TOKEN"),
]


def test_feeds_that_could_not_be_read_are_named(whole: dict[str, Any], store: Store) -> None:
    records = SourceRecords(store)
    records.note_feeds([NotedFeed(url="https://a.example/rss", name="Bureau", origin="list")])
    records.store_reading(FeedResult(url="https://a.example/rss", status="failed", problem="answered 503"))
    diagnosis = diagnose(whole, "sources")
    assert (diagnosis.status, "could not be read: Bureau" in diagnosis.found) == (Status.WARNING, True)
    store.rpc("arena_unlist_feeds", {"p_listed": []})


@pytest.mark.parametrize(("part", "changes", "status", "found"), BROKEN)
def test_a_broken_part_is_named_with_what_to_do(
    whole: dict[str, Any], part: str, changes: dict[str, Any], status: str, found: str
) -> None:
    diagnosis = diagnose(whole | changes, part)
    assert diagnosis.status == status
    assert found in diagnosis.found
    assert diagnosis.advice


@pytest.mark.parametrize(
    ("code", "body", "status", "found"),
    [
        (401, b"{}", "failed", "OpenRouter refuses the key"),
        (503, b"{}", "warning", "OpenRouter answers 503"),
        (200, b"<html>", "warning", "unknown form"),
        (200, b'{"data": {"limit": null, "limit_remaining": null}}', "warning", "no spending limit"),
        (200, b'{"data": {"limit": 5, "limit_remaining": 0}}', "failed", "its limit is spent"),
    ],
)
def test_the_model_key_is_judged_by_openrouters_answer(
    whole: dict[str, Any], code: int, body: bytes, status: str, found: str
) -> None:
    with answering(code, body) as url:
        diagnosis = diagnose(whole | {"openrouter_base_url": url}, "models")
    assert diagnosis.status == status
    assert found in diagnosis.found


def test_a_clock_that_is_off_is_named_with_the_difference(whole: dict[str, Any]) -> None:
    a_minute_ago = format_datetime(datetime.now(UTC) - timedelta(seconds=60), usegmt=True)
    with answering(200, b"{}", {"date": a_minute_ago}) as url:
        off = diagnose(whole | {"kalshi_api_base": url}, "clock")
    with answering(200, b"{}") as url:
        unknown = diagnose(whole | {"kalshi_api_base": url}, "clock")
    assert (off.status, "s ahead of the exchange's" in off.found) == ("failed", True)
    assert (unknown.status, "no usable Date header" in unknown.found) == ("warning", True)


def test_a_bots_first_error_is_shown(whole: dict[str, Any]) -> None:
    with serving(ScriptedBot()) as bot:
        bot.answers["/trades"] = (200, b'[{"trade_id": "a"}]')
        at = {"bot_status_endpoint": bot.status_url, "bot_trades_endpoint": bot.trades_url}
        diagnosis = diagnose(whole | at, "bot")
    assert (diagnosis.status, "/trades row 1 ('a'): ticker" in diagnosis.found) == ("failed", True)
    assert "coliseum check-bot" in diagnosis.advice


def test_a_log_of_another_identity_is_told(whole: dict[str, Any], redis: Redis, prefix: str) -> None:
    other = Identity(bot="bot", exchange=exchange_at("https://demo-api.kalshi.co"), account="demo/other")
    Feed(redis, prefix=prefix, maxlen=100, identity=other).publish([], now_ms=1)
    diagnosis = diagnose(whole, "redis")
    assert (diagnosis.status, "apart from the log of demo/other/bot" in diagnosis.found) == ("ok", True)


def test_missing_and_unknown_migrations_are_named(whole: dict[str, Any], postgres_server: PostgresServer) -> None:
    execute = postgres_server.execute
    execute("create table public.kept as select * from supabase_migrations.schema_migrations")
    try:
        execute("insert into supabase_migrations.schema_migrations (version) values ('29990101000000')")
        newer = diagnose(whole, "postgres")
        execute("delete from supabase_migrations.schema_migrations where version = '20261122000500'")
        missing = diagnose(whole, "postgres")
    finally:
        execute("truncate supabase_migrations.schema_migrations")
        execute("insert into supabase_migrations.schema_migrations select * from public.kept")
        execute("drop table public.kept")
    assert (newer.status, "does not know: 29990101000000" in newer.found) == ("warning", True)
    assert (missing.status, missing.found) == ("failed", "1 migrations are missing: 20261122000500_arena_late_workers")


def test_a_check_that_does_not_end_has_failed_and_holds_nothing_up() -> None:
    forever = threading.Event()

    def hangs(settings: Settings) -> Diagnosis:
        forever.wait()
        raise AssertionError

    def breaks(settings: Settings) -> Diagnosis:
        raise RuntimeError("a bug with a secret in its text")

    found = dict(examine(Settings(_env_file=None), checks={"hangs": hangs, "breaks": breaks}, seconds=0.2))
    forever.set()
    assert (found["hangs"].status, found["hangs"].found) == ("failed", "no result within 0.2 s")
    assert found["breaks"].found == "the check itself failed: RuntimeError"


def run(folder: Path, values: dict[str, Any]) -> tuple[int, str]:
    """The command with these settings in the environment."""
    shown = {
        name.upper(): _text(value)
        for name, value in values.items()
        if value is not None and name != "cors_allow_origins"
    }
    lines: list[str] = []
    code = doctor(folder, environment=shown, show=lines.append, seconds=PATIENCE_SECONDS)
    return code, "\n".join(lines)


def _text(value: Any) -> str:
    return str(value.get_secret_value() if isinstance(value, SecretStr) else value)


def test_the_command_shows_every_part_and_no_secret(whole: dict[str, Any], tmp_path: Path) -> None:
    code, text = run(tmp_path, whole)
    broken, bad = run(tmp_path, whole | {"upstash_redis_rest_token": SecretStr("the-wrong-token")})
    assert (code, "Nothing failed." in text) == (0, True)
    assert (broken, "failed   redis:" in bad) == (1, True)
    for line in text, bad:
        for value in whole.values():
            assert not isinstance(value, SecretStr) or value.get_secret_value() not in line


def test_settings_that_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    lines: list[str] = []
    assert doctor(tmp_path, environment={"FEED_MAXLEN": "many"}, show=lines.append) == 1
    assert len(lines) == 1
    assert lines[0].startswith("failed   settings: FEED_MAXLEN: Input should be a valid integer")
