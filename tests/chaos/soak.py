"""The whole system for an hour under faults, with readers that come and go: `python -m tests.chaos.soak`.

`--minutes 5 --every 30` is a short run. `--freeze 30 90` first stops Redis for 30 and then for 90 seconds.

Every two minutes one server is killed with SIGKILL, and the supervisor starts it again. Readers close their own
streams at random and resume; every fourth one follows a market that never trades. At the end each reader must have
received every trade that it follows since its first connection exactly once, except for announced gaps.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from rich.console import Console
from rich.table import Table
from tests.fixtures.stack import Stack, launch

from coliseum.feed.entries import START, EntryId, EntryKind
from coliseum.feed.feed import Feed
from coliseum.upstash.client import Redis

VICTIMS = ("bot", "exchange", "gateway", "postgres", "redis")
PATHS = ("/sse/trades", "/sse/trading", "/sse/portfolio", "/sse/trades?ticker=NEVER-1")
SETTLE_SECONDS = 75.0
"""Time after the last fault: longer than the poller's lease and one of its invocations."""


@dataclass
class Reader:
    """One client over many connections."""

    path: str
    began: EntryId | None = None
    """The log's head at the first connection. The reader must get every trade after it."""
    position: str = ""
    trades: list[str] = field(default_factory=list)
    gaps: int = 0
    connections: int = 0

    def take(self, event: str, data: str, entry_id: str) -> None:
        body = json.loads(data)
        if event == "ready" and self.began is None:
            self.began = EntryId.parse(body["head"]) if body.get("head") else START
            self.position = str(self.began)
        elif event == "new_trades":
            self.trades += [trade["trade_id"] for trade in body["trades"]]
        elif event in {"gap", "reset"}:
            self.gaps += 1
        self.position = entry_id or self.position


async def read(reader: Reader, url: str, *, until: float, rng: random.Random) -> None:
    """Connect, listen for a random time, disconnect and resume, until `until` on the monotonic clock."""
    async with httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(10, read=45), trust_env=False) as client:
        while time.monotonic() < until:
            stay = min(rng.uniform(1, 60), until - time.monotonic())
            with suppress(httpx.HTTPError, TimeoutError):
                await asyncio.wait_for(_listen(reader, client), stay)
            await asyncio.sleep(rng.uniform(0, 2))


async def _listen(reader: Reader, client: httpx.AsyncClient) -> None:
    headers = {"Last-Event-ID": reader.position} if reader.position else {}
    async with client.stream("GET", f"/api/python{reader.path}", headers=headers) as response:
        reader.connections += response.is_success
        block: dict[str, str] = {}
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            if line:
                block[name] = value
                continue
            if "data" in block:
                reader.take(block.get("event", ""), block["data"], block.get("id", ""))
            block = {}


async def harm(stack: Stack, *, freezes: Sequence[float], every: float, until: float, rng: random.Random) -> list[str]:
    """Freeze Redis, then kill one server after the other; gives the list of what was done."""
    victims: list[str] = []
    for seconds in freezes:
        await asyncio.sleep(every)
        keeper = psutil.Process(json.loads((stack.state / "children.json").read_text())["redis"][0])
        (valkey,) = [child for child in keeper.children() if "valkey" in " ".join(child.cmdline())]
        valkey.suspend()
        await asyncio.sleep(seconds)
        valkey.resume()
        victims.append(f"redis frozen {seconds:g} s")
    while time.monotonic() + every < until:
        await asyncio.sleep(every)
        name = rng.choice(VICTIMS)
        children = json.loads((stack.state / "children.json").read_text())
        with suppress(psutil.NoSuchProcess):
            psutil.Process(children[name][0]).kill()
            victims.append(name)
    return victims


def logged(stack: Stack) -> list[tuple[EntryId, str]]:
    redis = Redis(stack.variables["UPSTASH_REDIS_REST_URL"], stack.variables["UPSTASH_REDIS_REST_TOKEN"])
    with closing(redis):
        entries = Feed(redis, prefix="python:", maxlen=10_000).read(START, count=10_000).reading.entries
    return [(entry.id, entry.data["trade_id"]) for entry in entries if entry.kind is EntryKind.TRADE]


def judge(readers: list[Reader], log: list[tuple[EntryId, str]]) -> list[tuple[int, int, int]]:
    """For each reader: how many trades were due, are missing, were repeated."""
    verdicts = []
    for reader in readers:
        began = None if "ticker" in reader.path else reader.began
        due = {trade_id for entry_id, trade_id in log if began is not None and entry_id > began}
        had = reader.trades
        verdicts.append((len(due), len(due - set(had)), len(had) - len(set(had))))
    return verdicts


async def soak(stack: Stack, *, minutes: float, readers: int, freezes: Sequence[float], every: float, seed: int) -> int:
    rng = random.Random(seed)
    clients = [Reader(PATHS[number % len(PATHS)]) for number in range(readers)]
    faults_end = time.monotonic() + minutes * 60
    end = faults_end + SETTLE_SECONDS
    reading = [read(client, stack.url, until=end, rng=random.Random(rng.random())) for client in clients]
    harming = asyncio.create_task(harm(stack, freezes=freezes, every=every, until=faults_end, rng=rng))
    await asyncio.gather(harming, *reading)
    victims = harming.result()
    log = logged(stack)
    # Trades after the last reader disconnected were delivered to no reader.
    seen = {trade_id for client in clients for trade_id in client.trades}
    newest = max((index for index, (_, trade_id) in enumerate(log) if trade_id in seen), default=-1)
    verdicts = judge(clients, log[: newest + 1])
    table = Table(title=f"{minutes:g} minutes, {len(log)} trades, seed {seed}; done: {', '.join(victims) or 'nothing'}")
    for heading in ("reader", "connections", "due", "missing", "repeated", "announced gaps"):
        table.add_column(heading, justify="right")
    for number, (client, (due, missing, repeated)) in enumerate(zip(clients, verdicts, strict=True)):
        table.add_row(*map(str, (number, client.connections, due, missing, repeated, client.gaps)))
    Console(width=120).print(table)
    return int(
        any(
            repeated or (missing and not client.gaps)
            for client, (_, missing, repeated) in zip(clients, verdicts, strict=True)
        )
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--every", type=float, default=120.0, help="seconds between two kills")
    parser.add_argument("--freeze", type=float, nargs="*", default=[], help="seconds in which Redis stands still")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coliseum-soak-") as folder:
        stack = launch(Path(folder) / "state")
        try:
            return asyncio.run(
                soak(
                    stack,
                    minutes=options.minutes,
                    readers=options.readers,
                    freezes=options.freeze,
                    every=options.every,
                    seed=options.seed,
                )
            )
        finally:
            stack.stop()


if __name__ == "__main__":
    sys.exit(main())
