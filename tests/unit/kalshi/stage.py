"""A real HTTP server that answers on cue, well or badly, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]

    @property
    def cursor(self) -> str | None:
        return dict(self.query).get("cursor")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer; a misbehaving one is late, drips, or hangs up half way."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    drip_seconds: float = 0.0
    """Pause between the body's bytes."""
    hang_up: bool = False
    """Close the connection before the body is complete."""


def reply(value: object, status: int = 200) -> Reply:
    """A JSON answer."""
    return Reply(status=status, body=json.dumps(value).encode())


Script = Callable[[Asked], Reply]


class Stage:
    """The server; `script` decides every answer."""

    def __init__(self, script: Script) -> None:
        self.asked: list[Asked] = []
        self.script = script
        self._released = threading.Event()
        stage = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stage.answer(self)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                stage.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        asked = Asked(parts.path, tuple(parse_qsl(parts.query)), {k.lower(): v for k, v in handler.headers.items()})
        self.asked.append(asked)
        answer = self.script(asked)
        self._released.wait(answer.delay_seconds)
        # The client may have hung up long ago: that is what these tests are about.
        with contextlib.suppress(OSError):
            handler.send_response(answer.status)
            declared = len(answer.body) + (10 if answer.hang_up else 0)
            for name, value in ({"content-length": str(declared)} | dict(answer.headers)).items():
                handler.send_header(name, value)
            handler.end_headers()
            if not answer.drip_seconds:
                handler.wfile.write(answer.body)
            for start in range(len(answer.body) if answer.drip_seconds else 0):
                handler.wfile.write(answer.body[start : start + 1])
                handler.wfile.flush()
                if self._released.wait(answer.drip_seconds):
                    break
        handler.close_connection = handler.close_connection or answer.hang_up

    @contextlib.contextmanager
    def open(self) -> Iterator[Stage]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._released.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def in_order(*replies: Reply) -> Script:
    """One answer after the other; the last one stays."""
    remaining = list(replies)
    return lambda asked: remaining.pop(0) if len(remaining) > 1 else remaining[0]
