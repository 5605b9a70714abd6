"""What a request does that waits for the first answer of Redis."""

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
        settings = Settings(
            _env_file=None,
            upstash_redis_rest_url="http://127.0.0.1:9",
            upstash_redis_rest_token=SecretStr("none"),
        )
        app = StreamApp(settings, open_reader=lambda: reader)

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
