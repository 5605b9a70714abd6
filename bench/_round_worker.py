"""Plays one round for `bench.rounds` in the tree from which it is started, and prints what it cost as one JSON line.

It runs in an earlier commit's tree as well, so it uses only names that both have.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
from functions.forecaster import app
from tests.functions.asked_round import ask, event
from tests.openrouter.server import OpenRouter, Reply, serving

from coliseum import config
from coliseum.arena.agents.roster import roster
from coliseum.store.client import Store
from coliseum_local.processes import ServerProcess

BATCH = 10
"""Decisions in one message batch, as in template.yaml."""


def main() -> None:
    """Play a round, or with `--play` handle the batches that are read from standard input."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--play", action="store_true")
    for name in ("models", "markets", "workers"):
        arguments.add_argument(f"--{name}", type=int, default=1)
    arguments.add_argument("--latency", type=float, default=0.0)
    chosen = arguments.parse_args()
    if chosen.play:
        _play()
    else:
        print(json.dumps(_round(chosen.models, chosen.markets, workers=chosen.workers, latency=chosen.latency)))


def _round(models: int, markets: int, *, workers: int, latency: float) -> dict[str, float]:
    rows = roster().models[:models]
    with tempfile.TemporaryDirectory(prefix="coliseum-bench-") as folder, _servers(Path(folder)) as servers:
        settings, redis, openrouter = servers
        config.set_settings(config.load(settings))
        openrouter.scripts |= {row["model"]: [Reply(seconds=latency)] for row in rows}
        store = Store(settings["supabase_url"], settings["supabase_service_role_key"])
        names = [row["agent_id"] for row in rows]
        more: dict[str, Any] = {"sources": _sources()} if "sources" in inspect.signature(ask).parameters else {}
        asked = ask(store, models=names, tickers=[f"KXBENCH-26-T{number}" for number in range(markets)], **more)
        mine = [one for one in asked.records.decisions(asked.round_id) if one.agent_id in names]
        ids = [one.decision_id for one in mine]
        batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
        players = [_start(settings, batches[number::workers]) for number in range(workers)]
        for player in players:
            assert player.stdout is not None
            assert player.stdout.readline() == "ready\n"
        before = _redis(redis)
        began = time.monotonic()
        for player in players:
            assert player.stdin is not None
            player.stdin.write("go\n")
            player.stdin.flush()
        done = [json.loads(player.communicate()[0]) for player in players]
        wall = time.monotonic() - began
        after = _redis(redis)
        statuses = {one.status for one in asked.records.decisions(asked.round_id) if one.agent_id in names}
        if statuses != {"done"}:
            raise RuntimeError(f"decisions ended as {statuses}")
        return {
            "decisions": len(ids),
            "tracks": len({one.track for one in mine}),
            "wall": wall,
            "cpu": sum(each["cpu"] for each in done),
            "redis": after - before,
            "postgres": sum(each["postgres"] for each in done),
            "requests": len(openrouter.requests),
        }


def _start(settings: dict[str, Any], batches: list[list[str]]) -> subprocess.Popen[str]:
    player = subprocess.Popen(
        [sys.executable, __file__, "--play"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert player.stdin is not None
    player.stdin.write(json.dumps({"settings": settings, "batches": batches}) + "\n")
    player.stdin.flush()
    return player


def _play() -> None:
    given = json.loads(sys.stdin.readline())
    config.set_settings(config.load(given["settings"]))
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 120_000)
    with contextlib.redirect_stdout(io.StringIO()):
        app.handler(event(json.dumps({"decision_id": "r-none/none/none/none"})), context)  # a container that is warm
        from pydantic_ai.models.openrouter import OpenRouterModel  # noqa: F401 - as after its first question
    print("ready", flush=True)
    sys.stdin.readline()
    requests = _count_requests(urlsplit(given["settings"]["supabase_url"]).port or 80)
    cpu = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):  # metrics
        for batch in given["batches"]:
            result = app.handler(event(*(json.dumps({"decision_id": one}) for one in batch)), context)
            if result != {"batchItemFailures": []}:
                raise RuntimeError(f"decisions were given back: {result}")
    print(json.dumps({"cpu": time.process_time() - cpu, "postgres": requests[0]}))


def _sources() -> list[Any]:
    from coliseum.arena.sources.source import DatedSource

    read = datetime.now(UTC) - timedelta(hours=2)
    source = DatedSource(
        url="https://news.example/1",
        title="A summary of the morning",
        publisher="Bench Desk",
        text="Nothing happened. " * 20,
        published_at=read,
        date_only=False,
        fetched_at=read,
        feed_url="https://news.example/feed",
    )
    return [source]


def _redis(ready: dict[str, Any]) -> int:
    headers = {"authorization": f"Bearer {ready['token']}"}
    return int(httpx.get(f"{ready['url']}/_meter", headers=headers).json()["total"])


def _count_requests(port: int) -> list[int]:
    """Count the HTTP requests of this process to a port. The list's only number grows."""
    counted = [0]

    def count(request: httpx.Request) -> None:
        counted[0] += request.url.port == port

    send, send_async = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request

    def sent(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        count(request)
        return send(self, request)

    async def sent_async(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        count(request)
        return await send_async(self, request)

    httpx.HTTPTransport.handle_request = sent  # type: ignore[method-assign]  # both trees' clients go through it
    httpx.AsyncHTTPTransport.handle_async_request = sent_async  # type: ignore[method-assign]
    return counted


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any], OpenRouter]]:
    with ExitStack() as stack:

        def start(name: str) -> dict[str, Any]:
            arguments = ["--port", "0", "--state", str(folder / name)]
            server = ServerProcess(f"coliseum_local.{name}", arguments, log=folder / f"{name}.log")
            stack.callback(server.stop)
            return server.ready

        redis, postgres = start("redis"), start("postgres")
        openrouter = stack.enter_context(serving())
        settings = {
            "upstash_redis_rest_url": redis["url"],
            "upstash_redis_rest_token": redis["token"],
            "supabase_url": postgres["url"],
            "supabase_service_role_key": postgres["secret_key"],
            "openrouter_api_key": "sk-or-v1-bench",
            "openrouter_base_url": openrouter.url,
            "arena_daily_budget_usd": "1000",
            "log_level": "ERROR",
        }
        yield settings, redis, openrouter


if __name__ == "__main__":
    main()
