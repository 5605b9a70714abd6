"""The bot's HTTP interface: GET /health, /status and /trades. Every answer has the mode in its headers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coliseum_local.bot.memory import trade_body
from coliseum_local.bot.trader import Trader


def create_app(trader: Trader) -> Starlette:
    """The app of one bot; `trader` trades while the app runs."""
    labels = {"x-bot-mode": trader.mode.name, "x-bot-target": trader.mode.target, "cache-control": "no-store"}

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        work = asyncio.create_task(trader.run())
        yield
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        await trader.client.close()

    async def health(_: Request) -> Response:
        started = datetime.fromtimestamp(trader.started_at, UTC).isoformat(timespec="milliseconds")
        body = {
            "status": "alive",
            "mode": trader.mode.name,
            "trade_count": trader.blotter.count,
            "started_at": started.replace("+00:00", "Z"),
        }
        return JSONResponse(body, headers=labels)

    async def status(_: Request) -> Response:
        return JSONResponse(trader.status(), headers=labels)

    async def trades(_: Request) -> Response:
        return JSONResponse([trade_body(trade) for trade in trader.blotter.trades], headers=labels)

    routes = [Route("/health", health), Route("/status", status), Route("/trades", trades)]
    return Starlette(routes=routes, lifespan=lifespan)
