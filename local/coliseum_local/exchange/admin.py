"""The operator's commands under `/_sandbox`: outages, faults, the clock, money, results of markets.

They are not part of the API that the sandbox copies from Kalshi. Each needs the operator's bearer token.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coliseum.trading.money import ZERO
from coliseum.trading.transfers import TransferKind
from coliseum_local.exchange import market_lifecycle
from coliseum_local.exchange.listing import SandboxMarket
from coliseum_local.exchange.sandbox import SandboxExchange
from coliseum_local.exchange.transfers import TransferRequest
from coliseum_local.exchange.wire import rfc3339

MAX_ADVANCE = 400 * 86_400


class AdminCommand(BaseModel):
    """The JSON body of one command; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid")


class Outage(AdminCommand):
    """Every call answers 503 with the exchange's own status body."""

    active: bool
    resume_time: str | None = None


class TooManyRequests(AdminCommand):
    """The next `requests` calls answer 429, with `Retry-After` where `retry_after` is given (seconds or HTTP date)."""

    requests: int = Field(ge=0, le=100_000)
    retry_after: str | None = Field(default=None, max_length=64, pattern="^[ -~]*$")


class TradingPause(AdminCommand):
    """Stop or resume trading in all markets; reads go on."""

    paused: bool


class Enabled(AdminCommand):
    """Turn one behaviour on or off."""

    enabled: bool


class Latency(AdminCommand):
    """Wait so long before each answer."""

    seconds: float = Field(ge=0, le=60)


class Advance(AdminCommand):
    """Move the exchange's clock forward; everything that falls due happens before the answer."""

    seconds: float = Field(gt=0, le=MAX_ADVANCE)


class MarketResult(AdminCommand):
    """How a market resolves. A scalar result needs `value`: dollars per YES contract in whole cents."""

    result: str = Field(pattern="^(yes|no|scalar)$")
    value: Decimal | None = Field(default=None, ge=0, le=1, decimal_places=2)


class Halt(AdminCommand):
    """Deactivate one market, or let it trade again."""

    halted: bool


class Cutoff(AdminCommand):
    """Unix seconds before which rows move to the historical tier; null follows the clock."""

    market_settled: float | None = None
    trades_created: float | None = None
    orders_updated: float | None = None


class MoneyMoved(AdminCommand):
    """A deposit or a withdrawal of the member, in dollars of whole cents. Only an applied one changes the cash."""

    amount: Decimal = Field(gt=0, le=1_000_000_000, decimal_places=2)
    fee: Decimal = Field(default=ZERO, ge=0, le=1_000_000, decimal_places=2)
    status: Literal["pending", "applied", "failed", "returned"] = "applied"
    type: Literal["ach", "wire", "crypto", "debit", "apm"] = "ach"


class PastFills(AdminCommand):
    """A past for the member: in turn one contract bought and sold, `every` seconds apart from unix second `first`."""

    ticker: str
    pairs: int = Field(ge=1, le=500_000)
    first: float = Field(ge=0)
    every: float = Field(gt=0, le=86_400)
    price: Decimal = Field(default=Decimal("0.5"), gt=0, lt=1, decimal_places=4)


