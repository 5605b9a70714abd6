"""The client of the exchange: sends the requests of `public` and `account` over HTTP. Owns httpx.

Public market data needs no key. A call may take `DEFAULT_SECONDS`, or what `within` or `for_seconds` say.
"""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from aws_lambda_powertools.metrics import MetricUnit

from coliseum.config import Settings
from coliseum.errors import ConfigurationError, SourceMalformed
from coliseum.kalshi.account import ExchangeCalls
from coliseum.kalshi.drift import Sentinel
from coliseum.kalshi.headers import clock_ahead_seconds, retry_after_seconds
from coliseum.kalshi.pacing import RateLimiter
from coliseum.kalshi.parse import SOURCE
from coliseum.kalshi.retry import AttemptResult, CallConditions, HttpAnswer, NoAnswer, SendRequest, Steps
from coliseum.kalshi.signing import PrivateKey, load_private_key, signed_headers
from coliseum.kalshi.subaccounts import Subaccounts
from coliseum.observability import logger, metrics
from coliseum.trading.exchange import ExchangeChange
from coliseum.trading.pages import RejectedRow

DEFAULT_SECONDS = 15.0
CONNECT_SECONDS = 2.0
UNAUTHORIZED = 401
MAX_BODY_BYTES = 64 * 1024 * 1024
"""The largest known answer, a list of all series, is about 18 MB."""

_ROWS_LOGGED = 5

P = ParamSpec("P")
T = TypeVar("T")


class Credentials:
    """An API key. The private key is loaded on the first signed call, once: loading RSA costs about 40 ms."""

    def __init__(
        self, key_id: str | None = None, *, private_key: str | None = None, private_key_path: Path | None = None
    ) -> None:
        self._key_id = key_id
        self._pem = private_key
        self._path = private_key_path
        self._loaded: PrivateKey | None = None

    def headers(self, path: str) -> dict[str, str]:
        """Headers for a GET of `path` (from the host's root, without query), signed now.

        Raises ConfigurationError that names the variable which is missing or wrong.
        """
        if self._key_id is None:
            raise ConfigurationError("KALSHI_API_KEY", "is required for the account's own data and is not set")
        if self._loaded is None:
            self._loaded = self._load()
        now_ms = time.time_ns() // 1_000_000
        return signed_headers(self._key_id, self._loaded, method="GET", path=path, timestamp_ms=now_ms)

    def _load(self) -> PrivateKey:
        if self._pem is not None:
            return load_private_key(self._pem, variable="KALSHI_PRIVATE_KEY")
        if self._path is None:
            problem = "is required beside KALSHI_API_KEY and is not set; or name a file in KALSHI_RSA_KEY_PATH"
            raise ConfigurationError("KALSHI_PRIVATE_KEY", problem)
        try:
            text = self._path.expanduser().read_text()
        except (OSError, UnicodeDecodeError):
            raise ConfigurationError("KALSHI_RSA_KEY_PATH", "names no readable file") from None
        return load_private_key(text, variable="KALSHI_RSA_KEY_PATH")


class _Body:
    """Collects an answer's body. Raises where it is larger or slower than any real answer.

    httpx limits the time between two parts, not the time of the whole answer, so that is checked here.
    """

    def __init__(self, step: SendRequest) -> None:
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


def _failure(error: httpx.HTTPError) -> NoAnswer:
    if isinstance(error, httpx.LocalProtocolError):  # its text may hold the header that it refuses: the key's id
        return NoAnswer("LocalProtocolError: the request has a header that HTTP does not allow")
    return NoAnswer(f"{type(error).__name__}: {error}".removesuffix(": "))


