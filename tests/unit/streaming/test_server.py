"""The stream's own server: how it answers, and how its responses end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

import pytest
from tests.fixtures.waiting import PATIENCE_SECONDS

from coliseum.streaming.server import HttpProtocol

GET = b"GET /sse/trades?ticker=A-1 HTTP/1.1\r\nHost: x\r\n"

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


async def _whole(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    body = (await receive())["body"]
    headers = [(b"content-length", b"%d" % (2 + len(body)))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok" + body})


async def _streamed(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one", "more_body": True})
    assert scope["coliseum.push"](b"two")
    await send({"type": "http.response.body", "body": b""})


async def _broken(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("on purpose")


def talk(app: App, request: bytes, *, ends_with: bytes | None = None) -> bytes:
    """What the server answers until `ends_with`, or until it closes."""

    async def exchange() -> bytes:
        server = await asyncio.get_running_loop().create_server(lambda: HttpProtocol(app, set()), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(request)
        received = b""
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while ends_with is None or not received.endswith(ends_with):
                    data = await reader.read(65_536)
                    if not data:
                        break
                    received += data
        writer.close()
        server.close()
        return received

    return asyncio.run(exchange())


def test_a_whole_answer_keeps_the_connection_for_the_next_request() -> None:
    """SSE-111."""
    post = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"
    received = talk(_whole, post + b"1" + post + b"2", ends_with=b"\r\n\r\nok2")
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.endswith(b"\r\n\r\nok2")


def test_a_streamed_answer_comes_in_chunks_and_ends_with_the_last() -> None:
    """SSE-111."""
    received = talk(_streamed, GET + b"\r\n", ends_with=b"0\r\n\r\n")
    assert received.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    assert b"transfer-encoding: chunked" in received


def test_an_old_client_gets_plain_bytes_until_the_connection_closes() -> None:
    received = talk(_streamed, b"GET / HTTP/1.0\r\n\r\n")
    assert received.endswith(b"\r\n\r\nonetwo")
    assert b"connection: close" in received


@pytest.mark.parametrize("connection", [b"close", b"Close", b"keep-alive, close", b"keep-alive\r\nConnection: close"])
def test_a_client_that_asks_for_it_gets_one_response_and_the_end(connection: bytes) -> None:
    received = talk(_whole, GET + b"Connection: " + connection + b"\r\n\r\n" + GET + b"\r\n")
    assert received.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in received


def test_an_offer_to_upgrade_is_answered_over_http_1() -> None:
    received = talk(_whole, GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", ends_with=b"ok")
    assert received.startswith(b"HTTP/1.1 200 OK")


def test_an_answer_that_breaks_off_is_cut_and_not_completed() -> None:
    """SSE-111: a chunked body without its end is no whole answer to any client."""
    assert not talk(_broken, GET + b"\r\n").endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"x" * 20_000, b"431"),
        (b"nonsense\r\n\r\n", b"400"),
        (GET + b"a: b\nc\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (GET + b"Host: y\r\n\r\n", b"400"),
    ],
)
def test_a_refused_request_gets_its_status_and_the_connection_is_closed(request_bytes: bytes, status: bytes) -> None:
    assert talk(_whole, request_bytes).startswith(b"HTTP/1.1 " + status)