class AdminCommandRejected(Exception):
    """A command that cannot be carried out: the HTTP status and the reason."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem


def routes(sandbox: SandboxExchange) -> list[Route]:
    """GET shows the state; each POST carries out one command and answers with the state after it."""

    def post(path: str, model: type[AdminCommand], execute: Callable[[Request, Any], None]) -> Route:
        async def answer(request: Request) -> Response:
            if not _is_operator(sandbox, request):
                return JSONResponse({"error": "the operator's token is missing or wrong"}, status_code=401)
            try:
                execute(request, model.model_validate_json(await request.body() or b"{}"))
            except ValidationError as error:
                return JSONResponse({"error": error.errors(include_url=False, include_input=False)}, status_code=422)
            except AdminCommandRejected as rejection:
                return JSONResponse({"error": rejection.problem}, status_code=rejection.status)
            sandbox.flush(now=True)
            return JSONResponse(state(sandbox))

        return Route(f"/_sandbox{path}", answer, methods=["POST"])

    async def show(request: Request) -> Response:
        if not _is_operator(sandbox, request):
            return JSONResponse({"error": "the operator's token is missing or wrong"}, status_code=401)
        return JSONResponse(state(sandbox))

    switches, venue = sandbox.switches, sandbox.venue

    def outage(_: Request, command: Outage) -> None:
        switches.outage, switches.resume_time = command.active, command.resume_time if command.active else None

    def too_many_requests(_: Request, command: TooManyRequests) -> None:
        switches.too_many_requests, switches.retry_after = command.requests, command.retry_after

    def rate_limits(_: Request, command: Enabled) -> None:
        switches.rate_limits = command.enabled

    def legacy_fields(_: Request, command: Enabled) -> None:
        switches.legacy_fields = command.enabled

    def simulate(_: Request, command: Enabled) -> None:
        switches.simulate = command.enabled

    def latency(_: Request, command: Latency) -> None:
        switches.latency_seconds = command.seconds

    def trading_pause(_: Request, command: TradingPause) -> None:
        market_lifecycle.pause(venue, paused=command.paused)

    def weekly_pause(_: Request, command: Enabled) -> None:
        venue.keeps_hours = command.enabled

    def clock(_: Request, command: Advance) -> None:
        sandbox.clock.move(command.seconds)
        sandbox.tick()

    def cutoff(_: Request, command: Cutoff) -> None:
        for name, moment in command.model_dump().items():
            setattr(sandbox.cutoffs, name, moment)

    def settle(request: Request, command: MarketResult) -> None:
        market = _market(sandbox, request)
        _if_allowed(lambda: market_lifecycle.settle_now(venue, market, result=command.result, value=_value(command)))

    def amend(request: Request, command: MarketResult) -> None:
        market = _market(sandbox, request)
        _if_allowed(lambda: market_lifecycle.amend(venue, market, result=command.result, value=_value(command)))

    def dispute(request: Request, _: AdminCommand) -> None:
        market = _market(sandbox, request)
        _if_allowed(lambda: market_lifecycle.dispute(venue, market))

    def halt(request: Request, command: Halt) -> None:
        market = _market(sandbox, request)
        _if_allowed(lambda: market_lifecycle.halt(venue, market, halted=command.halted))

    return [
        Route("/_sandbox", show, methods=["GET"]),
        post("/outage", Outage, outage),
        post("/too-many-requests", TooManyRequests, too_many_requests),
        post("/rate-limits", Enabled, rate_limits),
        post("/legacy-fields", Enabled, legacy_fields),
        post("/simulation", Enabled, simulate),
        post("/latency", Latency, latency),
        post("/trading-pause", TradingPause, trading_pause),
        post("/weekly-pause", Enabled, weekly_pause),
        post("/clock", Advance, clock),
        post("/cutoff", Cutoff, cutoff),
        post("/deposits", MoneyMoved, lambda _, command: _move_cash(sandbox, TransferKind.DEPOSIT, command)),
        post("/withdrawals", MoneyMoved, lambda _, command: _move_cash(sandbox, TransferKind.WITHDRAWAL, command)),
        post("/past-fills", PastFills, lambda _, command: _add_past_fills(sandbox, command)),
        post("/markets/{ticker}/settle", MarketResult, settle),
        post("/markets/{ticker}/amend", MarketResult, amend),
        post("/markets/{ticker}/dispute", AdminCommand, dispute),
        post("/markets/{ticker}/halt", Halt, halt),
    ]


def state(sandbox: SandboxExchange) -> dict[str, Any]:
    """The switches, the clock and the money. `money` never changes while the exchange runs: trading conserves it."""
    venue = sandbox.venue
    return {
        "now": rfc3339(venue.now),
        "speed": sandbox.clock.speed,
        "trading_active": venue.trading_active,
        "weekly_pause": venue.keeps_hours,
        "open_markets": sum(1 for _ in venue.open_markets()),
        "money": str(venue.money()),
        **asdict(sandbox.switches),
    }


def _move_cash(sandbox: SandboxExchange, kind: TransferKind, command: MoneyMoved) -> None:
    """Carry out a transfer, or answer 409 where the cash does not cover a withdrawal."""
    request = TransferRequest(
        kind=kind, amount=command.amount, fee=command.fee, status=command.status, method=command.type
    )
    _if_allowed(lambda: sandbox.venue.move_cash(sandbox.credentials.account_id, request))


def _add_past_fills(sandbox: SandboxExchange, command: PastFills) -> None:
    venue = sandbox.venue
    if command.ticker not in venue.markets:
        raise AdminCommandRejected(404, f"no market named {command.ticker!r}")
    times = [command.first + number * command.every for number in range(2 * command.pairs)]
    if times[-1] > venue.now:
        raise AdminCommandRejected(422, "first and every: expected fills that all lie in the past")
    venue.add_past_fills(sandbox.credentials.account_id, command.ticker, times=times, price=command.price)


def _is_operator(sandbox: SandboxExchange, request: Request) -> bool:
    header = request.headers.get("authorization", "")
    return hmac.compare_digest(header.encode(), f"Bearer {sandbox.credentials.admin_token}".encode())


def _market(sandbox: SandboxExchange, request: Request) -> SandboxMarket:
    ticker = request.path_params["ticker"]
    market = sandbox.venue.markets.get(ticker)
    if market is None:
        raise AdminCommandRejected(404, f"no market named {ticker!r}")
    return market


def _value(command: MarketResult) -> Decimal | None:
    if (command.result == "scalar") != (command.value is not None):
        raise AdminCommandRejected(422, "value: expected with a scalar result, and only with one")
    return command.value


def _if_allowed(change_market: Callable[[], object]) -> None:
    """Carry out a change, or answer 409 where the present state does not allow it."""
    try:
        change_market()
    except ValueError as error:
        raise AdminCommandRejected(409, str(error)) from None
