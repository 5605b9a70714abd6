"""The clients of Redis against a real gateway, and against servers that fail."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
from typing import Any

import httpx
import pytest
from tests.fixtures.redis import RedisServer
from tests.fixtures.waiting import PATIENCE_SECONDS

from coliseum.config import Settings
from coliseum.errors import (
    InvalidInput,
    SourceError,
    SourceMalformed,
    SourceRateLimited,
    SourceRefused,
    SourceUnavailable,
)
from coliseum.upstash.client import AsyncRedis, Redis

Connect = Callable[[], AbstractAsyncContextManager[AsyncRedis]]
INCR_LUA = "return redis.call('INCR', KEYS[1])"


def test_replies_are_what_redis_returns(redis: Redis, prefix: str) -> None:
    assert redis.command("SET", f"{prefix}k", "v", "NX") == "OK"
    assert redis.command("SET", f"{prefix}k", "v", "NX") is None
    assert redis.command("HSET", f"{prefix}h", "a", 1, "b", 2.5) == 2
    assert redis.read("HGETALL", f"{prefix}h") == ["a", "1", "b", "2.5"]
    assert redis.read("EXISTS", f"{prefix}k") == 1
    assert redis.read("XRANGE", f"{prefix}s", "-", "+") == []


def test_a_client_is_built_from_settings(redis_server: RedisServer) -> None:
    settings = Settings(
        upstash_redis_rest_url=redis_server.url + "/",
        upstash_redis_rest_token=redis_server.token,
    )
    redis = Redis.from_settings(settings)
    assert redis.read("PING") == "PONG"
    redis.close()


def test_batches_answer_in_order(redis: Redis, prefix: str) -> None:
    assert redis.pipeline([("SET", f"{prefix}k", 1), ("INCR", f"{prefix}k")]) == ["OK", 2]
    assert redis.transaction([("GET", f"{prefix}k"), ("GET", f"{prefix}none")]) == ["2", None]


def test_a_failing_command_in_a_pipeline_raises_and_is_not_sent_again(redis: Redis, prefix: str) -> None:
    with pytest.raises(SourceRefused, match="not an integer"):
        redis.pipeline([("SET", f"{prefix}k", "x"), ("INCR", f"{prefix}k"), ("RPUSH", f"{prefix}l", 1)])
    assert redis.pipeline([("LLEN", f"{prefix}l")]) == [1]


def test_a_refused_transaction_has_the_reason(redis: Redis) -> None:
    with pytest.raises(SourceRefused, match="Command is not available: 'WATCH'"):
        redis.transaction([("GET", "k"), ("WATCH", "k")])


def test_a_wrong_token_is_refused_everywhere(redis_server: RedisServer) -> None:
    redis = Redis(redis_server.url, "wrong-token")
    for call in (
        lambda: redis.read("PING"),
        lambda: redis.pipeline([("PING",)]),
        lambda: redis.transaction([("PING",)]),
    ):
        with pytest.raises(SourceRefused, match="WRONGPASS") as caught:
            call()
        assert caught.value.status == 401
        assert "wrong-token" not in str(caught.value)
    redis.close()


def test_text_that_utf8_cannot_encode_is_invalid_input(redis: Redis, prefix: str) -> None:
    with pytest.raises(InvalidInput):
        redis.command("SET", f"{prefix}k", "\ud800")


def test_a_script_that_redis_does_not_know_is_sent_with_its_source(redis: Redis, prefix: str) -> None:
    redis.command("SCRIPT", "FLUSH")
    assert redis.script(INCR_LUA, [f"{prefix}n"], []) == 1
    assert redis.script(INCR_LUA, [f"{prefix}n"], []) == 2


def test_a_write_whose_reply_was_lost_is_not_repeated(redis: Redis, redis_server: RedisServer, prefix: str) -> None:
    redis_server.faults(drop_reply=1)
    with pytest.raises(SourceUnavailable):
        redis.command("INCR", f"{prefix}n")
    assert redis.read("GET", f"{prefix}n") == "1"


def test_a_script_is_repeated_only_when_it_is_idempotent(redis: Redis, redis_server: RedisServer, prefix: str) -> None:
    redis.script(INCR_LUA, [f"{prefix}n"], [])
    redis_server.faults(drop_reply=1)
    with pytest.raises(SourceUnavailable):
        redis.script(INCR_LUA, [f"{prefix}n"], [])
    redis_server.faults(drop_reply=1)
    assert redis.script(INCR_LUA, [f"{prefix}n"], [], idempotent=True) == 4


@pytest.mark.parametrize(
    "fault",
    [
        {"drop_reply": 1},
        {"half_json": 1},
        {"status_code": 429, "status_times": 1},
        {"status_code": 500, "status_times": 1},
        {"status_code": 502, "status_times": 1},
    ],
)
def test_a_read_survives_one_bad_answer(
    redis: Redis, redis_server: RedisServer, prefix: str, fault: dict[str, int]
) -> None:
    redis.command("SET", f"{prefix}k", "v")
    redis_server.faults(**fault)
    assert redis.read("GET", f"{prefix}k") == "v"
    redis_server.faults(**fault)
    assert redis.transaction([("GET", f"{prefix}k")]) == ["v"]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"drop_reply": 2}, SourceUnavailable),
        ({"half_json": 2}, SourceMalformed),
        ({"status_code": 429, "status_times": 2}, SourceRateLimited),
        ({"status_code": 500, "status_times": 2}, SourceUnavailable),
        ({"status_code": 502, "status_times": 2}, SourceUnavailable),
        ({"refuse_all": True}, SourceUnavailable),
    ],
)
def test_two_bad_answers_raise_the_sources_error(
    redis: Redis, redis_server: RedisServer, fault: dict[str, Any], expected: type[SourceError]
) -> None:
    redis_server.faults(**fault)
    with pytest.raises(expected) as caught:
        redis.read("PING")
    assert caught.value.source == "redis"


def test_a_slow_answer_ends_at_the_time_out(redis_server: RedisServer, redis: Redis) -> None:
    impatient = Redis(redis_server.url, redis_server.token, timeout_seconds=0.1)
    redis_server.faults(latency_ms=5000)
    with pytest.raises(SourceUnavailable, match="Timeout"):
        impatient.command("PING")
    impatient.close()


@contextmanager
def _answering(raw: bytes) -> Iterator[str]:
    """A server that gives every connection the same bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(raw)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'"text"',
        b"<html>ok</html>",
        b'{"result":"not base64!"}',
        b'{"result":"/w=="}',
        b'{"result":{}}',
        b"",
    ],
)
def test_an_answer_of_an_unknown_shape_is_malformed(body: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body)
    with _answering(raw) as url:
        redis = Redis(url, "token")
        with pytest.raises((SourceMalformed, SourceRefused)):
            redis.command("GET", "k")
        redis.close()


