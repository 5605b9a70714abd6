from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest

from coliseum.llm.redaction import Redactor
from coliseum.llm.transport import LARGEST_REPLY, reply_transport, wire_repairs

KEY = "sk-or-v1-9f8e7d6c5b4a39281706f5e4d3c2b1a0"


class Server:
    """Answers every request with one response, and keeps the paths that were asked for."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.body = b"{}"
        self.headers: dict[str, str] = {}
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.paths.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200, KEY)
            for name, value in {**state.headers, "Content-Length": str(len(state.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # named by the base class
            """Write no access log."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    state.port = listener.server_address[1]
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def post(url: str) -> httpx2.Response:
    async def send() -> httpx2.Response:
        transport = reply_transport(Redactor([KEY]), base_url=url)
        async with httpx2.AsyncClient(transport=transport) as client:
            return await client.post(url, json={})

    return asyncio.run(send())


def test_a_reply_comes_back_readable_and_without_the_servers_own_words(server: Server) -> None:
    server.body = gzip.compress(json.dumps({"choices": [{"message": {"content": ["a", KEY]}}], "x": "\ud800"}).encode())
    server.headers = {
        "Content-Encoding": "gzip",
        "X-Echo": KEY,
        f"X-{KEY}": "1",
        "Set-Cookie": f"a={KEY}",
        "Retry-After": "3",
    }
    noted: list[str] = ["of another reply"]
    wire_repairs.set(noted)
    response = post(server.url)
    assert response.json()["choices"][0]["message"]["content"] == "a[redacted]"
    assert (response.headers["x-echo"], response.headers["retry-after"]) == ("[redacted]", "3")
    assert "set-cookie" not in response.headers
    assert KEY not in str(response.headers.raw)
    assert KEY not in response.reason_phrase
    assert noted == ["characters_replaced", "content_parts"]


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"<html>", b'{"a": 1', b"[" * 5000])
def test_what_is_no_json_stays_as_it_is(server: Server, body: bytes) -> None:
    server.body = body
    assert post(server.url).content == body.decode(errors="replace").encode()


def test_an_endless_reply_is_no_reply(server: Server) -> None:
    server.body = b" " * (LARGEST_REPLY + 1)
    with pytest.raises(httpx2.ReadError, match="more than"):
        post(server.url)


def test_an_error_of_the_network_keeps_its_kind() -> None:
    with pytest.raises(httpx2.ConnectError):
        post("http://127.0.0.1:9/v1")


def test_the_proxy_of_the_environment_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    assert post("http://models.example/v1").status_code == 200
    assert post(server.url).status_code == 200
    assert server.paths == ["http://models.example/v1", "/v1"]
