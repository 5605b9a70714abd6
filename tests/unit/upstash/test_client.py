from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.config import load
from coliseum.errors import ConfigurationError, SourceUnavailable
from coliseum.upstash.client import AsyncRedis, Redis, _lines


def test_importing_the_client_imports_no_sdk() -> None:
    code = "import sys, coliseum.upstash.client; print([m for m in ('httpx', 'upstash_redis') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize("client_class", [Redis, AsyncRedis])
def test_missing_settings_are_named(client_class: type[Redis] | type[AsyncRedis]) -> None:
    with pytest.raises(ConfigurationError, match="UPSTASH_REDIS_REST_URL"):
        client_class.from_settings(load())


def test_an_empty_batch_sends_nothing() -> None:
    redis = Redis("http://127.0.0.1:1", "token")
    assert redis.pipeline([]) == []
    assert redis.transaction([]) == []
    redis.close()


def test_a_closed_port_is_unavailable() -> None:
    redis = Redis("http://127.0.0.1:1", "secret-token")
    with pytest.raises(SourceUnavailable) as caught:
        redis.read("PING")
    redis.close()
    assert "secret-token" not in str(caught.value)


def test_an_async_client_refuses_a_second_event_loop() -> None:
    redis = AsyncRedis("http://127.0.0.1:1", "token")

    async def ping() -> None:
        with pytest.raises(SourceUnavailable):
            await redis.command("PING")

    asyncio.run(ping())
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(ping())


@given(text=st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), sizes=st.data())
def test_lines_do_not_depend_on_how_the_bytes_are_split(text: str, sizes: st.DataObject) -> None:
    wire = f"data: {text}\r\n\n: {text}\nunfinished".encode()

    async def chunks() -> AsyncIterator[bytes]:
        rest = wire
        while rest:
            size = sizes.draw(st.integers(1, len(rest)))
            yield rest[:size]
            rest = rest[size:]

    async def collect() -> list[str]:
        return [line async for line in _lines(chunks())]

    assert asyncio.run(collect()) == [f"data: {text}", "", f": {text}"]
