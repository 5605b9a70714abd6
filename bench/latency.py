"""Measure how long a trade takes from the bot to a client, and the Redis commands of idle clients.

`python -m bench.latency` runs the whole system as `make run` does, with a bot that trades on command. A trade's time
runs from the moment the bot lists it to the moment a stream client has read it. So it contains the wait for the poll.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
from httpx_sse import connect_sse
from tests.fixtures.stack import Stack, launch

from bench import machine
from coliseum_local.processes import ServerProcess
from coliseum_local.variables import of_exchange

LIST = 100
"""What a bot keeps in memory."""
RATE = 3.0
"""Trades per second: far below what would overflow the list between two polls."""
INTERVAL = 3.0
CLIENTS = 20
ARENA_AT_REST = {"ROUND_INTERVAL_SECONDS": "604800", "ROUND_OPEN_SECONDS": "30", "ROUND_MARKETS": "1"}
"""One small round at the start, on markets that do not move, so that the arena publishes nothing that is counted."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of one run."""

    trades: int
    settling: float
    """Seconds until the trades are projected and the arena's round is published."""
    minute: float
    """Seconds without news in which commands are counted."""


FULL = Sizes(trades=200, settling=130.0, minute=60.0)
QUICK = Sizes(trades=5, settling=0.0, minute=2.0)


@dataclass
class Bot:
    """A trading bot with nothing but its HTTP interface."""

    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    trades: list[dict[str, object]] = field(default_factory=list)
    born: dict[str, float] = field(default_factory=dict)
    server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        bot = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(bot.answer(self.path)).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str) -> object:
        """Return the body for a path."""
        if path.startswith("/trades"):
            return list(reversed(self.trades[-LIST:]))
        if path.startswith("/health"):
            return {"status": "alive", "trade_count": len(self.trades), "started_at": self.started}
        return {"mode": "paper", "strategy": "on command", "positions": [], "last_error": None}

    def trade(self) -> None:
        """Execute one trade."""
        name = f"bench-{len(self.trades)}"
        now = time.time()
        self.born[name] = time.monotonic()
        self.trades.append(
            {
                "timestamp": now,
                "ticker": "KXBENCH-26-A",
                "side": "BUY",
                "quantity": 1,
                "price": 0.5,
                "trade_id": name,
            }
        )


class Listener(threading.Thread):
    """A stream client. `seen` maps each trade to the time at which it was read, in the order of the wire."""

    def __init__(self, url: str, wanted: int) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, float] = {}
        self.repeated = 0
        self.ready = threading.Event()
        self._url, self._wanted = url, wanted

    def run(self) -> None:
        with httpx.Client(timeout=httpx.Timeout(60)) as client, connect_sse(client, "GET", self._url) as source:
            for event in source.iter_sse():
                self.ready.set()
                if event.event != "new_trades":
                    continue
                now = time.monotonic()
                for trade in event.json()["trades"]:
                    if trade["trade_id"] in self.seen:
                        self.repeated += 1
                    self.seen.setdefault(trade["trade_id"], now)
                if len(self.seen) >= self._wanted:
                    return


def latencies(system: Stack, bot: Bot, trades: int) -> list[float]:
    """Return the sorted seconds from bot to client, one per trade."""
    listener = Listener(f"{system.url}/api/python/sse/trades", trades)
    listener.start()
    if not listener.ready.wait(30):
        raise RuntimeError("the stream did not open")
    clock = random.Random(1)
    for _ in range(trades):
        time.sleep(clock.expovariate(RATE))
        bot.trade()
    listener.join(30)
    if list(listener.seen) != list(bot.born) or listener.repeated:
        raise RuntimeError(
            f"{len(listener.seen)} of {trades} trades arrived, {listener.repeated} of them more than once"
        )
    return sorted(listener.seen[name] - born for name, born in bot.born.items())


def commands(system: Stack, *, seconds: float, clients: int) -> int:
    """Return the Redis commands billed while `clients` streams are open and nothing happens."""
    stop = threading.Event()

    def hold() -> None:
        with (
            httpx.Client(timeout=httpx.Timeout(60)) as client,
            connect_sse(client, "GET", f"{system.url}/api/python/sse/trading") as source,
        ):
            for _ in source.iter_sse():
                if stop.is_set():
                    return

    before = _billed(system)
    for _ in range(clients):
        threading.Thread(target=hold, daemon=True).start()
    time.sleep(seconds)
    after = _billed(system)
    stop.set()
    return after - before


def _billed(system: Stack) -> int:
    headers = {"authorization": f"Bearer {system.variables['UPSTASH_REDIS_REST_TOKEN']}"}
    meter = httpx.get(f"{system.variables['UPSTASH_REDIS_REST_URL']}/_meter", headers=headers).json()
    return int(meter["total"])


def main() -> None:
    """Print the tables."""
    sizes = QUICK if machine.parser(__doc__).parse_args().quick else FULL
    bot = Bot()
    with tempfile.TemporaryDirectory() as folder:
        exchange = ServerProcess(
            "coliseum_local.exchange",
            ["--port", "0", "--state", f"{folder}/exchange", "--still", "--speed", "0"],
            log=Path(folder) / "exchange.log",
        )
        system = launch(
            Path(folder) / "state",
            **of_exchange(exchange.ready),
            BOT_STATUS_ENDPOINT=f"{bot.url}/status",
            BOT_TRADES_ENDPOINT=f"{bot.url}/trades",
            **ARENA_AT_REST,
        )
        try:
            taken = latencies(system, bot, sizes.trades)
            time.sleep(sizes.settling)
            quiet = commands(system, seconds=sizes.minute, clients=0)
            watched = commands(system, seconds=2 * sizes.minute, clients=CLIENTS)
        finally:
            system.stop()
            exchange.stop()
    p99 = taken[min(len(taken) - 1, int(len(taken) * 0.99))]
    print(machine.description())
    machine.show(
        f"Bot to client, {len(taken)} trades at {RATE:g} per second, polled every {INTERVAL:g} s",
        ["", "seconds", "x poll interval"],
        [
            ["p50", f"{statistics.median(taken):.3f}", f"{statistics.median(taken) / INTERVAL:.2f}"],
            ["p99", f"{p99:.3f}", f"{p99 / INTERVAL:.2f}"],
        ],
    )
    hours = CLIENTS * 2 * sizes.minute / 3600
    machine.show(
        "Redis commands billed",
        ["", "commands"],
        [
            ["poller, and the arena's settler, in one quiet minute", quiet],
            [f"{CLIENTS} clients of one process, per client-hour", f"{(watched - 2 * quiet) / hours:.1f}"],
        ],
    )


if __name__ == "__main__":
    main()
