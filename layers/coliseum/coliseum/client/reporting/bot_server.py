"""The small HTTP server of the bot's answers."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, cast

CONNECTIONS = 16
IDLE_SECONDS = 30
END_SECONDS = 0.1
"""How long `shutdown` may take."""


class BotServer(ThreadingHTTPServer):
    """Answers GET requests with what `answer` gives: bytes, or None for an unknown path."""

    daemon_threads = True
    request_queue_size = 64
    allow_reuse_address = sys.platform != "win32"  # there it would let two programs take one port

    def __init__(self, host: str, port: int, answer: Callable[[str], bytes | None], mode: Callable[[], Any]) -> None:
        self.answer, self.mode = answer, mode
        self._slots = threading.BoundedSemaphore(CONNECTIONS)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), BotAnswers)
        threading.Thread(
            target=self.serve_forever, args=(END_SECONDS,), name="coliseum-reporter-server", daemon=True
        ).start()

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's own asks the DNS for the machine's name
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        logging.getLogger("coliseum.reporter").debug("a request broke off", exc_info=True)


class BotAnswers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "coliseum-reporter/1", ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm, wbufsize = True, -1  # head and body leave in one packet; else each answer takes 40 ms

    def do_GET(self) -> None:
        server = cast(BotServer, self.server)
        body = server.answer(self.path.partition("?")[0])
        mode = server.mode()
        self.send_response(404 if body is None else 200)
        body = b'{"detail":"there are /health, /status and /trades"}' if body is None else body
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        if mode in {"paper", "live"}:
            self.send_header("x-bot-mode", mode)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""
