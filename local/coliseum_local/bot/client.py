"""The bot's own small client of the exchange: signed calls without retries. The trader decides when to try again."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import httpx

from coliseum.errors import SourceMalformed, SourceRateLimited, SourceRefused, SourceUnavailable
from coliseum.kalshi.signing import PrivateKey, signed_headers
from coliseum.trading.money import decimal_text
from coliseum.trading.trades import Side
from coliseum_local.bot.models import BotPosition, OrderIntent, Quote
from coliseum_local.bot.parse import (
    SOURCE,
    FillRow,
    OrderRow,
    field,
    fill_from,
    holding_from,
    number,
    order_from,
    quote_from,
    time_from,
)

PAGE = 1000
MAX_PAGES = 20


class ExchangeClient:
    """Calls of one account. They raise the errors of `coliseum.errors`, with source "exchange"."""

    def __init__(
        self, url: str, *, key_id: str, private_key: PrivateKey, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """`transport` replaces the network; the tests give the exchange's app."""
        self._path = urlsplit(url).path
        self._key_id = key_id
        self._private_key = private_key
        timeout = httpx.Timeout(5.0, connect=2.0)
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, transport=transport)

    async def now(self) -> float:
        """The exchange's own time in unix seconds, up to which its lists are complete."""
        return time_from(await self._get("/exchange/user_data_timestamp"), "as_of_time")

    async def trading_is_active(self) -> bool:
        return bool(field(await self._get("/exchange/status"), "trading_active"))

    async def open_markets(self) -> list[Quote]:
        rows = await self._pages("/markets", "markets", status="open", mve_filter="exclude")
        return [quote_from(row) for row in rows]

    async def holdings(self) -> list[BotPosition]:
        rows = await self._pages("/portfolio/positions", "market_positions", count_filter="position")
        return [holding_from(row) for row in rows]

    async def cash_and_value(self) -> tuple[Decimal, Decimal]:
        """Available cash and the positions' value, in dollars. The exchange allows one call a second."""
        body = await self._get("/portfolio/balance")
        return number(body, "balance_dollars"), number(body, "portfolio_value") / 100

    async def fills(self, *, since: float) -> list[FillRow]:
        """Fills of the account since a unix second, newest first."""
        return [fill_from(row) for row in await self._pages("/portfolio/fills", "fills", min_ts=str(int(since)))]

    async def orders(self, *, since: float | None = None, status: str | None = None) -> list[OrderRow]:
        query = {"min_ts": None if since is None else str(int(since)), "status": status}
        rows = await self._pages(
            "/portfolio/orders", "orders", **{name: value for name, value in query.items() if value}
        )
        return [order_from(row) for row in rows]

    async def place(self, intent: OrderIntent, *, client_order_id: str, expires: float | None) -> str:
        """Send an order that expires at a unix second or never; returns its id at the exchange."""
        body: dict[str, Any] = {
            "ticker": intent.ticker,
            "side": intent.book_side.value,
            "count": f"{intent.count:.2f}",
            "price": decimal_text(intent.yes_price, places=4),
            "time_in_force": "good_till_canceled" if intent.rests else "immediate_or_cancel",
            "self_trade_prevention_type": "taker_at_cross",
            "client_order_id": client_order_id,
            "post_only": intent.rests,
        }
        if intent.side is Side.SELL and not intent.rests:
            body["reduce_only"] = True
        if expires is not None:
            body["expiration_time"] = int(expires)
        answer = await self._call("POST", "/portfolio/events/orders", json=body)
        return str(field(answer, "order_id"))

    async def cancel(self, order_id: str) -> None:
        """Cancel an order. An order that is already gone is no error."""
        try:
            await self._call("DELETE", f"/portfolio/events/orders/{order_id}")
        except SourceRefused as refusal:
            if refusal.status != 404:
                raise

    async def close(self) -> None:
        await self._http.aclose()

    async def _pages(self, path: str, name: str, **query: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        cursor = ""
        for _ in range(MAX_PAGES):
            body = await self._get(path, limit=str(PAGE), **query, **({"cursor": cursor} if cursor else {}))
            rows += field(body, name)
            cursor = str(body.get("cursor") or "")
            if not cursor:
                break
        return rows

    async def _get(self, path: str, **query: str) -> dict[str, Any]:
        return await self._call("GET", path, params=query)

    async def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        stamp = int(time.time() * 1000)
        headers = signed_headers(
            self._key_id, self._private_key, method=method, path=self._path + path, timestamp_ms=stamp
        )
        try:
            response = await self._http.request(method, path, headers=headers, **more)
        except httpx.HTTPError as error:
            raise SourceUnavailable(SOURCE, f"{method} {path}: {type(error).__name__}") from None
        return _body(response, f"{method} {path}")


def _body(response: httpx.Response, call: str) -> dict[str, Any]:
    status = response.status_code
    try:
        body = response.json()
    except ValueError:
        body = None
    if status == 429:
        raise SourceRateLimited(SOURCE, f"{call}: too many requests", status=status)
    if status >= 500:
        raise SourceUnavailable(SOURCE, f"{call}: {status} {_reason(body)}".rstrip(), status=status)
    if status >= 400:
        raise SourceRefused(SOURCE, f"{call}: {status} {_reason(body)}".rstrip(), status=status)
    if not isinstance(body, dict):
        raise SourceMalformed(SOURCE, f"{call}: expected a JSON object, got {type(body).__name__}", field="body")
    return body


def _reason(body: object) -> str:
    """The code or text in any of the exchange's error shapes."""
    if not isinstance(body, dict):
        return ""
    error = body.get("error", body)
    if isinstance(error, str):
        return error
    if body.get("exchange_active") is False:
        return "the exchange is down"
    return str(error.get("details") or error.get("code") or error.get("msg") or "") if isinstance(error, dict) else ""
