"""The door to the exchange: carries the steps of `account` and `public` out, for threads and for asyncio. Owns httpx.

Public market data needs no key. A call has `DEFAULT_SECONDS`, or what `within` says is left.
"""

from __future__ import annotations

import asyncio
import copy
import random
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from aws_lambda_powertools.metrics import MetricUnit

from coliseum.config import Settings
from coliseum.errors import ConfigurationError, SourceMalformed
from coliseum.kalshi.account import Calls
from coliseum.kalshi.pacing import Pace
from coliseum.kalshi.parse import SOURCE
from coliseum.kalshi.retry import Answer, Failure, Outcome, Send, Steps, Terms
from coliseum.kalshi.signing import PrivateKey, load_private_key, signed_headers
from coliseum.observability import logger, metrics

DEFAULT_SECONDS = 15.0
CONNECT_SECONDS = 2.0
MAX_BODY_BYTES = 64 * 1024 * 1024
"""The largest answer known, all series at once, is about 18 MB."""

P = ParamSpec("P")
T = TypeVar("T")


class Credentials:
    """Who asks. The key is read on the first signed call, once: loading RSA costs about 40 ms."""

    def __init__(
        self, key_id: str | None = None, *, private_key: str | None = None, private_key_path: Path | None = None
    ) -> None:
        self._key_id = key_id
        self._pem = private_key
        self._path = private_key_path
        self._loaded: PrivateKey | None = None

    def headers(self, path: str) -> dict[str, str]:
        """Freshly signed headers for a GET of `path`, counted from the host's root and without query."""
        if self._key_id is None:
            raise ConfigurationError("KALSHI_API_KEY", "is required for the account's own data and is not set")
        if self._loaded is None:
            self._loaded = self._load()
        moment = time.time_ns() // 1_000_000
        return signed_headers(self._key_id, self._loaded, method="GET", path=path, timestamp_ms=moment)

    def _load(self) -> PrivateKey:
        if self._pem is not None:
            return load_private_key(self._pem, variable="KALSHI_PRIVATE_KEY")
        if self._path is None:
            told = "is required beside KALSHI_API_KEY and is not set; or name a file in KALSHI_RSA_KEY_PATH"
            raise ConfigurationError("KALSHI_PRIVATE_KEY", told)
        try:
            text = self._path.expanduser().read_text()
        except (OSError, UnicodeDecodeError):
            raise ConfigurationError("KALSHI_RSA_KEY_PATH", "names no readable file") from None
        return load_private_key(text, variable="KALSHI_RSA_KEY_PATH")


