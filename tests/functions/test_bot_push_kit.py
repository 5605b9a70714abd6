"""The kit for bots against the real push function, with a poller of the same bot beside it."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from functions.bot_push import app
from tests.fixtures.redis import RedisServer
from tests.fixtures.waiting import until

from coliseum import config
from coliseum.bot.client import Bot
from coliseum.client import Reporter
from coliseum.feed.entries import START, EntryKind
from coliseum.feed.feed import Feed
from coliseum.polling.poller import Poller
from coliseum.upstash.client import Redis

SECRET = "whsec_" + "B" * 32
SAMPLE = json.loads((Path(__file__).resolve().parents[2] / "events" / "bot_push.http-unsigned.json").read_text())


@contextmanager
def gateway(statuses: list[int]) -> Iterator[str]:
    """Hands requests to the function as an HTTP API does, and notes what it answered."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm, wbufsize = True, -1

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"])).decode()
            event = {**SAMPLE, "rawPath": self.path, "headers": headers, "body": body, "isBase64Encoded": False}
            answer = app.handler(event, None)  # type: ignore[arg-type]  # it has no use for a context
            statuses.append(answer["statusCode"])
            self.send_response(answer["statusCode"])
            content = answer["body"].encode()
            for name, value in {**answer["headers"], "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Live:
    """A bot with the kit, the push function, and a poller. One log."""

    def __init__(self, path: Path, url: str, statuses: list[int], configure: Callable[[int], Redis]) -> None:
        self._path, self._url, self.statuses = path, url, statuses
        with Reporter(None, port=0) as free:
            self._port = free.port or 0
        redis = configure(self._port)  # sets the settings
        self.feed = Feed.from_settings(config.settings, redis)
        self.bot = Bot.from_settings(config.settings)
        self.poller = Poller(bot=self.bot, feed=self.feed, exchange=None, interval=3.0)
        self.reporter = self._start()
        self.traded: list[str] = []

    def _start(self) -> Reporter:
        reporter = Reporter(self._path, port=self._port, url=self._url, secret=SECRET)
        reporter.status(mode="paper", strategy="kit")
        return reporter

    def trade(self, count: int = 1) -> None:
        for _ in range(count):
            self.traded.append(f"t{len(self.traded) + 1}")
            assert self.reporter.trade("KXA-1", "BUY", 5, "0.65", outcome="yes", trade_id=self.traded[-1])

    def restart(self) -> None:
        self.reporter.close()
        self.reporter = self._start()

    def log(self, kind: EntryKind = EntryKind.TRADE) -> list[dict[str, Any]]:
        return [entry.data for entry in self.feed.read(START, count=10_000).reading.entries if entry.kind is kind]

    def logged(self) -> list[str]:
        return [data["trade_id"] for data in self.log()]


@pytest.fixture
def live(
    tmp_path: Path, redis_server: RedisServer, redis: Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Live]:
    with ExitStack() as stack:
        statuses: list[int] = []

        def configure(port: int) -> Redis:
            values = {
                "upstash_redis_rest_url": redis_server.url,
                "upstash_redis_rest_token": redis_server.token,
                "redis_key_prefix": prefix,
                "bot_status_endpoint": f"http://127.0.0.1:{port}/status",
                "bot_trades_endpoint": f"http://127.0.0.1:{port}/trades",
                "bot_webhook_secret": SECRET,
            }
            monkeypatch.setattr(config, "settings", config.load(values), raising=False)
            app.endpoint.cache_clear()
            return redis

        bot = Live(tmp_path / "trades.log", stack.enter_context(gateway(statuses)), statuses, configure)
        yield bot
        bot.reporter.close()
        bot.bot.close()
    app.clients.close()
    app.endpoint.cache_clear()


def test_a_trade_is_in_the_log_without_a_poll(live: Live) -> None:
    live.trade()
    live.poller.tick()
    live.trade(3)
    until(lambda: live.logged() == live.traded)
    assert live.reporter.problems == {}


def test_what_came_before_the_first_poll_is_the_pollers(live: Live) -> None:
    live.trade(2)
    until(lambda: 202 in live.statuses)
    assert live.logged() == []
    live.poller.tick()
    assert live.logged() == live.traded
    live.trade()
    until(lambda: live.logged() == live.traded)


def test_a_burst_larger_than_a_body_goes_on_in_order(live: Live) -> None:
    live.trade()
    live.poller.tick()
    live.trade()
    until(lambda: live.logged() == live.traded)  # from here on the kit has an anchor
    live.trade(700)
    until(lambda: live.logged() == live.traded)
    live.poller.tick()
    assert live.logged() == live.traded
    assert live.log(EntryKind.SOURCE_GAP) == []


def test_trades_polls_and_restarts_in_any_order_give_each_trade_once_and_no_gap(live: Live) -> None:
    rng = random.Random(12)
    live.poller.tick()
    for _ in range(150):
        step = rng.choices(["trade", "poll", "restart"], [10, 4, 1])[0]
        if step == "trade":
            live.trade(rng.choice([1, 1, 1, 2, 5, 30]))
        elif step == "poll":
            live.poller.tick()
        else:
            live.restart()
        logged = live.logged()
        assert logged == live.traded[: len(logged)]

    def is_complete() -> bool:
        live.poller.tick()  # one that meets a push looks again in the next tick
        return live.logged() == live.traded

    until(is_complete)
    assert live.log(EntryKind.SOURCE_GAP) == []
    assert set(live.statuses) <= {200, 202, 503}
    assert 200 in live.statuses