def _answer(response: httpx.Response, body: bytes) -> HttpAnswer:
    status, now = response.status_code, datetime.now(UTC)
    ahead = clock_ahead_seconds(response.headers.get("date"), now=now) if status == UNAUTHORIZED else None
    wait = retry_after_seconds(response.headers.get("retry-after"), now=now)
    until = "" if wait is None else (now + timedelta(seconds=wait)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return HttpAnswer(status, body, wait, until, ahead)


def _report(error: SourceMalformed) -> None:
    """Log and count it: either the exchange changed its interface or we read it wrongly."""
    logger().warning("Kalshi sent an answer of unknown form", field=error.field, problem=error.problem)
    metrics().add_metric(name="KalshiMalformed", unit=MetricUnit.Count, value=1)


def _report_rows(rejected: Sequence[RejectedRow]) -> None:
    rows = [asdict(row) for row in rejected[:_ROWS_LOGGED]]
    logger().warning("rows of a Kalshi answer were left out", count=len(rejected), rows=rows)
    metrics().add_metric(name="KalshiRowsLeftOut", unit=MetricUnit.Count, value=len(rejected))


def _blocking(steps: Callable[Concatenate[ExchangeCalls, P], Steps[T]]) -> Callable[Concatenate[Kalshi, P], T]:
    """A method of `Kalshi` that carries out a method of `ExchangeCalls`."""

    @wraps(steps)
    def method(self: Kalshi, /, *args: P.args, **kwargs: P.kwargs) -> T:
        conditions = self._conditions()
        try:
            return self._carry_out(steps(ExchangeCalls(conditions), *args, **kwargs))
        finally:
            self._note(conditions.rejected)
            self._tell_changes()
            self._log_warning()

    return method


class Kalshi:
    """The exchange. One per process; threads share its connections, key and rate limits."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | None = None,
        *,
        jitter: Callable[[], float] = random.random,
        subaccount: int | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._base_path = urlsplit(self._base_url).path
        self._credentials = credentials or Credentials()
        self._jitter = jitter
        self._rate_limiter = RateLimiter(time.monotonic)
        self._subaccounts = Subaccounts(subaccount)
        self._sentinel = Sentinel()
        self._changes: list[ExchangeChange] = []
        self._listeners: list[Callable[[ExchangeChange], object]] = []
        self._caller_time_left: Callable[[], float] | None = None
        self._left_out: list[RejectedRow] | None = None
        self._http = httpx.Client(headers=_HEADERS)

    exchange_status = _blocking(ExchangeCalls.exchange_status)
    markets = _blocking(ExchangeCalls.markets)
    market = _blocking(ExchangeCalls.market)
    order_book = _blocking(ExchangeCalls.order_book)
    order_books = _blocking(ExchangeCalls.order_books)
    events = _blocking(ExchangeCalls.events)
    event = _blocking(ExchangeCalls.event)
    series = _blocking(ExchangeCalls.series)
    candles = _blocking(ExchangeCalls.candles)
    balance = _blocking(ExchangeCalls.balance)
    positions = _blocking(ExchangeCalls.positions)
    fills = _blocking(ExchangeCalls.fills)
    all_fills = _blocking(ExchangeCalls.all_fills)
    settlements = _blocking(ExchangeCalls.settlements)
    all_settlements = _blocking(ExchangeCalls.all_settlements)
    resting_orders = _blocking(ExchangeCalls.resting_orders)
    historical_cutoff = _blocking(ExchangeCalls.historical_cutoff)
    historical_markets = _blocking(ExchangeCalls.historical_markets)
    historical_candles = _blocking(ExchangeCalls.historical_candles)
    historical_fills = _blocking(ExchangeCalls.historical_fills)
    historical_positions = _blocking(ExchangeCalls.historical_positions)
    deposits = _blocking(ExchangeCalls.deposits)
    withdrawals = _blocking(ExchangeCalls.withdrawals)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The client for the settings. Where both are set, the PEM text is used and not the file."""
        key, pem = settings.kalshi_api_key, settings.kalshi_private_key
        credentials = Credentials(
            None if key is None else key.get_secret_value(),
            private_key=None if pem is None else pem.get_secret_value(),
            private_key_path=settings.kalshi_rsa_key_path,
        )
        return cls(settings.kalshi_api_base, credentials, jitter=random.random, subaccount=settings.kalshi_subaccount)

    def within(self, time_left: Callable[[], float]) -> Self:
        """This client for a caller who has `time_left()` seconds. Connections and rate limits are shared."""
        view = copy.copy(self)
        view._caller_time_left = time_left
        view._left_out = []
        return view

    def for_seconds(self, seconds: float) -> Self:
        """This client for a caller who has so many seconds from now, for all calls together."""
        end = time.monotonic() + seconds
        return self.within(lambda: end - time.monotonic())

    @property
    def is_whole_member(self) -> bool:
        """False where the account is one of the member's subaccounts: lists of the member then say too much."""
        return self._subaccounts.whole

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should know about the account's data, each with its name in front."""
        warning = self._subaccounts.warning
        return () if warning is None else (warning,)

    def time_left(self) -> float:
        """Seconds that the caller of this view has; `DEFAULT_SECONDS`, which each call gets, without a limit."""
        return DEFAULT_SECONDS if self._caller_time_left is None else self._caller_time_left()

    def close(self) -> None:
        self._http.close()

    @property
    def left_out(self) -> tuple[RejectedRow, ...]:
        """Rows that the calls of this view (`within`, `for_seconds`) could not read; the other rows were returned."""
        return tuple(self._left_out or ())

    def _conditions(self) -> CallConditions:
        end = time.monotonic() + DEFAULT_SECONDS
        time_left = self._caller_time_left or (lambda: end - time.monotonic())
        return CallConditions(self._rate_limiter, time_left, self._jitter, self._subaccounts, sentinel=self._sentinel)

    @property
    def changes(self) -> tuple[ExchangeChange, ...]:
        """The changes of the exchange's interface that this process has seen, oldest first."""
        return tuple(self._changes)

    def on_change(self, listener: Callable[[ExchangeChange], object]) -> None:
        """Call `listener` with each change, once per process. It must not raise."""
        self._listeners.append(listener)

    def _log_warning(self) -> None:
        """Log what was learnt about the account's subaccounts, once."""
        warning = self._subaccounts.take_new_warning()
        if warning is not None:
            logger().warning("the account's subaccounts are kept apart", warning=warning)

    def _tell_changes(self) -> None:
        """Log, count and pass on what the sentinel found in the calls before."""
        for difference in self._sentinel.take_new():
            first_seen = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            change = ExchangeChange(**asdict(difference), first_seen=first_seen)
            self._changes.append(change)
            logger().warning("the exchange changed its interface", **asdict(change))
            metrics().add_metric(name="ExchangeChanged", unit=MetricUnit.Count, value=1)
            for listener in self._listeners:
                listener(change)

    def _note(self, rejected: Sequence[RejectedRow]) -> None:
        if rejected:
            _report_rows(rejected)
            if self._left_out is not None:
                self._left_out.extend(rejected)

    def _request(self, step: SendRequest) -> tuple[str, httpx.QueryParams, dict[str, str], httpx.Timeout]:
        """URL, query, headers and time-outs of one attempt, signed now."""
        headers = self._credentials.headers(self._base_path + step.path) if step.signed else {}
        timeout = httpx.Timeout(step.seconds, connect=min(CONNECT_SECONDS, step.seconds))
        return self._base_url + step.path, httpx.QueryParams(step.query), headers, timeout

    def _carry_out(self, steps: Steps[T]) -> T:
        result: AttemptResult = None
        try:
            while True:
                step = steps.send(result)
                result = None
                if isinstance(step, SendRequest):
                    result = self._send(step)
                else:
                    time.sleep(step.seconds)
        except StopIteration as end:
            answer: T = end.value
            return answer
        except SourceMalformed as error:
            _report(error)
            raise

    def _send(self, step: SendRequest) -> AttemptResult:
        url, query, headers, timeout = self._request(step)
        body = _Body(step)
        try:
            with self._http.stream("GET", url, params=query, headers=headers, timeout=timeout) as response:
                for part in response.iter_bytes():
                    body.add(part)
                return _answer(response, body.bytes())
        except httpx.HTTPError as error:
            return _failure(error)


_HEADERS = {"accept": "application/json", "user-agent": "coliseum"}