def test_the_async_client_behaves_like_the_sync_client(
    async_redis: Connect, redis_server: RedisServer, prefix: str
) -> None:
    async def run() -> None:
        async with async_redis() as redis:
            assert await redis.command("SET", f"{prefix}k", 1) == "OK"
            assert await redis.pipeline([("INCR", f"{prefix}k"), ("GET", f"{prefix}k")]) == [2, "2"]
            assert await redis.pipeline([]) == []
            assert await redis.script(f"{INCR_LUA} -- {prefix}", [f"{prefix}k"], []) == 3
            redis_server.faults(drop_reply=1)
            assert await redis.transaction([("GET", f"{prefix}k")]) == ["3"]
            redis_server.faults(status_code=502, status_times=1)
            assert await redis.read("GET", f"{prefix}k") == "3"
            with pytest.raises(SourceRefused, match="WATCH"):
                await redis.transaction([("WATCH", "k")])
            with pytest.raises(SourceRefused, match="wrong number"):
                await redis.command("GET")

    asyncio.run(run())
    redis_server.faults()


# --- the doorbell ---


def test_a_subscription_is_confirmed_and_then_yields_payloads(
    async_redis: Connect, redis_server: RedisServer, prefix: str
) -> None:
    channel, payload = f"{prefix}a,b:c", '{"x":1, "y":"é,\u2028"}'

    async def run() -> list[str | None]:
        async with async_redis() as redis, aclosing(redis.subscribe(channel)) as subscription:
            messages = [await anext(subscription)]
            await redis.command("PUBLISH", channel, payload)
            await redis.command("PUBLISH", channel, "")
            return [*messages, await anext(subscription), await anext(subscription)]

    assert asyncio.run(run()) == [None, payload, ""]


