"""One HTTP request to the stream, and what all requests of a process share."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from coliseum.config import Settings
from coliseum.http.parameters import parameter_problems
from coliseum.streaming.connections import SEND_SECONDS, ConnectionRegistry
from coliseum.streaming.responses import CrossOrigin, HttpResponse, problem
from coliseum.streaming.stats import StreamCounters
from coliseum.streaming.subscription import parse_query

RETRY_MS = (1_000, 3_000)
"""Drawn for each connection, because browsers add no jitter of their own to `retry`."""
READING_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What the stream needs of an ASGI scope."""

    method: str
    path: str
    """Without the prefix under which the app is mounted."""
    shown_path: str
    """With it, for messages."""
    headers: Mapping[bytes, bytes]
    """Names in lower case."""
    query: Mapping[str, list[str]]
    deadline: float | None = None
    """Unix seconds at which the platform ends the process."""
    abort: Callable[[], None] | None = None
    """Disconnects the client and drops what is buffered for it; only our own server can."""
    push: Callable[[bytes], bool] | None = None
    """Writes without waiting; only our own server can."""
    on_gone: Callable[[Callable[[], None]], None] | None = None
    """Takes a callback for the client's disconnect; only our own server does."""

    def header(self, name: bytes) -> str | None:
        """One header's value; `name` in lower case."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def bearer(self) -> str | None:
        """The token sent with the request. CloudFront moves the client's own one to `X-Forwarded-Authorization`."""
        for name in (b"authorization", b"x-forwarded-authorization"):
            scheme, _, token = (self.header(name) or "").partition(" ")
            if scheme.lower() == "bearer" and token.strip():
                return token.strip()
        return None


@dataclass(slots=True)
class StreamContext:
    """What all requests of a process share."""

    settings: Settings
    counters: StreamCounters
    registry: ConnectionRegistry
    cross_origin: CrossOrigin
    instance: str = field(default_factory=lambda: uuid4().hex[:12])
    send_seconds: float = SEND_SECONDS
    rng: random.Random = field(default_factory=random.Random)
    retry_ms: tuple[int, int] = RETRY_MS
    draining: bool = False
    """The process is about to end."""

    def refuse_method(self, request: StreamRequest, allowed: Iterable[str]) -> HttpResponse | None:
        """The response to OPTIONS and to a method that is not allowed; None where the request may go on."""
        allowed = tuple(allowed)
        if request.method == "OPTIONS":
            return self.cross_origin.preflight(request.header(b"origin"), allowed)
        if request.method in allowed:
            return None
        allow = (b"allow", ", ".join(allowed).encode())
        return problem(405, f"{request.method} is not allowed here", path=request.shown_path, headers=[allow])


def refuse_unknown(request: StreamRequest, known: Collection[str]) -> HttpResponse | None:
    """The response to a query with parameters that are not `known`; None where the request may go on."""
    problems = parameter_problems(request.query, known)
    if not problems:
        return None
    errors = [{"field": each.name, "in": "query", "message": each.message} for each in problems]
    detail = "; ".join(f"{each.name}: {each.message}" for each in problems)
    return problem(422, detail, path=request.shown_path, more={"errors": errors})


def parse_request(scope: Mapping[str, Any], path: str) -> StreamRequest:
    """The request of an HTTP scope; `path` is without the mount's prefix. Raises InvalidInput for a malformed query."""
    return StreamRequest(
        method=scope["method"],
        path=path,
        shown_path=scope["path"],
        headers={name.lower(): value for name, value in scope["headers"]},
        query=parse_query(scope.get("query_string", b"")),
        deadline=scope.get("coliseum.deadline"),
        abort=scope.get("coliseum.abort"),
        push=scope.get("coliseum.push"),
        on_gone=scope.get("coliseum.on_gone"),
    )
