"""Request heads: what is understood, what is refused, and that hostile ones cost no more than others."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.growth import assert_linear

from coliseum.streaming.http_parser import HEAD_BYTES, HEADERS, RequestHead, RequestReader, RequestRefused, parse_head

HOST = b"\r\nHost: x"
END = b"\r\n\r\n"


def test_a_head_becomes_a_scope() -> None:
    """SSE-111."""
    head = parse_head(
        b"POST /a%20b?c=%0a HTTP/1.1\r\nHost: x\r\nLast-Event-ID:  1-2 \t\r\nContent-Length: 5 \r\n\r\n",
    )
    scope = head.scope
    assert (scope["method"], scope["path"], scope["query_string"]) == ("POST", "/a b", b"c=%0a")
    assert dict(scope["headers"])[b"last-event-id"] == b"1-2"
    assert head.body_bytes == 5


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"", 400),
        (b"GET / HTTP/2.0" + HOST, 400),
        (b"GET / RTSP/1.0" + HOST, 400),
        (b"get / HTTP/1.1" + HOST, 400),
        (b"GET  / HTTP/1.1" + HOST, 400),
        (b"GET http://x/ HTTP/1.1" + HOST, 400),
        (b"OPTIONS * HTTP/1.1" + HOST, 400),
        (b"CONNECT x:1 HTTP/1.1" + HOST, 400),
        (b"GET /\n HTTP/1.1" + HOST, 400),
        (b"GET /\xff HTTP/1.1" + HOST, 400),
        (b"GET / HTTP/1.1", 400),
        (b"GET / HTTP/1.1\r\n folded: x" + HOST, 400),
        (b"GET / HTTP/1.1\r\nname: a\r\n folded" + HOST, 400),
        (b"GET / HTTP/1.1\r\nname : x" + HOST, 400),
        (b"GET / HTTP/1.1\r\n: x" + HOST, 400),
        (b"GET / HTTP/1.1\r\nname: a\nb" + HOST, 400),
        (b"GET / HTTP/1.1\r\nname: a\rb" + HOST, 400),
        (b"GET / HTTP/1.1\r\nname: a\0b" + HOST, 400),
        (b"GET / HTTP/1.1\r\nname: a\x01b" + HOST, 400),
        (b"GET / HTTP/1.1\r\nnonsense" + HOST, 400),
        (b"GET / HTTP/1.1" + HOST + HOST, 400),
        (b"GET / HTTP/1.0" + HOST + HOST, 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1" + HOST, 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1" + HOST, 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1_0" + HOST, 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 99999999" + HOST, 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked" + HOST, 501),
        (b"GET / HTTP/1.1" + b"\r\na: b" * HEADERS + HOST, 431),
    ],
)
def test_a_head_that_two_servers_could_read_differently_is_refused(head: bytes, status: int) -> None:
    """SSE-111."""
    with pytest.raises(RequestRefused) as refused:
        parse_head(head + END)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("head", "keep_alive"),
    [
        (b"GET / HTTP/1.1" + HOST, True),
        (b"GET / HTTP/1.1\r\nConnection: Keep-Alive" + HOST, True),
        (b"GET / HTTP/1.1\r\nConnection: keep-alive, Close" + HOST, False),
        (b"GET / HTTP/1.1\r\nConnection: keep-alive\r\nConnection: close" + HOST, False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive", False),
    ],
)
def test_the_connection_is_kept_unless_one_of_its_options_says_close(head: bytes, keep_alive: bool) -> None:
    assert parse_head(head + END).keep_alive is keep_alive


@given(st.binary(max_size=80))
def test_any_bytes_are_a_head_or_refused(head: bytes) -> None:
    with suppress(RequestRefused):
        parse_head(head)


def read_all(stream: bytes, packet_bytes: int) -> list[tuple[RequestHead, bytes]]:
    """The requests of a connection whose bytes arrive in packets of one size."""
    reader, requests = RequestReader(), []
    for start in range(0, len(stream), packet_bytes):
        reader.feed(stream[start : start + packet_bytes])
        while request := reader.next_request():
            requests.append(request)
    return requests


@given(st.integers(1, 200))
def test_requests_are_the_same_however_their_bytes_are_cut(packet_bytes: int) -> None:
    stream = (
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n\r\n\r\nab"
        b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n"
        b"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nc"
    )
    found = [(head.scope["path"], body) for head, body in read_all(stream, packet_bytes)]
    assert found == [("/a", b"\r\n\r\nab"), ("/b", b""), ("/c", b"c")]


def test_a_head_is_parsed_once_however_small_the_packets_are(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[Any] = []
    original = httptools.HttpRequestParser

    def counting_parser(collector: Any) -> Any:
        parsed.append(collector)
        return original(collector)

    monkeypatch.setattr(httptools, "HttpRequestParser", counting_parser)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\na: " + b"b" * 15_000 + END
    ((_, body),) = read_all(head + b"c" * 500, 1)
    assert (len(body), len(parsed)) == (500, 1)


@pytest.mark.parametrize("stream", [b"a" * (HEAD_BYTES + 1), b"GET /" + b"a" * HEAD_BYTES + b" HTTP/1.1" + HOST + END])
def test_a_head_that_is_too_long_is_refused(stream: bytes) -> None:
    reader = RequestReader()
    reader.feed(stream)
    with pytest.raises(RequestRefused, match="431"):
        reader.next_request()


@pytest.mark.parametrize(
    ("before", "repeated", "after"),
    [
        (b"GET / HTTP/1.1\r\na:", b" ", b"\x01"),
        (b"GET / HTTP/1.1\r\na:", b" ", b"b"),
        (b"GET / HTTP/1.1\r\na:b", b" \t", b"b"),
        (b"GET / HTTP/1.1\r\na:", b"b ", b"\0"),
        (b"GET / HTTP/1.1\r\n", b"a", b": b"),
        (b"GET /", b"a", b"\x01 HTTP/1.1"),
        (b"GET /", b"%", b" HTTP/1.1"),
        (b"GET /", b"?", b" HTTP/1.1"),
        (b"GET / HTTP/1.1\r\nConnection: ", b", ", b"close"),
        (b"GET / HTTP/1.1\r\nContent-Length: ", b"0", b"\x01"),
        (b"GET / HTTP/1.1", b"\r\na:", b""),
    ],
)
def test_a_hostile_head_costs_time_linear_in_its_length(before: bytes, repeated: bytes, after: bytes) -> None:
    """A header of blanks once froze the server for hours: the time grew with the cube of the length."""

    def parse(length: int) -> None:
        with suppress(RequestRefused):
            parse_head(before + repeated * length + after + HOST + END)

    assert_linear(parse)
