"""The exchange as an ASGI app: the API under /trade-api/v2, the operator's commands, and the task that moves time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from coliseum_local.exchange import admin, portfolio, public
from coliseum_local.exchange.errors import nested_error
from coliseum_local.exchange.routing import Handler, route
from coliseum_local.exchange.sandbox import SandboxExchange

TICK_SECONDS = 0.25
LOG = logging.getLogger(__name__)

# Starlette takes the first route that matches: a fixed path must come before one with a placeholder in its place.
PUBLIC: dict[str, Handler] = {
    "/exchange/status": public.status,
    "/exchange/schedule": public.schedule,
    "/exchange/user_data_timestamp": public.user_data_timestamp,
    "/account/endpoint_costs": public.endpoint_costs,
    "/markets": public.markets,
    "/markets/trades": public.trades,
    "/markets/orderbooks": public.order_books,
    "/markets/candlesticks": public.batch_candlesticks,
    "/markets/{ticker}": public.market,
    "/markets/{ticker}/orderbook": public.order_book,
    "/events": public.events,
    "/events/{event_ticker}": public.event,
    "/events/{event_ticker}/metadata": public.event_metadata,
    "/series": public.series_list,
    "/series/{series_ticker}": public.series,
    "/series/{series_ticker}/markets/{ticker}/candlesticks": public.candlesticks,
    "/historical/cutoff": public.historical_cutoff,
    "/historical/trades": public.historical_trades,
    "/historical/markets": public.historical_markets,
    "/historical/markets/{ticker}": public.historical_market,
    "/historical/markets/{ticker}/candlesticks": public.historical_candlesticks,
}
SIGNED: dict[tuple[str, str], Handler] = {
    ("GET", "/portfolio/balance"): portfolio.balance,
    ("GET", "/portfolio/positions"): portfolio.positions,
    ("GET", "/portfolio/fills"): portfolio.fills,
    ("GET", "/portfolio/settlements"): portfolio.settlements,
    ("GET", "/portfolio/deposits"): portfolio.deposits,
    ("GET", "/portfolio/withdrawals"): portfolio.withdrawals,
    ("GET", "/portfolio/orders"): portfolio.orders,
    ("GET", "/portfolio/orders/{order_id}"): portfolio.order,
    ("GET", "/portfolio/summary/total_resting_order_value"): portfolio.resting_value,
    ("POST", "/portfolio/events/orders"): portfolio.create_order,
    ("DELETE", "/portfolio/events/orders/{order_id}"): portfolio.cancel_order,
    ("GET", "/historical/fills"): portfolio.historical_fills,
    ("GET", "/historical/orders"): portfolio.historical_orders,
    ("GET", "/historical/positions"): portfolio.historical_positions,
    ("GET", "/account/limits"): portfolio.account_limits,
}


def create_app(sandbox: SandboxExchange) -> Starlette:
    """The app of one sandbox. While it runs the sandbox's time moves; when it ends the state is written to disk."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(_tick_forever(sandbox))
        yield
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking
        sandbox.flush(now=True)
        sandbox.journal.close()

    return Starlette(
        routes=[
            *(route(sandbox, "GET", path, handler, signed=False) for path, handler in PUBLIC.items()),
            *(route(sandbox, method, path, handler, signed=True) for (method, path), handler in SIGNED.items()),
            *admin.routes(sandbox),
        ],
        exception_handlers={HTTPException: _http_error},
        lifespan=lifespan,
    )


async def _tick_forever(sandbox: SandboxExchange) -> None:
    while True:
        await asyncio.sleep(TICK_SECONDS)
        try:
            sandbox.tick()
        except Exception:  # one failed tick must not stop the exchange's time
            LOG.exception("a tick of the exchange failed")


async def _http_error(request: Request, error: Exception) -> Response:
    del request
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "error")
    return JSONResponse(nested_error(status, code).body, status_code=status)