class _Door:
    """What both clients share: where, who, how fast, and until when."""

    def __init__(self, base_url: str, credentials: Credentials | None, *, jitter: Callable[[], float]) -> None:
        self._base_url = base_url.rstrip("/")
        self._base_path = urlsplit(self._base_url).path
        self._credentials = credentials or Credentials()
        self._jitter = jitter
        self._pace = Pace(time.monotonic)
        self._caller_left: Callable[[], float] | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The exchange of the settings; the PEM text wins over the file."""
        key, pem = settings.kalshi_api_key, settings.kalshi_private_key
        credentials = Credentials(
            None if key is None else key.get_secret_value(),
            private_key=None if pem is None else pem.get_secret_value(),
            private_key_path=settings.kalshi_rsa_key_path,
        )
        return cls(settings.kalshi_api_base, credentials, jitter=random.random)

    def within(self, time_left: Callable[[], float]) -> Self:
        """The same door for a caller who has `time_left()` seconds, over the same connections and pace."""
        view = copy.copy(self)
        view._caller_left = time_left
        return view

    def for_seconds(self, seconds: float) -> Self:
        """The same door for a caller who will wait that long from now, for all his calls together."""
        end = time.monotonic() + seconds
        return self.within(lambda: end - time.monotonic())

    def _calls(self) -> Calls:
        end = time.monotonic() + DEFAULT_SECONDS
        time_left = self._caller_left or (lambda: end - time.monotonic())
        return Calls(Terms(self._pace, time_left, self._jitter))

    def _request(self, step: Send) -> tuple[str, httpx.QueryParams, dict[str, str], httpx.Timeout]:
        """URL, query, headers and time-outs of one attempt, signed now."""
        headers = self._credentials.headers(self._base_path + step.path) if step.signed else {}
        timeout = httpx.Timeout(step.seconds, connect=min(CONNECT_SECONDS, step.seconds))
        return self._base_url + step.path, httpx.QueryParams(step.query), headers, timeout


class _Body:
    """Collects an answer, and stops at a size or a moment no honest answer reaches."""

    def __init__(self, step: Send) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._path = step.path
        self._end = time.monotonic() + step.seconds

    def add(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)
        if self._size > MAX_BODY_BYTES:
            raise SourceMalformed(SOURCE, f"GET {self._path} answered more than {MAX_BODY_BYTES} bytes", field="body")
        if time.monotonic() > self._end:
            raise httpx.ReadTimeout("the answer took too long to arrive")

    def bytes(self) -> bytes:
        return b"".join(self._parts)


def _failure(error: httpx.HTTPError) -> Failure:
    return Failure(f"{type(error).__name__}: {error}".removesuffix(": "))


def _report(error: SourceMalformed) -> None:
    """The exchange changed its interface, or we misread it: somebody must look."""
    logger().warning("the exchange answered in an unknown shape", field=error.field, problem=error.problem)
    metrics().add_metric(name="KalshiMalformed", unit=MetricUnit.Count, value=1)


def _plain(steps: Callable[Concatenate[Calls, P], Steps[T]]) -> Callable[Concatenate[Kalshi, P], T]:
    """A method of `Kalshi` from one of `Calls`."""

    @wraps(steps)
    def method(self: Kalshi, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._carry_out(steps(self._calls(), *args, **kwargs))

    return method


def _awaited(steps: Callable[Concatenate[Calls, P], Steps[T]]) -> Callable[Concatenate[AsyncKalshi, P], Awaitable[T]]:
    """A method of `AsyncKalshi` from one of `Calls`."""

    @wraps(steps)
    async def method(self: AsyncKalshi, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._carry_out(steps(self._calls(), *args, **kwargs))

    return method


class Kalshi(_Door):
    """The exchange for functions and threads. One per process: its connections, key and pace are shared."""

    def __init__(
        self, base_url: str, credentials: Credentials | None = None, *, jitter: Callable[[], float] = random.random
    ) -> None:
        super().__init__(base_url, credentials, jitter=jitter)
        self._http = httpx.Client(headers=_HEADERS)

    exchange_status = _plain(Calls.exchange_status)
    user_data_timestamp = _plain(Calls.user_data_timestamp)
    markets = _plain(Calls.markets)
    market = _plain(Calls.market)
    order_book = _plain(Calls.order_book)
    order_books = _plain(Calls.order_books)
    events = _plain(Calls.events)
    event = _plain(Calls.event)
    series = _plain(Calls.series)
    series_list = _plain(Calls.series_list)
    public_trades = _plain(Calls.public_trades)
    candles = _plain(Calls.candles)
    balance = _plain(Calls.balance)
    positions = _plain(Calls.positions)
    fills = _plain(Calls.fills)
    all_fills = _plain(Calls.all_fills)
    settlements = _plain(Calls.settlements)
    all_settlements = _plain(Calls.all_settlements)
    orders = _plain(Calls.orders)
    account_limits = _plain(Calls.account_limits)
    historical_cutoff = _plain(Calls.historical_cutoff)
    historical_markets = _plain(Calls.historical_markets)
    historical_trades = _plain(Calls.historical_trades)
    historical_candles = _plain(Calls.historical_candles)
    historical_fills = _plain(Calls.historical_fills)
    historical_orders = _plain(Calls.historical_orders)

    def close(self) -> None:
        self._http.close()

    def _carry_out(self, steps: Steps[T]) -> T:
        outcome: Outcome = None
        try:
            while True:
                step = steps.send(outcome)
                outcome = None
                if isinstance(step, Send):
                    outcome = self._send(step)
                else:
                    time.sleep(step.seconds)
        except StopIteration as end:
            answer: T = end.value
            return answer
        except SourceMalformed as error:
            _report(error)
            raise

    def _send(self, step: Send) -> Outcome:
        url, query, headers, timeout = self._request(step)
        body = _Body(step)
        try:
            with self._http.stream("GET", url, params=query, headers=headers, timeout=timeout) as response:
                for part in response.iter_bytes():
                    body.add(part)
                return Answer(response.status_code, body.bytes())
        except httpx.HTTPError as error:
            return _failure(error)


class AsyncKalshi(_Door):
    """The exchange for asyncio, with the same calls. One per event loop."""

    def __init__(
        self, base_url: str, credentials: Credentials | None = None, *, jitter: Callable[[], float] = random.random
    ) -> None:
        super().__init__(base_url, credentials, jitter=jitter)
        self._http = httpx.AsyncClient(headers=_HEADERS)

    exchange_status = _awaited(Calls.exchange_status)
    user_data_timestamp = _awaited(Calls.user_data_timestamp)
    markets = _awaited(Calls.markets)
    market = _awaited(Calls.market)
    order_book = _awaited(Calls.order_book)
    order_books = _awaited(Calls.order_books)
    events = _awaited(Calls.events)
    event = _awaited(Calls.event)
    series = _awaited(Calls.series)
    series_list = _awaited(Calls.series_list)
    public_trades = _awaited(Calls.public_trades)
    candles = _awaited(Calls.candles)
    balance = _awaited(Calls.balance)
    positions = _awaited(Calls.positions)
    fills = _awaited(Calls.fills)
    all_fills = _awaited(Calls.all_fills)
    settlements = _awaited(Calls.settlements)
    all_settlements = _awaited(Calls.all_settlements)
    orders = _awaited(Calls.orders)
    account_limits = _awaited(Calls.account_limits)
    historical_cutoff = _awaited(Calls.historical_cutoff)
    historical_markets = _awaited(Calls.historical_markets)
    historical_trades = _awaited(Calls.historical_trades)
    historical_candles = _awaited(Calls.historical_candles)
    historical_fills = _awaited(Calls.historical_fills)
    historical_orders = _awaited(Calls.historical_orders)

    async def close(self) -> None:
        await self._http.aclose()

    async def _carry_out(self, steps: Steps[T]) -> T:
        outcome: Outcome = None
        try:
            while True:
                step = steps.send(outcome)
                outcome = None
                if isinstance(step, Send):
                    outcome = await self._send(step)
                else:
                    await asyncio.sleep(step.seconds)
        except StopIteration as end:
            answer: T = end.value
            return answer
        except SourceMalformed as error:
            _report(error)
            raise

    async def _send(self, step: Send) -> Outcome:
        url, query, headers, timeout = self._request(step)
        body = _Body(step)
        try:
            async with self._http.stream("GET", url, params=query, headers=headers, timeout=timeout) as response:
                async for part in response.aiter_bytes():
                    body.add(part)
                return Answer(response.status_code, body.bytes())
        except httpx.HTTPError as error:
            return _failure(error)


_HEADERS = {"accept": "application/json", "user-agent": "coliseum"}
