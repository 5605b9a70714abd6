"""Measure how long a trade takes from the bot to a client, polled and pushed, and the Redis commands of idle clients.

`python -m bench.latency` runs the whole system as `make run` does, with a bot that trades on command. A trade's time
runs from the moment the bot lists it to the moment a stream client has read it. Polled, it contains the wait for the
poll. Pushed, it is compared with the bare path: publishing by script, without a bot, a signature or a function.
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
from bench._push_load import Crowd, Pusher, publish_by_script
from coliseum_local.processes import ServerProcess
from coliseum_local.variables import of_exchange

LIST = 100
"""What a bot keeps in memory."""
RATE = 3.0
"""Trades per second: far below what would overflow the list between two polls."""
INTERVAL = 3.0
PUSH_RATE = 20.0
CLIENTS = 20
SECRET = "whsec_" + "B" * 32
ARENA_AT_REST = {"ROUND_INTERVAL_SECONDS": "604800", "ROUND_OPEN_SECONDS": "30", "ROUND_MARKETS": "1"}
"""One small round at the start, on markets that do not move, so that the arena publishes nothing that is counted."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of one run."""

    trades: int
    pushes: int
    """Trades that are pushed, and as many that are published by script."""
    settling: float
    """Seconds until the trades are projected and the arena's round is published."""
    minute: float
    """Seconds without news in which commands are counted."""


FULL = Sizes(trades=200, pushes=400, settling=130.0, minute=60.0)
QUICK = Sizes(trades=5, pushes=10, settling=0.0, minute=2.0)


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

    def newest(self, number: int) -> list[dict[str, object]]:
        """Return the newest trades, newest first."""
        return list(reversed(self.trades[-number:]))

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
    listener = _listening(system, trades)
    clock = random.Random(1)
    for _ in range(trades):
        time.sleep(clock.expovariate(RATE))
        bot.trade()
    return _taken(listener, bot.born)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What `pushes` measured: sorted seconds, requests, and Redis commands, those of the poller included."""

    seconds: list[float]
    requests: int
    commands: int


def pushes(system: Stack, bot: Bot, trades: int) -> Pushed:
    """Return the sorted seconds from the bot's call to a client, one per trade, while other clients read, too."""
    bot.born.clear()
    crowd = Crowd(f"{system.url}/api/python/sse/trades", CLIENTS - 1)
    listener = _listening(system, trades)
    pusher = Pusher(system.url, SECRET, bot.newest)
    pusher.start()
    clock, before = random.Random(3), _billed(system)
    for _ in range(trades):
        time.sleep(clock.expovariate(PUSH_RATE))
        bot.trade()
        pusher.traded()
    seconds = _taken(listener, bot.born)
    commands = _billed(system) - before
    pusher.stop()
    crowd.close()
    if pusher.statuses.keys() - {200, 202}:
        raise RuntimeError(f"pushes were answered with {pusher.statuses}")
    return Pushed(seconds, pusher.requests, commands)


def bare(system: Stack, trades: int) -> list[float]:
    """Return the sorted seconds from a script call to a client, under the same load as `pushes`."""
    crowd = Crowd(f"{system.url}/api/python/sse/trades", CLIENTS - 1)
    listener = _listening(system, trades)
    born = publish_by_script(system.variables, trades, rate=PUSH_RATE, prefix="bare")
    seconds = _taken(listener, born)
    crowd.close()
    return seconds


def _listening(system: Stack, trades: int) -> Listener:
    listener = Listener(f"{system.url}/api/python/sse/trades", trades)
    listener.start()
    if not listener.ready.wait(30):
        raise RuntimeError("the stream did not open")
    return listener


def _taken(listener: Listener, born: dict[str, float]) -> list[float]:
    listener.join(30)
    if list(listener.seen) != list(born) or listener.repeated:
        raise RuntimeError(
            f"{len(listener.seen)} of {len(born)} trades arrived, {listener.repeated} of them more than once"
        )
    return sorted(listener.seen[name] - at for name, at in born.items())


def quantile(ordered: list[float], share: float) -> float:
    """Return the value below which this share of the ordered values lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


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


SHARES = (0.5, 0.9, 0.99)


def _milliseconds(seconds: list[float]) -> list[str]:
    return [f"{quantile(seconds, share) * 1000:.1f}" for share in SHARES]


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
            BOT_WEBHOOK_SECRET=SECRET,
            **ARENA_AT_REST,
        )
        try:
            taken = latencies(system, bot, sizes.trades)
            by_script = bare(system, sizes.pushes)
            by_push = pushes(system, bot, sizes.pushes)
            time.sleep(sizes.settling)
            quiet = commands(system, seconds=sizes.minute, clients=0)
            watched = commands(system, seconds=2 * sizes.minute, clients=CLIENTS)
        finally:
            system.stop()
            exchange.stop()
    p99 = quantile(taken, 0.99)
    print(machine.description())
    machine.show(
        f"Bot to client, {len(taken)} trades at {RATE:g} per second, polled every {INTERVAL:g} s",
        ["", "seconds", "x poll interval"],
        [
            ["p50", f"{statistics.median(taken):.3f}", f"{statistics.median(taken) / INTERVAL:.2f}"],
            ["p99", f"{p99:.3f}", f"{p99 / INTERVAL:.2f}"],
        ],
    )
    machine.show(
        f"{len(by_push.seconds)} trades at {PUSH_RATE:g} per second with {CLIENTS} clients, milliseconds",
        ["", "p50", "p90", "p99", "Redis commands per trade"],
        [
            ["bare path: script to client", *_milliseconds(by_script), ""],
            [
                f"pushed: bot to client, {by_push.requests} requests",
                *_milliseconds(by_push.seconds),
                f"{by_push.commands / len(by_push.seconds):.1f}",
            ],
            ["ratio", *(f"{quantile(by_push.seconds, at) / quantile(by_script, at):.2f}" for at in SHARES), ""],
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
