"""The load of the push benchmark: a bot that pushes, a script that publishes, and clients that only read."""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from standardwebhooks.webhooks import Webhook

from coliseum.config import load
from coliseum.feed.entries import Candidate, EntryKind, trade_json
from coliseum.feed.feed import Feed, now_ms
from coliseum.trading.trades import Side, Trade
from coliseum.upstash.client import Redis

ROWS = 20
"""Trades in a push at least, as the kit for bots sends them."""
TICKER = "KXBENCH-26-A"


class Crowd:
    """Clients of a stream that read everything and measure nothing."""

    def __init__(self, url: str, number: int) -> None:
        self._sockets: list[socket.socket] = []
        for _ in range(number):
            parts = urlsplit(url)
            client = socket.create_connection((parts.hostname or "", parts.port or 80))
            client.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
            self._sockets.append(client)
            threading.Thread(target=_drain, args=(client,), daemon=True).start()

    def close(self) -> None:
        for client in self._sockets:
            client.close()


def _drain(client: socket.socket) -> None:
    try:
        while client.recv(65_536):
            pass
    except OSError:
        return


class Pusher(threading.Thread):
    """Sends the list after each trade, one request at a time: what is traded meanwhile goes with the next one."""

    def __init__(self, url: str, secret: str, rows: Callable[[int], list[Any]]) -> None:
        """`rows(n)` gives the bot's newest `n` trades, newest first."""
        super().__init__(daemon=True)
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        self._webhook, self._rows = Webhook(secret), rows
        self._news, self._stopped, self._traded, self._taken = threading.Event(), False, 0, 0
        self.requests = 0
        self.statuses: dict[int, int] = {}

    def traded(self) -> None:
        self._traded += 1
        self._news.set()

    def stop(self) -> None:
        self._stopped = True
        self._news.set()
        self.join(30)

    def run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            if self._stopped:
                return
            traded = self._traded
            status = self._send(max(ROWS, traded - self._taken + 1))
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status == 200:
                self._taken = traded
            if status >= 500:
                self._news.set()

    def _send(self, number: int) -> int:
        body, at, name = json.dumps({"trades": self._rows(number)}), datetime.now(UTC), f"msg_{uuid4().hex}"
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._webhook.sign(name, at, body),
        }
        self.requests += 1
        self._connection.request("POST", "/api/python/bot/trades", body, headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status


def publish_by_script(variables: Mapping[str, str], number: int, *, rate: float, prefix: str) -> dict[str, float]:
    """Publish trades one by one through the feed's script, with nothing in between. When each was called, by id."""
    settings = load({name.lower(): value for name, value in variables.items() if name.startswith("UPSTASH_")})
    redis = Redis.from_settings(settings)
    feed = Feed(redis, prefix=settings.redis_key_prefix, maxlen=settings.feed_maxlen)
    clock, born = random.Random(2), {}
    for place in range(number):
        time.sleep(clock.expovariate(rate))
        trade = Trade(
            trade_id=f"{prefix}-{place}",
            ticker=TICKER,
            side=Side.BUY,
            outcome=None,
            quantity=Decimal(1),
            price=Decimal("0.5"),
            timestamp=time.time(),
        )
        born[trade.trade_id] = time.monotonic()
        candidate = Candidate(
            kind=EntryKind.TRADE, key=f"trade:{trade.trade_id}", digest=trade.digest(), data=trade_json(trade)
        )
        feed.publish([candidate], now_ms=now_ms())
    redis.close()
    return born
