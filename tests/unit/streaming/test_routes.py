"""What a request does that waits for the first answer of Redis while its process drains or its client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest
from pydantic import SecretStr
from tests.fixtures.waiting import PATIENCE_SECONDS, until_async
from tests.unit.streaming.memory_reader import MemoryReader

from coliseum.config import Settings
from coliseum.streaming.app import StreamApp

SETTINGS = Settings(
    _env_file=None, upstash_redis_rest_url="http://127.0.0.1:9", upstash_redis_rest_token=SecretStr("none")
)


class StartingReader(MemoryReader):
    """Redis never answers: whether a log can be read is known only when the request gives up."""

    waiting = False

    async def ready(self, seconds: float, *, give_up: Callable[[], bool] = lambda: False) -> bool:
        self.waiting = True
        while not give_up():  # noqa: ASYNC110  # the caller decides by a function, as for the real reader
            await asyncio.sleep(0.01)
        return False


@pytest.mark.parametrize("end", ["drain", "disconnect"])
@pytest.mark.parametrize(("path", "query"), [("/sse/trades", b"strict=1"), ("/events", b"wait=20")])
def test_a_request_that_waits_for_redis_ends_with_a_drain_or_a_disconnect(path: str, query: bytes, end: str) -> None:
    async def story() -> list[int]:
        reader, left, statuses = StartingReader(), asyncio.Event(), list[int]()
        app = StreamApp(SETTINGS, open_reader=lambda: reader)

        async def receive() -> MutableMapping[str, Any]:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": query}
        async with asyncio.timeout(PATIENCE_SECONDS):
            request = asyncio.ensure_future(app(scope, receive, send))
            await until_async(lambda: reader.waiting)
            assert statuses == []
            app.drain() if end == "drain" else left.set()
            await request
        return statuses

    assert asyncio.run(story()) == [503]


def test_a_strict_stream_that_begins_after_the_drain_is_closed_too() -> None:
    async def story() -> bytes:
        app: StreamApp
        body = b""

        class DrainedReader(MemoryReader):
            """The process begins to drain while the request waits, and the log can be read."""

            async def ready(self, seconds: float, *, give_up: Callable[[], bool] = lambda: False) -> bool:
                app.drain()
                return True

        async def receive() -> MutableMapping[str, Any]:
            await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal body
            body += message.get("body", b"")

        app = StreamApp(SETTINGS, open_reader=DrainedReader)
        scope = {"type": "http", "method": "GET", "path": "/sse/trades", "headers": [], "query_string": b"strict=1"}
        async with asyncio.timeout(PATIENCE_SECONDS):
            await app(scope, receive, send)
        return body

    body = asyncio.run(story())
    assert b"event: closing" in body
    assert b"shutdown" in body
