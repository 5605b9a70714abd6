"""The exchange's clients side by side: `python -m bench.kalshi_client`. CPU time of the client, one page of 1,000 rows.

Every client asks the same local server, in a process of its own, with the same RSA key, and reads the same bytes.
CPU time leaves out waiting, so neither our own rate limit nor the server's work counts.
The results differ: our rows have Decimals, checked directions and aware datetimes; the others leave prices as text,
and pykalshi also its times.
"""

from __future__ import annotations

import gc
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.unit.kalshi import payloads

from bench import machine
from coliseum.kalshi.account import ExchangeCalls
from coliseum.kalshi.client import Credentials, Kalshi
from coliseum.kalshi.pacing import RateLimiter
from coliseum.kalshi.retry import CallConditions, HttpAnswer, Pause, Steps

ROWS = 1000
ROUNDS = 15
SIGNATURES = 200
CLIENTS = ("Coliseum", "pykalshi", "kalshi-python-sync")
BASE = "/trade-api/v2"

Job = Callable[[], object]


def bodies() -> dict[str, bytes]:
    """The two pages, by path. Prices, sizes and times differ from row to row as real ones do."""
    rng = Random(1)
    markets = [_market(rng, number) for number in range(ROWS)]
    fills = [_fill(rng, number) for number in range(ROWS)]
    return {
        f"{BASE}/markets": json.dumps({"markets": markets, "cursor": ""}).encode(),
        f"{BASE}/portfolio/fills": json.dumps({"fills": fills, "cursor": ""}).encode(),
    }


def _market(rng: Random, number: int) -> payloads.Row:
    """Ten markets make an event and share its times."""
    price, day, minute = rng.randrange(3, 97), 1 + number // 10 % 28, number // 10 % 60
    return payloads.market(
        ticker=f"KXRAIN-26NOV{day:02d}-T{number}",
        event_ticker=f"KXRAIN-26NOV{day:02d}",
        yes_bid_dollars=_price(price - 1),
        yes_ask_dollars=_price(price + 1),
        no_bid_dollars=_price(99 - price),
        no_ask_dollars=_price(101 - price),
        last_price_dollars=_price(price),
        previous_price_dollars=_price(rng.randrange(3, 97)),
        yes_bid_size_fp=_number(rng, 1_000),
        yes_ask_size_fp=_number(rng, 1_000),
        volume_fp=_number(rng, 1_000_000),
        volume_24h_fp=_number(rng, 10_000),
        open_interest_fp=_number(rng, 100_000),
        open_time=f"2026-10-{day:02d}T15:{minute:02d}:00Z",
        close_time=f"2026-11-{day:02d}T15:{minute:02d}:00Z",
        updated_time=f"2026-10-{day:02d}T09:{minute:02d}:00.{rng.randrange(1_000_000):06d}Z",
    )


def _fill(rng: Random, number: int) -> payloads.Row:
    price = rng.randrange(1, 100)
    return payloads.fill_number(number) | {
        "fill_id": str(UUID(int=rng.getrandbits(128))),
        "order_id": str(UUID(int=rng.getrandbits(128))),
        "count_fp": _number(rng, 200),
        "yes_price_dollars": _price(price),
        "no_price_dollars": _price(100 - price),
        "fee_cost": f"{rng.random():.6f}",
    }


def _price(cents: int) -> str:
    return f"{cents / 100:.4f}"


def _number(rng: Random, most: int) -> str:
    return f"{rng.uniform(1, most):.2f}"


