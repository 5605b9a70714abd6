"""One call as steps: wait for the rate limit, send, try again. Pure: a generator yields what to do, `client` does it.

Every call is a GET, so it is safe to try again. Where the exchange sends `Retry-After`, no caller of this client asks
before that time. Usually its 429 says no time, hence full jitter: a pause drawn evenly between 0 and a ceiling that
doubles. The library stamina adds jitter on top of the backoff instead, and
would sleep past the caller's deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from coliseum.errors import NotFound, SourceError, SourceMalformed, SourceRateLimited, SourceUnavailable
from coliseum.kalshi.drift import Sentinel
from coliseum.kalshi.pacing import RateLimit, RateLimiter
from coliseum.kalshi.parse import SOURCE, error_from
from coliseum.kalshi.subaccounts import Subaccounts
from coliseum.trading.pages import RejectedRow

MAX_ATTEMPTS = 4
FIRST_CEILING_SECONDS = 0.4
LAST_CEILING_SECONDS = 5.0
ATTEMPT_SECONDS = 5.0
BUSY = frozenset({429, 503})
"""Statuses whose `Retry-After` is kept to."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeCall(Generic[T]):
    """One request, and how to read its answer."""

    endpoint: str
    """Method and documented path with its placeholders, for messages."""
    path: str
    """The path behind the base URL."""
    query: tuple[tuple[str, str], ...]
    read: Callable[[bytes], T]
    limit: RateLimit
    missing: tuple[str, str] | None = None
    """Kind and name of what a 404 says is missing; None: a 404 is an ordinary error."""
    also_read: frozenset[int] = frozenset()
    """Statuses other than 200 whose body may be an answer."""

    @property
    def signed(self) -> bool:
        return self.limit is not RateLimit.PUBLIC


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Send this request now; give up after `seconds`."""

    path: str
    query: tuple[tuple[str, str], ...]
    signed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Sleep so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the exchange answered."""

    status: int
    body: bytes
    retry_after_seconds: float | None = None
    """What the header `Retry-After` asks for, from now on."""
    retry_after_until: str = ""
    """The same as a moment, for messages."""
    clock_ahead_seconds: float | None = None
    """How far this machine's clock is ahead of the exchange's; None where that was not looked at."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why no answer came."""

    problem: str


Step: TypeAlias = SendRequest | Pause
AttemptResult: TypeAlias = HttpAnswer | NoAnswer | None
Steps: TypeAlias = Generator[Step, AttemptResult, T]


@dataclass(frozen=True, slots=True)
class CallConditions:
    """What a caller's calls must observe."""

    rate_limiter: RateLimiter
    time_left: Callable[[], float]
    """Seconds until the caller needs an answer."""
    jitter: Callable[[], float]
    """A random number from 0 to 1."""
    subaccounts: Subaccounts = field(default_factory=Subaccounts)
    """Those of the client: what one caller learns, all know."""
    rejected: list[RejectedRow] = field(default_factory=list)
    """Rows that these calls left out."""
    sentinel: Sentinel = field(default_factory=Sentinel)
    """Compares the answers with their known form."""


def call_with_retries(call: ExchangeCall[T], conditions: CallConditions) -> Steps[T]:
    """The call's answer. Raises the last attempt's error once attempts or time are used up."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        yield from _wait_for_rate_limit(call, conditions)
        seconds = min(ATTEMPT_SECONDS, conditions.time_left())
        if seconds <= 0:
            raise SourceUnavailable(SOURCE, f"{call.endpoint}: no time left to ask")
        outcome = yield SendRequest(call.path, call.query, call.signed, seconds)
        asked_pause = _keep_away(outcome, conditions.rate_limiter)
        try:
            return _read(call, outcome, conditions.sentinel)
        except SourceError as error:
            if not error.retryable or attempt == MAX_ATTEMPTS:
                raise
            if isinstance(error, SourceRateLimited):
                conditions.rate_limiter.drain(call.limit)
            pause = conditions.jitter() * min(LAST_CEILING_SECONDS, FIRST_CEILING_SECONDS * 2 ** (attempt - 1))
            pause = max(pause, asked_pause)
            if pause >= conditions.time_left():
                raise
        yield Pause(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _keep_away(outcome: AttemptResult, rate_limiter: RateLimiter) -> float:
    """The seconds for which a 429 or 503 asks for no further call; from now on no caller makes one."""
    if not isinstance(outcome, HttpAnswer) or outcome.status not in BUSY or outcome.retry_after_seconds is None:
        return 0.0
    rate_limiter.block(outcome.retry_after_seconds, outcome.retry_after_until)
    return outcome.retry_after_seconds


def _wait_for_rate_limit(call: ExchangeCall[T], conditions: CallConditions) -> Steps[None]:
    """Wait until the bucket has tokens. Raises SourceRateLimited at once where the caller has no time for that."""
    wait = conditions.rate_limiter.reserve(call.limit)
    if wait >= conditions.time_left():
        conditions.rate_limiter.give_back(call.limit)
        blocked, until = conditions.rate_limiter.blocked()
        left = max(0.0, conditions.time_left())
        if blocked:
            raise _still_blocked(call.endpoint, blocked, until)
        problem = f"our own rate limit needs {wait:.2f} s more, and {left:.2f} s are left"
        raise SourceRateLimited(SOURCE, f"{call.endpoint}: {problem}", code="own_pace")
    if wait > 0:
        yield Pause(wait)


def _still_blocked(endpoint: str, seconds: float, until: str) -> SourceRateLimited:
    problem = f"not asked: with Retry-After the exchange refused every call until {until}, {seconds:.0f} s from now"
    error = SourceRateLimited(SOURCE, f"{endpoint}: {problem}", code="retry_after")
    error.retry_after_seconds = seconds
    return error


def _read(call: ExchangeCall[T], outcome: AttemptResult, sentinel: Sentinel) -> T:
    if not isinstance(outcome, HttpAnswer):
        problem = "no answer" if outcome is None else outcome.problem
        raise SourceUnavailable(SOURCE, f"{call.endpoint}: {problem}")
    if outcome.status == 200:
        return _read_and_look(call, outcome.body, sentinel)
    if outcome.status == 404 and call.missing is not None:
        raise NotFound(*call.missing)
    if outcome.status in call.also_read:
        try:
            return call.read(outcome.body)
        except SourceMalformed:
            pass  # the usual body of an error, which is read below
    wait = outcome.retry_after_seconds if outcome.status in BUSY else None
    error = error_from(
        outcome.status,
        outcome.body,
        endpoint=call.endpoint,
        clock_ahead_seconds=outcome.clock_ahead_seconds,
        no_call_until=None if wait is None else outcome.retry_after_until,
    )
    error.retry_after_seconds = wait
    if outcome.status == 400:
        sentinel.refused(call.endpoint, error.problem)
    raise error


def _read_and_look(call: ExchangeCall[T], body: bytes, sentinel: Sentinel) -> T:
    try:
        answer = call.read(body)
    except SourceMalformed:
        sentinel.look(call.endpoint, body, everything=True)
        raise
    sentinel.look(call.endpoint, body)
    return answer
