"""Middleware: one correlation id per request in every answer and log line, one log line per request.

It also turns any exception that reaches it into a problem answer, and answers HEAD as GET without the body, which
monitors rely on.
"""

from __future__ import annotations

import json
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coliseum.http.correlation_ids import HEADER, correlation_of
from coliseum.http.problems import MEDIA_TYPE, ProblemResponse, problem_from
from coliseum.observability import logger


class CorrelationMiddleware:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        correlation_id = correlation_of(Headers(scope=scope), scope.get("aws.event"))
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        method = scope["method"]
        bodiless = method == "HEAD"
        if bodiless:
            scope["method"] = "GET"
        began = time.monotonic()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[HEADER] = correlation_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            elif bodiless:
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            logger().exception("unexpected error", correlation_id=correlation_id, path=scope["path"])
            if status:
                raise  # the answer has begun: a second one cannot follow it
            await _send_problem(problem_from(error, path=scope["path"], correlation_id=correlation_id), answer)
        logger().info(
            "request",
            correlation_id=correlation_id,
            method=method,
            path=scope["path"],
            status=status,
            milliseconds=round((time.monotonic() - began) * 1000, 1),
        )


async def _send_problem(problem: ProblemResponse, send: Send) -> None:
    body = json.dumps(problem.body()).encode()
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
