"""The gateway: Upstash's REST protocol in front of Redis, with `/_meter` and `/_faults` of our own."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from urllib.parse import unquote_to_bytes

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from coliseum.errors import InvalidInput
from coliseum_local.redis import execution
from coliseum_local.redis.access import TokenRole, Tokens, given_token
from coliseum_local.redis.backend import Backend, BackendLost, RedisConnection
from coliseum_local.redis.event_stream import send_events
from coliseum_local.redis.faults import Faults, parse
from coliseum_local.redis.meter import Meter
from coliseum_local.redis.replies import envelope, json_bytes
from coliseum_local.redis.requests import BODY_LIMIT, METHODS, MalformedRequest, batch_in
from coliseum_local.redis.resp import Reply, RespError, encode_reply
from coliseum_local.redis.scripts import Scripts
from coliseum_local.redis.subscriptions import End, Hub, Topic

WRONG_TOKEN = "WRONGPASS invalid or missing auth token"


class RedisRequestError(Exception):
    """A request that is refused with `status` and Upstash's error text."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


@dataclass
class UpstashGateway:
    """The gateway's parts; itself an ASGI app for everything that is a command or a subscription."""

    backend: Backend
    tokens: Tokens
    meter: Meter = field(default_factory=lambda: Meter(datetime.now(UTC)))
    faults: Faults = field(default_factory=Faults)
    scripts: Scripts = field(default_factory=Scripts)
    hub: Hub = field(init=False)
    _writes: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.hub = Hub(lambda: RedisConnection.open(self.backend.address))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._serve(scope, receive, send)
        except RedisRequestError as refused:
            await _error(refused.status, refused.error)(scope, receive, send)
        except BackendLost as lost:
            await _error(503, f"ERR {lost}")(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, query = Headers(scope=scope), scope["query_string"]
        if scope["method"] not in METHODS:
            raise RedisRequestError(405, f"ERR method {scope['method']} is not allowed")
        role = self.tokens.role(given_token(headers, query))
        if role is None:
            raise RedisRequestError(401, WRONG_TOKEN)
        fault = await self._fault()
        if fault is not None:
            return await fault(scope, receive, send)
        match scope["raw_path"].split(b"/"):
            case [b"", b"subscribe" | b"psubscribe" as command, name]:
                kind: Topic = (command.decode(), unquote_to_bytes(name))
                return await self._subscribe(kind, role, receive, send)
            case [b"", b"monitor"]:
                raise RedisRequestError(
                    400, "ERR MONITOR is not available in the local stack; use GET /_meter to count commands"
                )
        body = await _body(receive)
        response = await self._run(scope, headers, role, body)
        if self.faults.take("half_json"):
            half = bytes(response.body)[: len(response.body) // 2]
            response = Response(half, response.status_code, media_type="application/json")
        if self.faults.take("drop_reply"):
            # Headers without a body: the server cuts the connection when the app leaves it so.
            return await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        return await response(scope, receive, send)

    async def _fault(self) -> Response | None:
        if self.faults.latency_ms:
            await asyncio.sleep(self.faults.latency_ms / 1000)
        if self.faults.refuse_all:
            raise RedisRequestError(503, "ERR refused on demand")
        if self.faults.take("status_times"):
            code = self.faults.status_code
            if code == 502:
                return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)
            raise RedisRequestError(code, "ERR refused on demand")
        return None

    async def _subscribe(self, topic: Topic, role: TokenRole, receive: Receive, send: Send) -> None:
        if role is TokenRole.READER:
            raise RedisRequestError(400, f"NOPERM this user has no permissions to run the '{topic[0]}' command")
        async with self.hub.listen(topic) as subscriber:
            self.meter.add([topic[0].upper()])
            await send_events(subscriber, receive, send)

    async def _run(self, scope: Scope, headers: Headers, role: TokenRole, body: bytes) -> Response:
        read_only = role is TokenRole.READER
        raw, base64 = _format(headers)
        try:
            batch = batch_in(scope["method"], scope["raw_path"], scope["query_string"], body)
        except MalformedRequest as error:
            raise RedisRequestError(400, str(error)) from None
        sync = {"Upstash-Sync-Token": str(next(self._writes))}
        commands = [self.scripts.local(command) for command in batch.commands]
        if batch.kind == "transaction":
            if raw:
                raise RedisRequestError(400, "ERR resp2 responses are not available for transactions")
            outcome = await execution.transaction(self.backend, self.meter, commands, read_only=read_only)
            if isinstance(outcome, RespError):
                raise RedisRequestError(400, outcome.text)
            replies = self.scripts.translate_replies(batch.commands, outcome)
            return _json([envelope(reply, base64=base64) for reply in replies], 200, sync)
        received = await execution.pipeline(self.backend, self.meter, commands, read_only=read_only)
        replies = self.scripts.translate_replies(batch.commands, received)
        status = 400 if batch.kind == "single" and isinstance(replies[0], RespError) else 200
        if raw:
            return _resp2(replies, status, sync)
        shown = [envelope(reply, base64=base64) for reply in replies]
        return _json(shown[0] if batch.kind == "single" else shown, status, sync)


def create_app(gateway: UpstashGateway) -> Starlette:
    """The gateway with its own two pages; both need the standard token."""

    def standard_token(request: Request) -> bool:
        return gateway.tokens.role(given_token(request.headers, request.scope["query_string"])) is TokenRole.FULL

    async def meter(request: Request) -> Response:
        if not standard_token(request):
            return _error(401, WRONG_TOKEN)
        if request.method == "POST":
            gateway.meter.reset(datetime.now(UTC))
        return _json({**gateway.meter.report(datetime.now(UTC)), "subscribers": gateway.hub.count}, 200)

    async def faults(request: Request) -> Response:
        if not standard_token(request):
            return _error(401, WRONG_TOKEN)
        if request.method == "POST":
            try:
                gateway.faults, cut = parse(json.loads(await request.body()))
            except (InvalidInput, ValueError) as error:
                return _error(400, f"ERR {error}")
            if cut:
                gateway.hub.end_all(End.CUT)
        return _json(gateway.faults.shown(), 200)

    return Starlette(
        routes=[
            Route("/_meter", meter, methods=["GET"]),
            Route("/_meter/reset", meter, methods=["POST"]),
            Route("/_faults", faults, methods=["GET", "POST"]),
            Mount("/", app=gateway),
        ]
    )


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_LIMIT:
            raise RedisRequestError(400, f"ERR max request size exceeded. Limit: {BODY_LIMIT} bytes")
        more = message.get("more_body", False)
    return b"".join(parts)


def _format(headers: Headers) -> tuple[bool, bool]:
    """Whether the answer is raw RESP2, and whether its strings are base64."""
    form = headers.get("upstash-response-format", "json").lower()
    base64 = headers.get("upstash-encoding", "").lower() == "base64"
    if form not in {"json", "resp2"}:
        raise RedisRequestError(400, "ERR Upstash-Response-Format: expected json or resp2")
    if form == "resp2" and base64:
        raise RedisRequestError(400, "ERR Upstash-Encoding: base64 is not available with resp2 responses")
    return form == "resp2", base64


def _json(value: object, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(json_bytes(value), status, headers, "application/json")


def _resp2(replies: list[Reply], status: int, headers: dict[str, str]) -> Response:
    return Response(b"".join(map(encode_reply, replies)), status, headers, "application/octet-stream")


def _error(status: int, error: str) -> Response:
    return _json({"error": error}, status)
