"""HTTP responses other than streams, and the headers of all: problem details, JSON, cross-origin. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from coliseum.streaming.encode import json_bytes

Headers = list[tuple[bytes, bytes]]
EVENT_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]
_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole response."""

    status: int
    headers: Headers
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class CrossOrigin:
    """Which pages of other origins may read the stream. The only place that sets these headers."""

    origins: tuple[str, ...]

    def headers(self, origin: str | None) -> Headers:
        """For any response to a request that came with this `Origin`."""
        headers: Headers = [(b"vary", b"Origin")]
        if origin is not None and ("*" in self.origins or origin in self.origins):
            headers.append((b"access-control-allow-origin", b"*" if "*" in self.origins else origin.encode("latin-1")))
        return headers

    def preflight(self, origin: str | None, methods: Iterable[str]) -> HttpResponse:
        """The response to OPTIONS."""
        allow = ", ".join(methods).encode()
        headers = [*self.headers(origin), (b"allow", allow)]
        if len(headers) > 2:
            headers += [
                (b"access-control-allow-methods", allow),
                (b"access-control-allow-headers", b"Authorization, Last-Event-ID, Cache-Control, Content-Type"),
                (b"access-control-max-age", b"7200"),
            ]
        return HttpResponse(204, headers)


def json_response(status: int, value: Mapping[str, Any], *, cache_control: bytes = b"no-store") -> HttpResponse:
    """A JSON body with its headers."""
    return HttpResponse(
        status,
        [
            (b"content-type", b"application/json"),
            (b"cache-control", cache_control),
            (b"x-content-type-options", b"nosniff"),
        ],
        json_bytes(value),
    )


def problem(
    status: int,
    detail: str,
    *,
    path: str,
    headers: Iterable[tuple[bytes, bytes]] = (),
    more: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """Problem details (RFC 9457); `path` is the requested one, shown up to 200 characters. `more`: further members."""
    body = {
        "type": "about:blank",
        "title": _TITLES[status],
        "status": status,
        "detail": detail,
        "instance": path[:200],
        **(more or {}),
    }
    return HttpResponse(
        status,
        [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store"), *headers],
        json_bytes(body),
    )
