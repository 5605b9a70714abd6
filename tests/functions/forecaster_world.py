"""The forecaster with real servers and a new container at every call, and a fake OpenRouter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from functions.forecaster import app
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer
from tests.functions.asked_round import event
from tests.openrouter.server import OpenRouter, serving

from coliseum import config
from coliseum.feed.feed import Feed
from coliseum.observability import logger
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

KEY = "sk-or-v1-0123456789abcdef"
logger()  # writes to the stdout of its first call: not that of a test that captures it


@pytest.fixture(scope="module")
def openrouter_server() -> Iterator[OpenRouter]:
    with serving() as server:
        yield server


@pytest.fixture
def openrouter(openrouter_server: OpenRouter) -> OpenRouter:
    openrouter_server.scripts.clear()
    openrouter_server.requests.clear()
    return openrouter_server


@dataclass
class World:
    """The function's services, and the function in a new container at every call."""

    store: Store
    postgres: PostgresServer
    redis: Redis
    openrouter: OpenRouter
    settings: dict[str, Any]
    patch: pytest.MonkeyPatch

    def invoke(self, *decisions: str, received: int = 1, seconds: float = 120, **more: Any) -> int:
        """Hand over decisions' ids, or raw bodies; how many the function gives back."""
        self.patch.setattr(config, "settings", config.load(self.settings | more), raising=False)
        bodies = [one if one.startswith("{") else json.dumps({"decision_id": one}) for one in decisions]
        context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: int(seconds * 1000))
        try:
            answer = app.handler(event(*bodies, received=received), context)
        finally:
            close_container()
        return len(answer["batchItemFailures"])

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.dsn) as connection:
            return connection.execute(sql.encode()).fetchall()

    def attempts(self, columns: str) -> list[tuple[Any, ...]]:
        return self.rows(f"select {columns} from arena_attempts order by decision_id, attempt")  # noqa: S608

    def published(self) -> list[dict[str, Any]]:
        """The feed's entries."""
        read = Feed(self.redis, prefix=self.settings["redis_key_prefix"], maxlen=1000).latest(100).reading
        return [{"kind": entry.kind.value, **entry.data} for entry in read.entries]

    def fail_all_but(self, *decisions: str) -> None:
        """Let all other decisions fail, so that their agents are finished with the round."""
        kept = ",".join(f"'{one}'" for one in decisions)
        self.postgres.execute(
            f"update arena_decisions set status = 'failed' where decision_id not in ({kept})"  # noqa: S608
        )

    def budget(self) -> tuple[Decimal, Decimal]:
        """(reserved, spent) dollars of the day's budget."""
        found = self.rows("select reserved_usd, spent_usd from arena_budget")
        return (found[0][0], found[0][1]) if found else (Decimal(0), Decimal(0))


@pytest.fixture
def world(
    store: Store, postgres_server: PostgresServer, redis: Redis, prefix: str, request: pytest.FixtureRequest
) -> Iterator[World]:
    server: RedisServer = request.getfixturevalue("redis_server")
    openrouter: OpenRouter = request.getfixturevalue("openrouter")
    settings = {
        "upstash_redis_rest_url": server.url,
        "upstash_redis_rest_token": server.token,
        "redis_key_prefix": prefix,
        "supabase_url": postgres_server.url,
        "supabase_service_role_key": postgres_server.secret_key,
        "openrouter_api_key": KEY,
        "openrouter_base_url": openrouter.url,
    }
    with pytest.MonkeyPatch.context() as patch:
        yield World(store, postgres_server, redis, openrouter, settings, patch)
    close_container()


def close_container() -> None:
    if app.forecaster.cache_info().currsize:
        app.forecaster().resources.close()
    app.forecaster.cache_clear()
