"""The operator's switches under `/_sandbox`, apart from the API the exchange copies. Bearer token, JSON in and out."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coliseum_local.exchange import market_lifecycle as life
from coliseum_local.exchange.listing import SandboxMarket
from coliseum_local.exchange.sandbox import SandboxExchange
from coliseum_local.exchange.wire import rfc3339

MAX_ADVANCE = 400 * 86_400


class AdminCommand(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Outage(AdminCommand):
    """Every call answers 503 with the exchange's own status body."""

    active: bool
    resume_time: str | None = None


class TooManyRequests(AdminCommand):
    """The next `requests` calls answer 429."""

    requests: int = Field(ge=0, le=100_000)


class TradingPause(AdminCommand):
    paused: bool


class Enabled(AdminCommand):
    enabled: bool


class Latency(AdminCommand):
    seconds: float = Field(ge=0, le=60)


class Advance(AdminCommand):
    """Move the exchange's clock forward; what is due happens before the answer."""

    seconds: float = Field(gt=0, le=MAX_ADVANCE)


class MarketResult(AdminCommand):
    """How a market ends. A scalar result needs `value`, dollars per YES contract in whole cents."""

    result: str = Field(pattern="^(yes|no|scalar)$")
    value: Decimal | None = Field(default=None, ge=0, le=1, decimal_places=2)


class Halt(AdminCommand):
    halted: bool


class Cutoff(AdminCommand):
    """Unix seconds before which rows move to the historical tier; null follows the clock."""

    market_settled: float | None = None
    trades_created: float | None = None
    orders_updated: float | None = None


class AdminCommandRejected(Exception):
    """An order the operator may not give: a status and why."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem


def routes(service: SandboxExchange) -> list[Route]:
    """GET shows the switches; each POST takes one JSON object and answers with the switches after it."""

    def post(path: str, model: type[AdminCommand], act: Callable[[Request, Any], None]) -> Route:
        async def answer(request: Request) -> Response:
            if not _is_operator(service, request):
                return JSONResponse({"error": "the operator's token is missing or wrong"}, status_code=401)
            try:
                act(request, model.model_validate_json(await request.body() or b"{}"))
            except ValidationError as error:
                return JSONResponse({"error": error.errors(include_url=False, include_input=False)}, status_code=422)
            except AdminCommandRejected as refused:
                return JSONResponse({"error": refused.problem}, status_code=refused.status)
            service.flush(now=True)
            return JSONResponse(state(service))

        return Route(f"/_sandbox{path}", answer, methods=["POST"])

    async def show(request: Request) -> Response:
        if not _is_operator(service, request):
            return JSONResponse({"error": "the operator's token is missing or wrong"}, status_code=401)
        return JSONResponse(state(service))

    switches, venue = service.switches, service.venue

    def outage(_: Request, order: Outage) -> None:
        switches.outage, switches.resume_time = order.active, order.resume_time if order.active else None

    def too_many_requests(_: Request, order: TooManyRequests) -> None:
        switches.too_many_requests = order.requests

    def rate_limits(_: Request, order: Enabled) -> None:
        switches.rate_limits = order.enabled

    def legacy_fields(_: Request, order: Enabled) -> None:
        switches.legacy_fields = order.enabled

    def simulation(_: Request, order: Enabled) -> None:
        switches.simulate = order.enabled

    def latency(_: Request, order: Latency) -> None:
        switches.latency_seconds = order.seconds

    def trading_pause(_: Request, order: TradingPause) -> None:
        life.pause(venue, paused=order.paused)

    def weekly_pause(_: Request, order: Enabled) -> None:
        venue.keeps_hours = order.enabled

    def clock(_: Request, order: Advance) -> None:
        service.clock.move(order.seconds)
        service.tick()

    def cutoff(_: Request, order: Cutoff) -> None:
        for name, moment in order.model_dump().items():
            setattr(service.cutoffs, name, moment)

    def settle(request: Request, order: MarketResult) -> None:
        market = _market(service, request)
        _lawful(lambda: life.settle_now(venue, market, result=order.result, value=_value(order)))

    def amend(request: Request, order: MarketResult) -> None:
        market = _market(service, request)
        _lawful(lambda: life.amend(venue, market, result=order.result, value=_value(order)))

    def dispute(request: Request, _: AdminCommand) -> None:
        market = _market(service, request)
        _lawful(lambda: life.dispute(venue, market))

    def halt(request: Request, order: Halt) -> None:
        market = _market(service, request)
        _lawful(lambda: life.halt(venue, market, halted=order.halted))

    return [
        Route("/_sandbox", show, methods=["GET"]),
        post("/outage", Outage, outage),
        post("/too-many-requests", TooManyRequests, too_many_requests),
        post("/rate-limits", Enabled, rate_limits),
        post("/legacy-fields", Enabled, legacy_fields),
        post("/simulation", Enabled, simulation),
        post("/latency", Latency, latency),
        post("/trading-pause", TradingPause, trading_pause),
        post("/weekly-pause", Enabled, weekly_pause),
        post("/clock", Advance, clock),
        post("/cutoff", Cutoff, cutoff),
        post("/markets/{ticker}/settle", MarketResult, settle),
        post("/markets/{ticker}/amend", MarketResult, amend),
        post("/markets/{ticker}/dispute", AdminCommand, dispute),
        post("/markets/{ticker}/halt", Halt, halt),
    ]


def state(service: SandboxExchange) -> dict[str, Any]:
    """The switches, the clock, and the money: `money` never changes while the exchange runs."""
    venue = service.venue
    return {
        "now": rfc3339(venue.now),
        "speed": service.clock.speed,
        "trading_active": venue.trading_active,
        "weekly_pause": venue.keeps_hours,
        "open_markets": sum(1 for _ in venue.open_markets()),
        "money": str(venue.money()),
        **asdict(service.switches),
    }


def _is_operator(service: SandboxExchange, request: Request) -> bool:
    given = request.headers.get("authorization", "")
    return hmac.compare_digest(given.encode(), f"Bearer {service.credentials.admin_token}".encode())


def _market(service: SandboxExchange, request: Request) -> SandboxMarket:
    ticker = request.path_params["ticker"]
    market = service.venue.markets.get(ticker)
    if market is None:
        raise AdminCommandRejected(404, f"no market named {ticker!r}")
    return market


def _value(order: MarketResult) -> Decimal | None:
    if (order.result == "scalar") != (order.value is not None):
        raise AdminCommandRejected(422, "value belongs to a scalar result, and only to one")
    return order.value


def _lawful(act: Callable[[], None]) -> None:
    try:
        act()
    except ValueError as error:
        raise AdminCommandRejected(409, str(error)) from None
