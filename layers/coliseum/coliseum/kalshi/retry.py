"""One call as steps: wait for the turn, send, try again. A generator, so that one text serves threads and asyncio.

Every call is a GET, so trying again is safe. The exchange names no time with its 429, hence full jitter: a pause drawn
evenly between nothing and a doubling ceiling. stamina adds jitter on top of the backoff instead, and would sleep past
the caller's deadline, so the twenty lines are here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from coliseum.errors import NotFound, SourceError, SourceMalformed, SourceRateLimited, SourceUnavailable
from coliseum.kalshi.pacing import Lane, Pace
from coliseum.kalshi.parse import SOURCE, error_from

MAX_ATTEMPTS = 4
FIRST_CEILING_SECONDS = 0.4
LAST_CEILING_SECONDS = 5.0
ATTEMPT_SECONDS = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request, and how its answer is read."""

    endpoint: str
    """The path as documented, with its placeholders: for messages."""
    path: str
    """Behind the base URL."""
    query: tuple[tuple[str, str], ...]
    read: Callable[[bytes], T]
    lane: Lane
    missing: tuple[str, str] | None = None
    """What a 404 means: kind and name of the thing."""
    also_read: frozenset[int] = frozenset()
    """Statuses other than 200 whose body may be an answer."""

    @property
    def signed(self) -> bool:
        return self.lane is not Lane.PUBLIC


@dataclass(frozen=True, slots=True)
class Send:
    """Do this request now, within so many seconds."""

    path: str
    query: tuple[tuple[str, str], ...]
    signed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Sleep."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer came."""

    problem: str


Step: TypeAlias = Send | Pause
Outcome: TypeAlias = Answer | Failure | None
Steps: TypeAlias = Generator[Step, Outcome, T]


@dataclass(frozen=True, slots=True)
class Terms:
    """Under what conditions calls are made."""

    pace: Pace
    time_left: Callable[[], float]
    """Seconds until the caller needs an answer."""
    jitter: Callable[[], float]
    """Drawn evenly from 0 to 1."""


def attempts(call: Call[T], terms: Terms) -> Steps[T]:
    """The call's answer, or the last attempt's error once tries or time are used up."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        yield from _turn(call, terms)
        seconds = min(ATTEMPT_SECONDS, terms.time_left())
        if seconds <= 0:
            raise SourceUnavailable(SOURCE, f"{call.endpoint}: no time left to ask")
        outcome = yield Send(call.path, call.query, call.signed, seconds)
        try:
            return _read(call, outcome)
        except SourceError as error:
            if not error.retryable or attempt == MAX_ATTEMPTS:
                raise
            if isinstance(error, SourceRateLimited):
                terms.pace.drain(call.lane)
            pause = terms.jitter() * min(LAST_CEILING_SECONDS, FIRST_CEILING_SECONDS * 2 ** (attempt - 1))
            if pause >= terms.time_left():
                raise
        yield Pause(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _turn(call: Call[T], terms: Terms) -> Steps[None]:
    """Wait until the lane has room, or say at once that there is no time for that."""
    wait = terms.pace.reserve(call.lane)
    if wait >= terms.time_left():
        terms.pace.give_back(call.lane)
        told = f"{call.endpoint}: our own pace asks for {wait:.2f} s more, and {terms.time_left():.2f} s are left"
        raise SourceRateLimited(SOURCE, told, code="own_pace")
    if wait > 0:
        yield Pause(wait)


def _read(call: Call[T], outcome: Outcome) -> T:
    if not isinstance(outcome, Answer):
        problem = "no answer" if outcome is None else outcome.problem
        raise SourceUnavailable(SOURCE, f"{call.endpoint}: {problem}")
    if outcome.status == 200:
        return call.read(outcome.body)
    if outcome.status == 404 and call.missing is not None:
        raise NotFound(*call.missing)
    if outcome.status in call.also_read:
        try:
            return call.read(outcome.body)
        except SourceMalformed:
            pass  # an ordinary error page
    raise error_from(outcome.status, outcome.body, endpoint=call.endpoint)
