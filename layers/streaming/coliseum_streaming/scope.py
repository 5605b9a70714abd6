"""A function URL or HTTP API event (payload 2.0) as an ASGI scope and a request body. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

Scope = dict[str, Any]


def from_event(event: Mapping[str, Any]) -> tuple[Scope, bytes]:
    """The scope and the whole body of the request in `event`. Raises ValueError for an event of another kind."""
    try:
        http = event["requestContext"]["http"]
        headers: dict[str, str] = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        if event.get("cookies"):
            headers["cookie"] = "; ".join(event["cookies"])
        path = event["rawPath"]
        scope = {
            "type": "http",
            # 2.3, not later: Starlette watches for the client's end only below 2.4.
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": http["method"],
            "scheme": headers.get("x-forwarded-proto", "https"),
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": (event.get("rawQueryString") or "").encode(),
            "root_path": "",
            "headers": [(name.encode("latin-1"), _header_bytes(value)) for name, value in headers.items()],
            "client": (http.get("sourceIp", ""), 0),
            "server": _server(headers),
            "aws.event": event,
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a function URL or HTTP API 2.0 event: {error!r}") from error
    return scope, _body(event)


def _header_bytes(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


def _server(headers: Mapping[str, str]) -> tuple[str, int]:
    host, _, port = headers.get("host", "").partition(":")
    return host, int(port) if port.isdigit() else int(headers.get("x-forwarded-port", "443"))


def _body(event: Mapping[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