def test_a_cut_subscription_simply_ends(async_redis: Connect, redis_server: RedisServer, prefix: str) -> None:
    async def run() -> list[str | None]:
        async with async_redis() as redis:
            messages = []
            async with aclosing(redis.subscribe(f"{prefix}c")) as subscription:
                async for message in subscription:
                    messages.append(message)
                    await asyncio.to_thread(redis_server.faults, cut_subscribers=True)
            return messages

    assert asyncio.run(run()) == [None]


@pytest.mark.parametrize("fault", [{"refuse_all": True}, {"status_code": 502, "status_times": 1}])
def test_a_subscription_that_cannot_be_opened_is_unavailable(
    async_redis: Connect, redis_server: RedisServer, redis: Redis, fault: dict[str, Any]
) -> None:
    async def run() -> None:
        async with async_redis() as client:
            redis_server.faults(**fault)
            with pytest.raises(SourceUnavailable):
                await anext(client.subscribe("c"))

    asyncio.run(run())


def test_a_subscription_with_the_wrong_token_is_refused(redis_server: RedisServer) -> None:
    async def run() -> None:
        client = AsyncRedis(redis_server.url, "wrong")
        with pytest.raises(SourceRefused, match="WRONGPASS"):
            await anext(client.subscribe("c"))
        await client.close()

    asyncio.run(run())


def test_a_subscription_to_a_silent_server_is_unavailable() -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            client = AsyncRedis(f"http://127.0.0.1:{silent.getsockname()[1]}", "token", timeout_seconds=0.1)
            with pytest.raises(SourceUnavailable):
                await anext(client.subscribe("c"))
            await client.close()

    asyncio.run(run())


def test_pattern_subscriptions_receive_every_matching_channel(redis_server: RedisServer, prefix: str) -> None:
    with redis_server.admin.stream("POST", f"/psubscribe/{prefix}*") as stream:
        lines = (line for line in stream.iter_lines() if line)
        assert next(lines) == f"data: psubscribe,{prefix}*,1"
        redis_server.admin.get(f"/publish/{prefix}one/a,b")
        assert next(lines) == f"data: pmessage,{prefix}*,{prefix}one,a,b"


def test_three_hundred_subscribers_all_receive_every_message(redis_server: RedisServer, prefix: str) -> None:
    channel = f"{prefix}many"
    limits = httpx.Limits(max_connections=None)

    async def listen(client: httpx.AsyncClient, ready: asyncio.Queue[None]) -> list[str]:
        async with client.stream("POST", f"/subscribe/{channel}") as stream:
            lines = (line async for line in stream.aiter_lines() if line)
            assert await anext(lines) == f"data: subscribe,{channel},1"
            ready.put_nowait(None)
            return [await anext(lines) for _ in range(3)]

    async def run() -> list[list[str]]:
        headers = {"Authorization": f"Bearer {redis_server.token}"}
        async with httpx.AsyncClient(
            base_url=redis_server.url, headers=headers, limits=limits, timeout=PATIENCE_SECONDS
        ) as client:
            ready: asyncio.Queue[None] = asyncio.Queue()
            listeners = [asyncio.create_task(listen(client, ready)) for _ in range(300)]
            for _ in listeners:
                await ready.get()
            for number in range(3):
                await client.get(f"/publish/{channel}/{number}")
            return await asyncio.gather(*listeners)

    expected = [f"data: message,{channel},{number}" for number in range(3)]
    assert asyncio.run(run()) == [expected] * 300


def test_a_second_subscription_receives_messages_again(async_redis: Connect, prefix: str) -> None:
    async def run() -> None:
        async with async_redis() as redis:
            for number in range(3):
                async with aclosing(redis.subscribe(f"{prefix}c")) as subscription:
                    assert await anext(subscription) is None
                    await redis.command("PUBLISH", f"{prefix}c", number)
                    assert await anext(subscription) == str(number)

    asyncio.run(run())
