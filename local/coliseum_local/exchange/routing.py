"""From an HTTP request to a handler and back: rate limits, signature, operator's switches, error bodies."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coliseum_local.exchange.errors import ApiError, nested_error, too_many_requests
from coliseum_local.exchange.orders import OrderRejected
from coliseum_local.exchange.parameters import Parameters
from coliseum_local.exchange.sandbox import SandboxExchange
from coliseum_local.exchange.signatures import authenticate
from coliseum_local.exchange.trading_hours import pause_end
from coliseum_local.exchange.venue import Venue
from coliseum_local.exchange.wire import rfc3339

Body = dict[str, Any]
MAX_BODY = 64 * 1024


@dataclass(slots=True)
class ApiCall:
    """One request that was admitted, as its handler sees it."""

    sandbox: SandboxExchange
    request: Request
    account_id: str
    """The account that signed the request; "" on public calls."""
    content: bytes
    """The request's body."""

    @property
    def venue(self) -> Venue:
        return self.sandbox.venue

    @property
    def legacy(self) -> bool:
        return self.sandbox.switches.legacy_fields

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    def parameters(self, operation: str) -> Parameters:
        return Parameters(self.request.query_params, operation)


Handler = Callable[[ApiCall], Body | tuple[int, Body]]
PREFIX = "/trade-api/v2"


def route(sandbox: SandboxExchange, method: str, path: str, handler: Handler, *, signed: bool) -> Route:
    """A Starlette route around `handler`, which takes an `ApiCall` and returns a body, or a status and a body."""

    async def answer(request: Request) -> Response:
        if sandbox.switches.latency_seconds:
            await asyncio.sleep(sandbox.switches.latency_seconds)
        try:
            content = await _content(request)
            _admit(sandbox, request, method, path, signed=signed)
            account_id = _caller(sandbox, request) if signed else ""
            sandbox.tick()
            result = handler(ApiCall(sandbox, request, account_id, content))
            sandbox.flush()
        except ApiError as refusal:
            return _json(refusal.status, refusal.body, refusal.headers)
        except OrderRejected as rejection:
            # Recorded answers carry either `details` or `service`, never both.
            service_name = None if rejection.details else "exchange"
            error = nested_error(rejection.status, rejection.code, details=rejection.details, service=service_name)
            return _json(error.status, error.body)
        status, body = result if isinstance(result, tuple) else (200, result)
        return _json(status, body)

    return Route(PREFIX + path, answer, methods=[method])


def exchange_status(sandbox: SandboxExchange) -> Body:
    """The body of GET /exchange/status. In an outage it is also the body of every 503."""
    active = not sandbox.switches.outage
    trading = active and sandbox.venue.trading_active
    shards = {0: "Default", 1: "Combos", 2: "Crypto & Commodities", 3: "Tennis, Baseball, Basketball"}
    flags = {"exchange_active": active, "trading_active": trading, "intra_exchange_transfers_active": active}
    body: Body = dict(flags)
    resume = sandbox.switches.resume_time or _resume_time(sandbox.venue)
    if resume is not None:
        body["exchange_estimated_resume_time"] = resume
    body["exchange_index_statuses"] = [
        {"exchange_index": index, "description": name, **flags} for index, name in shards.items()
    ]
    return body


def _resume_time(venue: Venue) -> str | None:
    end = pause_end(venue.now) if venue.keeps_hours else None
    return None if end is None else rfc3339(end)


def _admit(sandbox: SandboxExchange, request: Request, method: str, path: str, *, signed: bool) -> None:
    """Raise ApiError where the exchange is down or the caller too fast.

    The limit is counted before the signature is checked, like on the real exchange: per account where the key is known,
    per address otherwise.
    """
    if sandbox.switches.outage:
        raise ApiError(503, exchange_status(sandbox))
    if sandbox.switches.too_many_requests > 0:
        sandbox.switches.too_many_requests -= 1
        raise too_many_requests(sandbox.switches.retry_after)
    caller = f"address:{request.client.host if request.client else ''}"
    if signed:
        key = sandbox.credentials.registered.get(request.headers.get("kalshi-access-key", ""))
        caller = f"account:{key.account_id}" if key else caller
    if not sandbox.admits(caller, method, path):
        raise too_many_requests()


def _caller(sandbox: SandboxExchange, request: Request) -> str:
    key = authenticate(
        request.headers,
        method=request.method,
        path=request.url.path,
        now_ms=int(time.time() * 1000),
        keys=sandbox.credentials.registered,
    )
    return key.account_id


async def _content(request: Request) -> bytes:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise nested_error(413, "request_too_large")
    return content


def _json(status: int, body: Body, headers: dict[str, str] | None = None) -> Response:
    if status == 204:
        return Response(status_code=204)
    return JSONResponse(body, status_code=status, headers={"cache-control": "no-store", **(headers or {})})


def decoded(content: bytes) -> Body:
    """A JSON object from a request body. Raises ValueError with the exchange's own wording."""
    try:
        body = json.loads(content)
    except RecursionError:
        raise ValueError("json: exceeded max depth") from None
    if not isinstance(body, dict):
        raise ValueError(f"json: cannot unmarshal {type(body).__name__} into an object")  # noqa: TRY004  # bad input
    return body
