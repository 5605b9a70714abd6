"""Every combination of {bot, Redis, exchange, Postgres} up and down, on every route: status, source, stale.

The chains below are the rule: the first source that is up answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from functions.markets.app import build as build_markets
from functions.portfolio.app import build as build_portfolio
from tests.contract.rest_world import (
    API,
    BOT_TRADES,
    MODE_AS_OF,
    Bot,
    check,
    client_of,
    publish,
    running_bot,
    settings_of,
    with_key,
)
from tests.fixtures.exchange import Exchange, quoted_market
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer

import coliseum
from coliseum.bot.parse import trades_from
from coliseum.kalshi.client import Kalshi
from coliseum.store.client import Store
from coliseum.upstash.client import Redis

# Route → its sources in order: (what must be up, the answer's source, stale). Add every new list route.
# tests/contract/test_rest_lists.py has the lists of the arena and fails where a list route is in neither table.
CHAINS: dict[str, list[tuple[str, str, bool]]] = {
    "/portfolio/balance": [("exchange", "kalshi", False), ("redis", "cache", True)],
    "/portfolio/positions": [("exchange", "kalshi", False), ("redis", "cache", True)],
    "/portfolio/fills": [("exchange", "kalshi", False), ("redis", "cache", True), ("postgres", "postgres", True)],
    "/portfolio/trades/live": [("bot", "bot_live", False), ("redis", "cache", True), ("exchange", "kalshi", False)],
    "/portfolio/settlements": [("exchange", "kalshi", False), ("postgres", "postgres", True)],
    "/portfolio/trades": [("postgres", "postgres", False)],
    "/portfolio/orders": [("exchange", "kalshi", False), ("redis", "cache", True)],
    "/portfolio/deposits": [("exchange", "kalshi", False), ("redis", "cache", True)],
    "/portfolio/pnl": [("exchange", "kalshi", False), ("postgres", "postgres", True)],
    "/portfolio/lots": [("exchange", "kalshi", False), ("postgres", "postgres", True)],
    "/portfolio/history": [("postgres", "postgres", False)],
    "/alerts": [("postgres", "postgres", False)],
    "/markets/": [("exchange", "kalshi", False), ("redis", "cache", True)],
    "/markets/{ticker}": [("exchange", "kalshi", False), ("redis", "cache", True)],
    "/markets/{ticker}/history": [
        ("exchange", "kalshi", False),
        ("redis", "cache", True),
        ("postgres", "postgres", True),
    ],
}
Outcome = tuple[int, str | None, bool | None]
"""HTTP status, source, stale."""
SOURCES = ("bot", "redis", "exchange", "postgres")
QUERIES = {"/markets/{ticker}/history": "?since=2026-11-20T00:00:00Z&until=2026-11-21T00:00:00Z"}


@dataclass
class World:
    bot: Bot
    redis: RedisServer
    exchange: Exchange
    postgres: PostgresServer
    ticker: str

    def settings(self, up: frozenset[str], prefix: str) -> Any:
        servers = {name: getattr(self, name) for name in up}
        return settings_of(prefix=prefix, **servers, **with_key(self.exchange))


@pytest.fixture(scope="module")
def world(redis_server: RedisServer, exchange_server: Exchange, postgres_server: PostgresServer) -> Iterator[World]:
    market = quoted_market(exchange_server)
    exchange_server.order(market["ticker"], "bid", "3.00", "0.9900")
    postgres_server.execute(
        "truncate trades, balance_snapshots, feed_events, market_snapshots;"
        "insert into trades (epoch, seq, ms, trade_id, ticker, side, outcome, quantity, price, executed_at, source)"
        " values ('e', 1, 1, 'abc123', 'KXA-1', 'BUY', 'yes', 50, 0.65, '2026-11-21T12:01:00.5Z', 'bot_live');"
        "insert into balance_snapshots (taken_at, cash, portfolio_value, source)"
        " values ('2026-11-21T08:00:00Z', 98.0186, 1.98, 'kalshi');"
        "insert into feed_events (epoch, seq, ms, kind, data, published_at) values ('e', 2, 1, 'bot_status',"
        """ '{"mode": "live", "mode_as_of": "2026-11-21T08:00:30Z"}', '2026-11-21T08:00:00Z');"""
    )
    store = Store(postgres_server.url, postgres_server.secret_key)
    moment = {"ticker": market["ticker"], "taken_at": "2026-11-20T12:00:00Z", "status": "active"}
    snapshot = {"yes_bid": "0.4", "yes_ask": "0.5", "last_price": "0.45", "volume": 10, "open_interest": 10}
    store.insert("market_snapshots", [moment | snapshot])
    store.close()
    with running_bot() as bot:
        yield World(bot, redis_server, exchange_server, postgres_server, market["ticker"])
    postgres_server.execute("truncate trades, balance_snapshots, feed_events, market_snapshots")


def path_of(route: str, world: World) -> str:
    return API + route.format(ticker=world.ticker) + QUERIES.get(route, "")


@pytest.fixture(scope="module")
def filled_cache(world: World) -> str:
    """The key prefix of a cache that was filled while every source was up."""
    prefix = "test:fallbacks:"
    publish(world.redis, prefix, trades_from(json.dumps(BOT_TRADES).encode()).trades)
    settings = world.settings(frozenset(SOURCES), prefix)
    with client_of(build_portfolio(settings)) as portfolio, client_of(build_markets(settings)) as markets:
        for route in CHAINS:
            app = markets if "markets" in route else portfolio
            assert app.get(path_of(route, world)).status_code == 200, route
    return prefix


@pytest.fixture
def aged_cache(world: World, filled_cache: str) -> str:
    """The same with every value a minute old: stale, but not gone."""
    redis = Redis(world.redis.url, world.redis.token)
    minute_ago = datetime.now(UTC).timestamp() - 60
    for key in cast("list[str]", redis.command("KEYS", f"{filled_cache}*cache:*")):
        if not key.endswith(":turn"):
            stored = json.loads(cast("str", redis.command("GET", key)))
            redis.command("SET", key, json.dumps({**stored, "as_of": minute_ago}), "PX", 3_600_000)
    redis.close()
    return filled_cache


@pytest.mark.parametrize("redis", [True, False], ids=["redis-up", "redis-down"])
@pytest.mark.parametrize("exchange", [True, False], ids=["exchange-up", "exchange-down"])
def test_the_first_source_that_is_up_answers_and_is_named(
    exchange: bool, redis: bool, world: World, aged_cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The four combinations of bot and Postgres run at the same time, because a down exchange is mostly waiting.

    A down exchange gets one second instead of five. One that is up gets twenty, for slow machines.
    """
    for_seconds = Kalshi.for_seconds
    monkeypatch.setattr(Kalshi, "for_seconds", lambda self, _: for_seconds(self, 20.0 if exchange else 1.0))
    always_up = ({"exchange"} if exchange else set()) | ({"redis"} if redis else set())
    combinations = [frozenset(always_up | more) for more in (set(), {"bot"}, {"postgres"}, {"bot", "postgres"})]
    with ThreadPoolExecutor(len(combinations)) as threads:
        outcomes = list(threads.map(lambda up: answers(up, world, aged_cache), combinations))
    assert dict(zip(combinations, outcomes, strict=True)) == {up: expected(up) for up in combinations}


