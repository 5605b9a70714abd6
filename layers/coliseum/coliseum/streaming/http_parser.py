"""Requests from the bytes of one HTTP/1.1 connection. `httptools` parses the heads, in time linear in their length.

A request is a head of at most 16 KB with at most 100 headers and, with Content-Length, a body of at most 64 KB.
Everything that two servers could read differently is refused: folded lines, two lengths, two hosts, Transfer-Encoding.
An offer to upgrade the protocol is not taken up; the request is answered over HTTP/1.1.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httptools

HEAD_BYTES = 16_384
HEADERS = 100
BODY_BYTES = 65_536
_END_OF_HEAD = b"\r\n\r\n"
# Stricter than the parser, which also takes two blanks, absolute URLs, `*` and other protocols' names.
_REQUEST_LINE = re.compile(rb"[A-Z]{1,16} /[!-~]* HTTP/1\.[01]")
Scope = MutableMapping[str, Any]


class RequestRefused(Exception):
    """A request that is answered with `status`; the connection is closed, because its next byte has no meaning."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


@dataclass(frozen=True, slots=True)
class RequestHead:
    """`scope` is ASGI's, without the addresses of client and server; `keep_alive` is the client's wish."""

    scope: Scope
    body_bytes: int
    keep_alive: bool


class RequestReader:
    """The bytes of one connection, cut into requests. Holds what has come and not yet been returned.

    A head is searched for its end from where the last search stopped and is parsed once, however small the packets are.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._head: RequestHead | None = None
        """Parsed; its body has not arrived completely."""

    @property
    def overflows(self) -> bool:
        """More has come than one request can hold."""
        return len(self._buffer) > HEAD_BYTES + BODY_BYTES

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next_request(self) -> tuple[RequestHead, bytes] | None:
        """The next request with its body; None while it is incomplete. Raises RequestRefused."""
        if self._head is None:
            self._head = self._next_head()
        head = self._head
        if head is None or len(self._buffer) < head.body_bytes:
            return None
        body = self._take(head.body_bytes)
        self._head = None
        return head, body

    def _next_head(self) -> RequestHead | None:
        end = self._buffer.find(_END_OF_HEAD, self._searched)
        if end > HEAD_BYTES or (end < 0 and len(self._buffer) > HEAD_BYTES):
            raise RequestRefused(431)
        if end < 0:
            # The end itself can be split between two packets: its first three bytes are searched again.
            self._searched = max(0, len(self._buffer) - len(_END_OF_HEAD) + 1)
            return None
        return parse_head(self._take(end + len(_END_OF_HEAD)))

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._searched = 0
        return data


class _Collector:
    """What the parser calls while it reads one head."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.complete = True


def parse_head(head: bytes) -> RequestHead:
    """`head` with the empty line that ends it. Raises RequestRefused."""
    if _REQUEST_LINE.fullmatch(head, 0, head.find(b"\r\n")) is None:
        raise RequestRefused(400)
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    try:
        parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # raised when the head is complete; clients that offer h2c also accept an answer over HTTP/1.1
    except httptools.HttpParserError:
        raise RequestRefused(400) from None
    if not collector.complete:
        raise RequestRefused(400)
    version, headers = parser.get_http_version(), collector.headers
    body_bytes = _check(headers, version)
    raw_path, _, query = collector.url.partition(b"?")
    connection = {option.strip() for option in b",".join(_values(headers, b"connection")).lower().split(b",")}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": version,
        "method": parser.get_method().decode("ascii"),
        "scheme": "http",
        "path": unquote(raw_path.decode("ascii"), errors="replace"),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
    }
    return RequestHead(scope, body_bytes, keep_alive=version == "1.1" and b"close" not in connection)


def _check(headers: list[tuple[bytes, bytes]], version: str) -> int:
    """The length of the body. Raises RequestRefused."""
    if len(headers) > HEADERS:
        raise RequestRefused(431)
    if _values(headers, b"transfer-encoding"):
        raise RequestRefused(501)
    hosts = len(_values(headers, b"host"))
    if hosts > 1 or (hosts == 0 and version == "1.1"):  # RFC 9112, section 3.2
        raise RequestRefused(400)
    lengths = _values(headers, b"content-length")
    if len(lengths) > 1 or (lengths and not (lengths[0].isdigit() and len(lengths[0]) < 10)):
        raise RequestRefused(400)
    length = int(lengths[0]) if lengths else 0
    if length > BODY_BYTES:
        raise RequestRefused(413)
    return length


def _values(headers: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for own_name, value in headers if own_name == name]