def serve() -> None:
    """The server's process: print the port, answer until killed."""
    pages = bodies()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = pages[self.path.partition("?")[0]]
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def jobs(url: str, key_file: Path) -> dict[str, dict[str, Job]]:
    """What is measured, and how each client does it. Clients are built once, as in a warm function."""
    ours = Kalshi(url, Credentials("key-id", private_key_path=key_file))
    peer = importlib.import_module("pykalshi").KalshiClient("key-id", str(key_file), api_base=url)
    models = importlib.import_module("pykalshi.models")
    sdk: Any = importlib.import_module("kalshi_python_sync")
    configuration = sdk.Configuration(host=url)
    configuration.api_key_id, configuration.private_key_pem = "key-id", key_file.read_text()
    official = sdk.KalshiClient(configuration)
    pages = bodies()
    markets, fills = pages[f"{BASE}/markets"], pages[f"{BASE}/portfolio/fills"]
    credentials = Credentials("key-id", private_key_path=key_file)
    path = f"{BASE}/portfolio/fills"

    calls = ExchangeCalls(CallConditions(RateLimiter(lambda: 0.0), lambda: 60.0, lambda: 0.0))

    return {
        f"read {ROWS} markets": {
            "Coliseum": lambda: read(calls.markets(limit=ROWS), markets),
            "pykalshi": lambda: [models.MarketModel.model_validate(row) for row in json.loads(markets)["markets"]],
            "kalshi-python-sync": lambda: sdk.GetMarketsResponse.from_json(markets.decode()),
        },
        f"read {ROWS} fills": {
            "Coliseum": lambda: read(calls.fills(limit=ROWS), fills),
            "pykalshi": lambda: [models.FillModel.model_validate(row) for row in json.loads(fills)["fills"]],
            "kalshi-python-sync": lambda: sdk.GetFillsResponse.from_json(fills.decode()),
        },
        f"sign {SIGNATURES} requests (RSA)": {
            "Coliseum": lambda: [credentials.headers(path) for _ in range(SIGNATURES)],
            "pykalshi": lambda: [peer._get_headers("GET", "/portfolio/fills") for _ in range(SIGNATURES)],
            "kalshi-python-sync": lambda: [
                official.kalshi_auth.create_auth_headers("GET", path) for _ in range(SIGNATURES)
            ],
        },
        f"GET {ROWS} markets, all in all": {
            "Coliseum": lambda: ours.markets(limit=ROWS),
            "pykalshi": lambda: peer.get_markets(limit=ROWS),
            "kalshi-python-sync": lambda: official.get_markets(limit=ROWS),
        },
        f"GET {ROWS} fills, signed, all in all": {
            "Coliseum": lambda: ours.fills(limit=ROWS),
            "pykalshi": lambda: peer.portfolio.get_fills(limit=ROWS),
            "kalshi-python-sync": lambda: official.get_fills(limit=ROWS),
        },
    }


def read(steps: Steps[object], body: bytes) -> object:
    """Carry out a call with an answer that is already there, so that only reading it takes time."""
    step = next(steps)
    while isinstance(step, Pause):
        step = steps.send(None)
    try:
        steps.send(HttpAnswer(200, body))
    except StopIteration as end:
        return end.value
    raise AssertionError("one answer is enough")


def measure(clients: dict[str, Job], rounds: int) -> dict[str, float]:
    """Median CPU milliseconds of each client; rounds alternate, so that a slow moment hits all of them."""
    spent: dict[str, list[float]] = {name: [] for name in clients}
    for job in clients.values():
        job()
    for _ in range(rounds):
        for name, job in clients.items():
            gc.collect()
            start = time.process_time()
            job()
            spent[name].append((time.process_time() - start) * 1000)
    return {name: statistics.median(values) for name, values in spent.items()}


def main() -> None:
    """Print the table."""
    rounds = 1 if machine.parser(__doc__).parse_args().quick else ROUNDS
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.kalshi_client", "--serve"], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}{BASE}"
        with tempfile.TemporaryDirectory() as folder:
            key_file = Path(folder) / "key.pem"
            key_file.write_bytes(_new_key())
            table = {name: measure(clients, rounds) for name, clients in jobs(url, key_file).items()}
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    rows = [
        [name, *(_cell(figures[client], figures["Coliseum"]) for client in CLIENTS)] for name, figures in table.items()
    ]
    print(machine.description())
    machine.show(f"CPU milliseconds, median of {rounds}, and times Coliseum", ["", *CLIENTS], rows)


def _cell(milliseconds: float, ours: float) -> str:
    return f"{milliseconds:.1f} ({milliseconds / ours:.1f}x)"


def _new_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


if __name__ == "__main__":
    serve() if "--serve" in sys.argv else main()
