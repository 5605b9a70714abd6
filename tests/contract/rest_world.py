"""The environment of the REST functions for tests: real servers, or unused ports in their place."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient
from tests.fixtures.exchange import Exchange
from tests.fixtures.postgres import PostgresServer
from tests.fixtures.redis import RedisServer

import coliseum
from coliseum.config import Settings
from coliseum.feed.entries import Candidate, EntryKind, trade_json
from coliseum.feed.feed import Feed, now_ms
from coliseum.feed.protocol import PollerHeartbeat
from coliseum.trading.trades import Trade
from coliseum.upstash.client import Redis

API = "/api/python"
DOCUMENT: dict[str, Any] = json.loads((Path(coliseum.__file__).parent / "http" / "openapi.json").read_text())
BOT_TRADES = [
    {
        "timestamp": 1795262460.5,
        "ticker": "KXA-1",
        "side": "BUY",
        "quantity": 50,
        "price": 0.65,
        "trade_id": "abc123",
        "outcome": "yes",
    },
    {"timestamp": 1795262400, "ticker": "KXB-1", "side": "SELL", "quantity": 1.5, "price": 0.1, "trade_id": "abc122"},
]


class Bot:
    """A bot with configurable answers: path → JSON value, or raw bytes."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "/health": {"status": "alive", "trade_count": 2, "started_at": "2026-11-21T08:00:00Z"},
            "/status": {
                "mode": "paper",
                "strategy": "mean reversion",
                "positions": [],
                "last_error": None,
                "idle_reasons": [{"reason": "the spread is too wide", "markets": 7}],
            },
            "/trades": BOT_TRADES,
        }
        answers = self.answers

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = answers[self.path]
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Write no access log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def running_bot() -> Iterator[Bot]:
    bot = Bot()
    yield bot
    bot.stop()


def unused_url() -> str:
    """An address with a closed port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def settings_of(
    *,
    prefix: str = "test:",
    bot: Bot | None = None,
    redis: RedisServer | None = None,
    exchange: Exchange | None = None,
    postgres: PostgresServer | None = None,
    **more: Any,
) -> Settings:
    """Settings for these servers. A server that is left out is down."""
    bot_url = unused_url() if bot is None else bot.url
    values: dict[str, Any] = {
        "environment": "test",
        "redis_key_prefix": prefix,
        "bot_status_endpoint": f"{bot_url}/status",
        "bot_trades_endpoint": f"{bot_url}/trades",
        "upstash_redis_rest_url": unused_url() if redis is None else redis.url,
        "upstash_redis_rest_token": SecretStr("no-token" if redis is None else redis.token),
        "supabase_url": unused_url() if postgres is None else postgres.url,
        "supabase_service_role_key": SecretStr("sb_secret_none" if postgres is None else postgres.secret_key),
        "kalshi_api_base": f"{unused_url()}/trade-api/v2" if exchange is None else exchange.url,
        **more,
    }
    return Settings(_env_file=None, **values)


def with_key(exchange: Exchange) -> dict[str, Any]:
    """The key of an exchange that may be down by now."""
    return {"kalshi_api_key": SecretStr(exchange.api_key), "kalshi_rsa_key_path": exchange.private_key_path}


def client_of(app: FastAPI) -> TestClient:
    """An HTTP client of the app. An exception that leaves the app is a 500 here, as on Lambda."""
    return TestClient(app, raise_server_exceptions=False)


MODE_AS_OF = "2026-11-21T08:00:30Z"


def publish(redis: RedisServer, prefix: str, trades: tuple[Trade, ...]) -> None:
    """Publish what the poller would publish: the trades, the bot's status and the heartbeat."""
    client = Redis(redis.url, redis.token)
    feed = Feed(client, prefix=prefix, maxlen=1000)
    online: dict[str, object] = {"status": "online", "since": "2026-11-21T08:00:00Z", "trades": 2, "detail": None}
    status = online | {"mode": "paper", "mode_as_of": MODE_AS_OF}
    candidates = [
        Candidate(kind=EntryKind.TRADE, key=f"trade:{trade.trade_id}", digest=trade.digest(), data=trade_json(trade))
        for trade in trades
    ]
    now = now_ms()
    feed.publish(candidates, now_ms=now, bot=status)
    feed.send_heartbeat(
        PollerHeartbeat(owner="test", at=now, fresh_for=60_000, bot_ok_at=now - 5000, bot=status), ttl_ms=60_000
    )
    client.close()


def check(path: str, status: int, body: Any) -> None:
    """Assert that the body has the schema that the published document gives for this path template and status."""
    answers = DOCUMENT["paths"][API + path]["get"]["responses"]
    content = (answers.get(str(status)) or answers[f"{status // 100}XX"])["content"]
    (schema,) = [part["schema"] for name, part in content.items() if name.endswith("json")]
    whole = {**schema, "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER).validate(body)