def expected(up: frozenset[str]) -> dict[str, Outcome]:
    return {
        route: next(((200, source, stale) for name, source, stale in chain if name in up), (503, None, None))
        for route, chain in CHAINS.items()
    }


def answers(up: frozenset[str], world: World, prefix: str) -> dict[str, Outcome]:
    """The answer of each route while only the sources in `up` are up. Summary and health are checked as well."""
    settings = world.settings(up, prefix)
    with (
        client_of(build_portfolio(settings)) as portfolio,
        client_of(build_markets(settings)) as markets,
        ThreadPoolExecutor(len(CHAINS) + 2) as threads,
    ):
        responses = {
            route: threads.submit((markets if "markets" in route else portfolio).get, path_of(route, world))
            for route in CHAINS
        }
        summary = threads.submit(portfolio.get, f"{API}/portfolio/summary")
        health = threads.submit(portfolio.get, "/health")
        check_summary(up, summary.result())
        check_health(up, health.result())
        return {route: outcome_of(route, response.result()) for route, response in responses.items()}


def outcome_of(route: str, response: Any) -> Outcome:
    body = response.json()
    check(route, response.status_code, body)
    if response.status_code != 200:
        return response.status_code, None, None
    return 200, body["source"], body["stale"]


def check_summary(up: frozenset[str], response: Any) -> None:
    """Each part has its own chain. The whole fails only where no part is known."""
    body = response.json()
    check("/portfolio/summary", response.status_code, body)
    if not up & {"bot", "redis", "exchange"}:
        assert response.status_code == 503
        return
    sources = {part: body[part]["source"] for part in ("balance", "positions", "recent_trades", "bot")}
    account = "kalshi" if "exchange" in up else "cache" if "redis" in up else None
    assert sources == {
        "balance": account,
        "positions": account,
        "recent_trades": "bot_live" if "bot" in up else "cache" if "redis" in up else "kalshi",
        "bot": "bot_live" if "bot" in up else "cache" if "redis" in up else "postgres" if "postgres" in up else None,
    }
    bot = body["bot"]["data"]
    check_mode(up, bot["mode"], bot["mode_as_of"], bot["mode_stale"])
    assert bot["status"] == ("online" if up & {"bot", "redis"} else "offline")
    assert body["stale"] == (not {"bot", "exchange"} <= up)
    assert body["reconciliation"]["status"] == ("agrees" if up & {"exchange", "redis"} else "unknown")
    assert (body["totals"]["equity"] is None) == (account is None)


def check_health(up: frozenset[str], response: Any) -> None:
    body = response.json()
    assert response.status_code == (200 if up else 503)
    check_mode(up, body.pop("bot_mode"), body.pop("bot_mode_as_of"), body.pop("bot_mode_stale"))
    assert body.pop("identity")["exchange"] == "sandbox"
    assert body.pop("bot_mode_warning") is None
    assert body == {
        "status": "healthy" if {"bot", "redis", "postgres"} <= up else "degraded",
        "service": "coliseum-api",
        "version": coliseum.__version__,
        "database": "connected" if "postgres" in up else "unavailable",
        "redis": "connected" if "redis" in up else "unavailable",
        "exchange": "connected" if "exchange" in up else "unavailable",
        "bot": "online" if "bot" in up else "offline",
        "environment": "test",
        "exchange_changes": [],
    }


def check_mode(up: frozenset[str], mode: str | None, as_of: str | None, stale: bool) -> None:
    """The mode comes from the bot, else from Redis, else from Postgres, and always has its age."""
    if "bot" in up:
        assert (mode, stale) == ("paper", False)
        assert as_of is not None
    else:
        known = "paper" if "redis" in up else "live" if "postgres" in up else None
        assert (mode, as_of, stale) == (known, known and MODE_AS_OF, True)
