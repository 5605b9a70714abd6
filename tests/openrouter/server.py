"""A fake of OpenRouter's chat API on 127.0.0.1, for tests and development only.

A model answers in the requested form (tool call or text) with `FORECAST`, unless replies were scripted for its slug:
those come in order, and the last one repeats. Every completion is marked with `provider: "Fake"`.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fixtures.waiting import PATIENCE_SECONDS

JSON = {"Content-Type": "application/json"}
FORECAST: dict[str, Any] = {
    "resolution_reading": "Resolves YES if it happens before the close.",
    "base_rate": 0.3,
    "base_rate_source": "3 of 10 earlier markets of the series",
    "yes_factors": ["momentum"],
    "no_factors": ["status quo"],
    "key_uncertainty": "timing",
    "rationale": "The status quo usually wins.",
    "probability": 0.37,
    "low": 0.25,
    "high": 0.5,
    "abstain": False,
}


@dataclass(frozen=True)
class Reply:
    """An answer: a completion, or `body` where that is set."""

    content: str | None = None
    """The text of the completion; None for `arguments` in the requested form."""
    arguments: Mapping[str, Any] = field(default_factory=lambda: FORECAST)
    message: Mapping[str, Any] | None = None
    """Fields of the completion's message instead of content and arguments."""
    without: tuple[str, ...] = ()
    """Fields that the completion lacks, such as `provider`."""
    echo: Callable[[str], Reply] | None = None
    """Makes the reply from the Authorization header of the request."""
    finish_reason: str | None = None
    model: str | None = None
    """The model that the reply names; None for the requested one."""
    cost: float | None = 0.0021
    tokens: tuple[int, int] = (1200, 400)
    """Input, output."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    before: bytes = b""
    """White space that keeps the connection alive, in front of the body."""
    seconds: float = 0.0
    """Seconds before the answer."""
    together: threading.Barrier | None = None
    """Answer only when as many calls are in flight as the barrier counts."""


def refusal(status: int, message: str = "refused", *, headers: Mapping[str, str] | None = None, **more: Any) -> Reply:
    """OpenRouter's error document; `more` goes into `error` (`metadata`, `availability`, …)."""
    document = {"error": {"code": status, "message": message, **more}}
    return Reply(status=status, headers={**JSON, **(headers or {})}, body=json.dumps(document).encode())


@dataclass
class OpenRouter:
    """The running server: its address, its scripts, and the requests that it received."""

    port: int = 0
    scripts: dict[str, list[Reply]] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list, repr=False)
    """Bodies, oldest first."""
    headers: list[dict[str, str]] = field(default_factory=list, repr=False)
    """Headers of the same requests, names in lower case."""
    models: list[dict[str, Any]] = field(default_factory=list)
    """What `GET /models` lists."""
    closed: threading.Event = field(default_factory=threading.Event)
    """Set at the end: delayed answers are then sent at once."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"

    def script(self, model: str, *replies: Reply) -> None:
        self.scripts[model] = list(replies)

    def requests_of(self, model: str) -> list[dict[str, Any]]:
        return [body for body in self.requests if body["model"] == model]

    def answer(self, body: dict[str, Any], headers: dict[str, str]) -> tuple[Reply, bytes]:
        with self._lock:
            self.requests.append(body)
            self.headers.append(headers)
            script = self.scripts.get(body["model"], [])
            reply = (script.pop(0) if len(script) > 1 else script[0]) if script else Reply()
        if reply.echo is not None:
            reply = reply.echo(headers.get("authorization", ""))
        if reply.together is not None:
            reply.together.wait(PATIENCE_SECONDS)
        self.closed.wait(reply.seconds)
        content = reply.body if reply.body is not None else json.dumps(_completion(body, reply)).encode()
        return reply, reply.before + content


_numbers = itertools.count(1)


def _completion(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    tools: Sequence[Mapping[str, Any]] = body.get("tools") or ()
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    finish = reply.finish_reason
    if reply.message is not None:
        message.update(reply.message)
    elif reply.content is not None or not tools:
        message["content"] = json.dumps(reply.arguments) if reply.content is None else reply.content
    else:
        call = {"name": tools[0]["function"]["name"], "arguments": json.dumps(reply.arguments)}
        message["tool_calls"] = [{"id": f"call-{next(_numbers)}", "type": "function", "function": call}]
        finish = finish or "tool_calls"
    tokens_in, tokens_out = reply.tokens
    usage: dict[str, Any] = {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
    }
    if reply.cost is not None:
        usage["cost"] = reply.cost
    finish = finish or "stop"
    completion = {
        "id": f"gen-fake-{next(_numbers)}",
        "object": "chat.completion",
        "created": 1_795_262_400,
        "model": reply.model or body["model"],
        "provider": "Fake",
        "choices": [{"index": 0, "finish_reason": finish, "native_finish_reason": finish, "message": message}],
        "usage": usage,
    }
    return {name: value for name, value in completion.items() if name not in reply.without}


@contextmanager
def serving(port: int = 0) -> Iterator[OpenRouter]:
    """Run the server on `port` of 127.0.0.1; 0 takes any free port."""
    state = OpenRouter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply, content = state.answer(body, {name.lower(): value for name, value in self.headers.items()})
            try:
                self.send_response(reply.status)
                for name, value in {**JSON, **reply.headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the caller has closed the connection

        def do_GET(self) -> None:
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            content = json.dumps({"data": state.models}).encode()
            self.send_response(200 if self.path.endswith("/models") else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # named by the base class
            """Write no access log."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield state
    finally:
        state.closed.set()
        server.shutdown()
        server.server_close()
        thread.join()
