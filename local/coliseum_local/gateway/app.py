"""API Gateway and CloudFront as an ASGI app: paths go to the streaming function or, by route, to the others.

It also runs the schedules and queues. It answers itself only where AWS would: no route (404), a body over 10 MB (413),
a function that fails (502), does not answer in time (504) or is throttled (429). The functions handle CORS.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
import uuid
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from coliseum_local.gateway import events, routing
from coliseum_local.gateway.environments import EnvironmentPool, HandlerFailed, Throttled, TimedOut
from coliseum_local.gateway.queues import PolledQueue, polled
from coliseum_local.gateway.schedules import FiredSchedule
from coliseum_local.gateway.streaming import Streaming
from coliseum_local.template import LambdaFunction, Template

MAX_BODY_BYTES = 10 * 1024 * 1024
STATUS_PATH = "/_local/status"
DRAIN_SECONDS = 6.0


class LambdaGateway:
    """Everything behind the one port: functions, streams, schedules and queues."""

    def __init__(self, template: Template) -> None:
        self._template = template
        plain = [function for function in template.functions if not function.streams]
        self._environments = {function.logical_id: EnvironmentPool(function) for function in plain}
        self._streaming = {
            function.logical_id: Streaming(function) for function in template.functions if function.streams
        }
        self._schedules = [
            FiredSchedule(schedule, self._environments[function.logical_id])
            for function in plain
            for schedule in function.schedules
        ]
        self._queues: list[PolledQueue] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._started = datetime.now(UTC)

    async def start(self) -> None:
        for streaming in self._streaming.values():
            try:
                await streaming.start()
            except Exception as error:  # noqa: BLE001 - a function that cannot start is tried again at its first request
                print(f"{streaming.function.name} did not start: {type(error).__name__}: {error}", file=sys.stderr)
        self._queues = [queue for queue in self._mappings() if queue is not None]
        loops = [*(schedule.run() for schedule in self._schedules), *(queue.run() for queue in self._queues)]
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    def _mappings(self) -> Iterator[PolledQueue | None]:
        for function in self._template.functions:
            for messages in function.messages:
                environments = self._environments[function.logical_id]
                yield polled(messages, environments, variables=self._template.queue_variables, environment=os.environ)

    async def stop(self) -> None:
        """Start nothing more, let running handlers see that no time remains, end the streams."""
        for task in self._tasks:
            task.cancel()
        streams = [streaming.stop() for streaming in self._streaming.values()]
        handlers = [environments.drain(seconds=DRAIN_SECONDS) for environments in self._environments.values()]
        await asyncio.wait_for(asyncio.gather(*streams, *handlers, return_exceptions=True), DRAIN_SECONDS + 1)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        answer = _Answer(send)
        request = await read_request(scope, receive)
        if request is None:
            await answer.problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {MAX_BODY_BYTES} bytes", scope["path"]
            )
        elif request.path == STATUS_PATH:
            await answer.send(200, {"content-type": "application/json"}, json.dumps(self.report()).encode())
            return
        else:
            await self._dispatch(request, receive, answer)
        milliseconds = round((time.perf_counter() - started) * 1000)
        # The query is left out, because it may hold a ticket.
        print(f"{scope['method']} {scope['path']!r} {answer.status} {milliseconds} ms", file=sys.stderr)

    def report(self) -> dict[str, Any]:
        return {
            "started": self._started.isoformat().replace("+00:00", "Z"),
            "functions": [environments.report() for environments in self._environments.values()],
            "streams": [streaming.report() for streaming in self._streaming.values()],
            "schedules": [schedule.report() for schedule in self._schedules],
            "queues": [queue.report() for queue in self._queues],
        }

    async def _dispatch(self, request: events.HttpRequest, receive: Any, answer: _Answer) -> None:
        streaming = routing.streaming_function(self._template.behaviours, self._template.functions, request.path)
        match = routing.route(self._template.functions, request.method, request.path)
        if streaming is not None:
            await self._stream(streaming, request, receive, answer)
        elif match is None:
            await answer.problem(HTTPStatus.NOT_FOUND, "no route of template.yaml matches", request.path)
        else:
            await self._invoke(match, request, answer)

    async def _stream(
        self, function: LambdaFunction, request: events.HttpRequest, receive: Any, answer: _Answer
    ) -> None:
        event = events.function_url(request, request_id=str(uuid.uuid4()), at=datetime.now(UTC))
        try:
            await self._streaming[function.logical_id].serve(event, receive, answer.pass_on)
        except Exception as error:
            print(f"{function.name}: {type(error).__name__}: {error}", file=sys.stderr)
            if answer.status is not None:
                raise  # the status has been sent, so that the connection can only be broken off
            await answer.problem(HTTPStatus.BAD_GATEWAY, f"{function.name} failed; its log says why", request.path)

    async def _invoke(self, match: routing.RouteMatch, request: events.HttpRequest, answer: _Answer) -> None:
        request_id = str(uuid.uuid4())
        key = f"{match.route.method} {match.route.path}"
        event = events.http_api(
            request, route_key=key, parameters=match.parameters, request_id=request_id, at=datetime.now(UTC)
        )
        try:
            result = await self._environments[match.function.logical_id].invoke(event, request_id=request_id)
            status, headers, body = _http_response(result)
        except Throttled as error:
            await answer.problem(HTTPStatus.TOO_MANY_REQUESTS, str(error), request.path)
        except TimedOut as error:
            await answer.problem(HTTPStatus.GATEWAY_TIMEOUT, str(error), request.path)
        except (HandlerFailed, ValueError, TypeError, KeyError):
            detail = f"{match.function.name} failed; its log says why"
            await answer.problem(HTTPStatus.BAD_GATEWAY, detail, request.path)
        else:
            await answer.send(status, headers, b"" if request.method == "HEAD" else body)


def _http_response(result: Any) -> tuple[int, list[tuple[str, str]], bytes]:
    """A handler's answer as HTTP, by the rules of payload 2.0: without a status code it is a JSON body."""
    if not isinstance(result, dict) or "statusCode" not in result:
        return 200, [("content-type", "application/json")], json.dumps(result).encode()
    body = result.get("body") or ""
    headers = [(name.lower(), str(value)) for name, value in (result.get("headers") or {}).items()]
    headers += [("set-cookie", cookie) for cookie in result.get("cookies") or ()]
    return (
        int(result["statusCode"]),
        headers,
        base64.b64decode(body) if result.get("isBase64Encoded") else body.encode(),
    )


async def read_request(scope: MutableMapping[str, Any], receive: Any) -> events.HttpRequest | None:
    """The whole request; None when its body is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            break
    return events.HttpRequest(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
        body=bytes(body),
        client=(scope.get("client") or ("", 0))[0],
        port=(scope.get("server") or ("", 80))[1],
    )


class _Answer:
    """The response to one request; `status` is None until its head is out."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self.status: int | None = None

    async def pass_on(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    async def send(self, status: int, headers: Any, body: bytes) -> None:
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
        if not any(name == "content-length" for name, _ in pairs):
            pairs.append(("content-length", str(len(body))))
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
        await self.pass_on({"type": "http.response.start", "status": status, "headers": raw})
        await self.pass_on({"type": "http.response.body", "body": body})

    async def problem(self, status: HTTPStatus, detail: str, path: str) -> None:
        document = {"type": "about:blank", "title": status.phrase, "status": status, "detail": detail, "instance": path}
        await self.send(status, {"content-type": "application/problem+json"}, json.dumps(document).encode())
