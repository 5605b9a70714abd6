"""Our own server: what it understands, what it refuses, and how its answers end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.waiting import PATIENCE_SECONDS

from coliseum.streaming.server import HttpProtocol, Refused, head_from

GET = b"GET /sse/trades?ticker=A-1 HTTP/1.1\r\nHost: x\r\n"


def test_a_head_becomes_a_scope() -> None:
    """SSE-111."""
    scope, length = head_from(b"POST /a%20b?c=%0a HTTP/1.1\r\nHost: x\r\nLast-Event-ID:  1-2 \r\nContent-Length: 5")
    assert (scope["method"], scope["path"], scope["query_string"]) == ("POST", "/a b", b"c=%0a")
    assert dict(scope["headers"])[b"last-event-id"] == b"1-2"
    assert length == 5


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", 400),
        (b"GET / HTTP/2.0", 400),
        (b"get / HTTP/1.1", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET http://x/ HTTP/1.1", 400),
        (b"GET /\n HTTP/1.1", 400),
        (b"GET / HTTP/1.1\r\n folded: x", 400),
        (b"GET / HTTP/1.1\r\nname : x", 400),
        (b"GET / HTTP/1.1\r\nname: a\nb", 400),
        (b"GET / HTTP/1.1\r\nname: a\rb", 400),
        (b"GET / HTTP/1.1\r\nname: a\0b", 400),
        (b"GET / HTTP/1.1\r\nnonsense", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1_0", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 99999999", 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked", 501),
    ],
)
def test_a_head_that_two_servers_could_read_differently_is_refused(head: bytes, status: int) -> None:
    """SSE-111."""
    with pytest.raises(Refused) as caught:
        head_from(head)
    assert caught.value.status == status


@given(st.binary(max_size=80))
def test_any_bytes_are_a_head_or_refused(head: bytes) -> None:
    with suppress(Refused):
        head_from(head)


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


def talk(app: App, said: bytes, *, ends_with: bytes | None = None) -> bytes:
    """What the server answers until `ends_with`, or until it closes."""

    async def story() -> bytes:
        server = await asyncio.get_running_loop().create_server(lambda: HttpProtocol(app, set()), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(said)
        heard = b""
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while ends_with is None or not heard.endswith(ends_with):
                    data = await reader.read(65_536)
                    if not data:
                        break
                    heard += data
        writer.close()
        server.close()
        return heard

    return asyncio.run(story())


def test_a_whole_answer_keeps_the_connection_for_the_next_request() -> None:
    """SSE-111."""
    post = b"POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\n"
    heard = talk(_whole, post + b"1" + post + b"2", ends_with=b"\r\n\r\nok2")
    assert heard.count(b"HTTP/1.1 200 OK") == 2
    assert heard.endswith(b"\r\n\r\nok2")


def test_a_streamed_answer_comes_in_chunks_and_ends_with_the_last() -> None:
    """SSE-111."""
    heard = talk(_streamed, GET + b"\r\n", ends_with=b"0\r\n\r\n")
    assert heard.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    assert b"transfer-encoding: chunked" in heard


def test_an_old_client_gets_plain_bytes_until_the_connection_closes() -> None:
    heard = talk(_streamed, b"GET / HTTP/1.0\r\n\r\n")
    assert heard.endswith(b"\r\n\r\nonetwo")
    assert b"connection: close" in heard


def test_a_client_that_asks_for_the_end_gets_it() -> None:
    heard = talk(_whole, GET + b"Connection: close\r\n\r\n" + GET + b"\r\n")
    assert heard.count(b"HTTP/1.1 200") == 1


def test_an_answer_that_breaks_off_is_cut_and_not_completed() -> None:
    """SSE-111: a chunked body without its end is no whole answer to any client."""
    assert not talk(_broken, GET + b"\r\n").endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("said", "status"), [(b"x" * 20_000, b"431"), (b"nonsense\r\n\r\n", b"400"), (GET + b"a: b\nc\r\n\r\n", b"400")]
)
def test_what_is_refused_is_answered_and_closed(said: bytes, status: bytes) -> None:
    assert talk(_whole, said).startswith(b"HTTP/1.1 " + status)
