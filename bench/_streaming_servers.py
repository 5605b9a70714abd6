"""One server under load: `python -m bench._streaming_servers KIND`. Publishes on command from inside its own process.

Prints its port, then obeys one JSON command per line on stdin: {"rate": events/s, "seconds": s}, {"burst": n} or
{"look": 1}. Every server sends the same 235-byte trade to all its clients.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import psutil
import uvicorn
from pydantic import SecretStr
from tests.unit.streaming.memory_reader import MemoryReader

from bench._streaming_load import TICKER
from coliseum.config import Settings
from coliseum.feed.entries import Entry, EntryId, EntryKind
from coliseum.streaming.app import StreamApp
from coliseum.streaming.server import serve

Publish = Callable[[dict[str, Any], int], None]
"""Sends one trade, given its number, to every client."""
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def trade(number: int) -> dict[str, Any]:
    """One trade as the bot reports it; `timestamp` is when it was published, for the client to measure."""
    return {
        "timestamp": time.monotonic(),
        "ticker": TICKER,
        "side": "BUY",
        "quantity": 50,
        "price": 0.65,
        "trade_id": f"{number:012d}",
        "source": "bot_live",
    }


def wrapped(data: dict[str, Any]) -> dict[str, Any]:
    return {"trades": [data], "count": 1, "source": "bot_live"}


async def raw_sockets() -> tuple[int, Publish]:
    """The floor: encode once, write to each transport."""
    clients: set[asyncio.WriteTransport] = set()

    class Client(asyncio.Protocol):
        transport: asyncio.WriteTransport

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.WriteTransport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(_HEAD)
            clients.add(self.transport)

        def connection_lost(self, exc: Exception | None) -> None:
            clients.discard(self.transport)

    server = await asyncio.get_running_loop().create_server(Client, "127.0.0.1", 0, backlog=4096)

    def publish(data: dict[str, Any], number: int) -> None:
        block = f"event: new_trades\ndata: {json.dumps(wrapped(data))}\nid: 1000-{number}\n\n".encode()
        for transport in clients:
            transport.write(block)

    return server.sockets[0].getsockname()[1], publish


async def coliseum() -> tuple[int, Publish]:
    """The stream on its own server."""
    app, publish = _stream()
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    _running.add(asyncio.ensure_future(serve(app, listening, ended=asyncio.Event())))
    return listening.getsockname()[1], publish


async def coliseum_uvicorn() -> tuple[int, Publish]:
    """The same under uvicorn."""
    app, publish = _stream()
    return await _serve(app), publish


def _stream() -> tuple[StreamApp, Publish]:
    """The stream as it is, with a reader whose log is this process instead of Redis."""

    settings = Settings(
        _env_file=None,
        upstash_redis_rest_url="http://127.0.0.1:9",
        upstash_redis_rest_token=SecretStr("none"),
        sse_session_max_seconds=3600,
    )
    reader = MemoryReader()
    app = StreamApp(settings, open_reader=lambda: reader)

    def publish(data: dict[str, Any], number: int) -> None:
        ring = reader.view.ring
        ms = max(time.time_ns() // 1_000_000, ring.head.ms)
        ring.extend([Entry(EntryId(ms, ring.head.seq + 1), EntryKind.TRADE, data)])
        reader.watchers.announce()

    return app, publish


async def sse_starlette() -> tuple[int, Publish]:
    """A queue for each client, as its documentation shows."""
    from sse_starlette import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.routing import Route

    queues: set[asyncio.Queue[dict[str, str]]] = set()

    async def stream(request: Request) -> EventSourceResponse:
        async def events() -> AsyncIterator[dict[str, str]]:
            queue: asyncio.Queue[dict[str, str]] = asyncio.Queue()
            queues.add(queue)
            try:
                while True:
                    yield await queue.get()
            finally:
                queues.discard(queue)

        return EventSourceResponse(events())

    def publish(data: dict[str, Any], number: int) -> None:
        event = {"event": "new_trades", "data": json.dumps(wrapped(data)), "id": f"1000-{number}"}
        for queue in queues:
            queue.put_nowait(event)

    return await _serve(Starlette(routes=[Route("/sse/trading", stream)])), publish


async def fastapi_native() -> tuple[int, Publish]:
    """FastAPI's own server-sent events, a queue for each client."""
    from fastapi import FastAPI
    from fastapi.sse import EventSourceResponse, ServerSentEvent

    app = FastAPI()
    queues: set[asyncio.Queue[ServerSentEvent]] = set()

    @app.get("/sse/trading", response_class=EventSourceResponse)
    async def stream() -> AsyncIterator[ServerSentEvent]:
        queue: asyncio.Queue[ServerSentEvent] = asyncio.Queue()
        queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            queues.discard(queue)

    def publish(data: dict[str, Any], number: int) -> None:
        event = ServerSentEvent(data=wrapped(data), event="new_trades", id=f"1000-{number}")
        for queue in queues:
            queue.put_nowait(event)

    return await _serve(app), publish


KINDS = {
    "raw": raw_sockets,
    "coliseum": coliseum,
    "coliseum-uvicorn": coliseum_uvicorn,
    "sse-starlette": sse_starlette,
    "fastapi": fastapi_native,
}


async def _serve(app: Any) -> int:
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", ws="none", backlog=4096)
    server = uvicorn.Server(config)
    _running.add(asyncio.ensure_future(server.serve()))
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


_running: set[asyncio.Future[None]] = set()


async def obey(publish: Publish) -> None:
    """Publish on command; each command is answered with this process's CPU seconds and resident bytes."""
    loop, process, number = asyncio.get_running_loop(), psutil.Process(), 0
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        for _ in range(command.get("burst", 0)):
            publish(trade(number), number)
            number += 1
        if "rate" in command:
            begin, count = loop.time(), int(command["rate"] * command["seconds"])
            for index in range(count):
                await asyncio.sleep(max(0.0, begin + index / command["rate"] - loop.time()))
                publish(trade(number), number)
                number += 1
        times = process.cpu_times()
        print(json.dumps({"cpu": times.user + times.system, "rss": process.memory_info().rss}), flush=True)


async def main(kind: str) -> None:
    port, publish = await KINDS[kind]()
    print(json.dumps({"port": port}), flush=True)
    await obey(publish)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
