from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from coliseum.errors import (
    NotFound,
    SourceError,
    SourceMalformed,
    SourceRateLimited,
    SourceRefused,
    SourceUnavailable,
)
from coliseum.kalshi.pacing import RateLimit, RateLimiter
from coliseum.kalshi.retry import (
    MAX_ATTEMPTS,
    AttemptResult,
    CallConditions,
    ExchangeCall,
    HttpAnswer,
    NoAnswer,
    Pause,
    SendRequest,
    Step,
    call_with_retries,
)

T = TypeVar("T")


class World:
    """Time passes only in pauses and while requests are under way."""

    def __init__(self, *, seconds: float = 15.0, jitter: float = 1.0, per_request: float = 0.0) -> None:
        self.now = 0.0
        self.steps: list[Step] = []
        self._per_request = per_request
        self.conditions = CallConditions(RateLimiter(lambda: self.now), lambda: seconds - self.now, lambda: jitter)

    def run(self, call: ExchangeCall[T], *results: AttemptResult) -> T:
        answers = iter(results)
        steps = call_with_retries(call, self.conditions)
        result: AttemptResult = None
        try:
            while True:
                step = steps.send(result)
                self.steps.append(step)
                if isinstance(step, SendRequest):
                    self.now += self._per_request
                    result = next(answers)
                else:
                    self.now += step.seconds
                    result = None
        except StopIteration as end:
            answer: T = end.value
            return answer

    @property
    def sent(self) -> int:
        return sum(isinstance(step, SendRequest) for step in self.steps)

    @property
    def pauses(self) -> list[float]:
        return [step.seconds for step in self.steps if isinstance(step, Pause)]


def _call(
    limit: RateLimit = RateLimit.READ, read: Callable[[bytes], str] = bytes.decode, **changes: object
) -> ExchangeCall[str]:
    values: dict[str, object] = {"missing": None, "also_read": frozenset()}
    return ExchangeCall(endpoint="GET /things", path="/things", query=(), read=read, limit=limit, **(values | changes))  # type: ignore[arg-type]  # a table of optional parts


GOOD = HttpAnswer(200, b"good")
BUSY = HttpAnswer(429, b'{"error":"too many requests"}')
BROKEN = HttpAnswer(500, b"<html>")


def test_a_good_answer_is_read_at_once() -> None:
    world = World()
    assert world.run(_call(), GOOD) == "good"
    assert world.steps == [SendRequest("/things", (), signed=True, seconds=5.0)]


@pytest.mark.parametrize(
    "error_answer", [BUSY, BROKEN, HttpAnswer(503, b""), HttpAnswer(408, b""), NoAnswer("ReadTimeout")]
)
def test_a_passing_error_is_tried_again_after_a_doubling_pause(error_answer: HttpAnswer | NoAnswer) -> None:
    world = World()
    assert world.run(_call(), error_answer, error_answer, GOOD) == "good"
    assert world.pauses == [0.4, 0.8]


def test_jitter_draws_the_pause_between_0_and_the_ceiling() -> None:
    world = World(jitter=0.25)
    world.run(_call(), BROKEN, BROKEN, GOOD)
    assert world.pauses == [0.1, 0.2]


def test_the_last_error_is_raised_after_the_last_attempt() -> None:
    world = World()
    with pytest.raises(SourceUnavailable, match="GET /things answered 500"):
        world.run(_call(), *[BROKEN] * MAX_ATTEMPTS)
    assert world.sent == MAX_ATTEMPTS


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 418])
def test_a_refusal_is_final(status: int) -> None:
    world = World()
    with pytest.raises(SourceRefused) as caught:
        world.run(_call(), HttpAnswer(status, b'{"code":"no","message":"no","details":""}'))
    assert (world.sent, caught.value.status, caught.value.code) == (1, status, "no")


def test_a_malformed_answer_is_not_tried_again() -> None:
    def read(body: bytes) -> str:
        raise SourceMalformed("kalshi", "GET /things: x: missing", field="x")

    world = World()
    with pytest.raises(SourceMalformed):
        world.run(_call(read=read), GOOD)
    assert world.sent == 1


def test_a_404_names_what_is_missing_where_one_thing_was_asked_for() -> None:
    with pytest.raises(NotFound, match="no market named 'KXNO'"):
        World().run(_call(missing=("market", "KXNO")), HttpAnswer(404, b"{}"))


def test_an_outage_with_a_readable_body_is_an_answer_and_one_without_is_not() -> None:
    def read(body: bytes) -> str:
        if body != b"good":
            raise SourceMalformed("kalshi", "no", field="x")
        return "paused"

    call = _call(read=read, also_read=frozenset({503}))
    assert World().run(call, HttpAnswer(503, b"good")) == "paused"
    assert World().run(call, HttpAnswer(503, b"<html>"), HttpAnswer(200, b"good")) == "paused"


def test_no_attempt_begins_without_time_for_it() -> None:
    world = World(seconds=0)
    with pytest.raises(SourceError):
        world.run(_call())
    assert world.sent == 0


def test_a_pause_that_ends_after_the_deadline_is_not_begun() -> None:
    world = World(seconds=0.3)
    with pytest.raises(SourceUnavailable):
        world.run(_call(), BROKEN)
    assert (world.sent, world.pauses) == (1, [])


def test_an_attempt_gets_what_is_left_of_the_time() -> None:
    world = World(seconds=3.0, per_request=1.0)
    world.run(_call(), BROKEN, GOOD)
    seconds = [step.seconds for step in world.steps if isinstance(step, SendRequest)]
    assert seconds == pytest.approx([3.0, 1.6])


def test_a_wait_beyond_the_deadline_is_refused_at_once_and_takes_no_tokens() -> None:
    world = World(seconds=0.5)
    world.run(_call(RateLimit.BALANCE), GOOD)
    for _ in range(3):
        with pytest.raises(SourceRateLimited, match="our own rate limit needs"):
            world.run(_call(RateLimit.BALANCE))
    assert world.sent == 1


def test_a_second_balance_waits_for_its_second() -> None:
    world = World()
    world.run(_call(RateLimit.BALANCE), GOOD)
    world.run(_call(RateLimit.BALANCE), GOOD)
    assert world.pauses == [1.0]


def test_a_429_empties_the_bucket_for_all_callers() -> None:
    world = World(jitter=0.0)
    world.run(_call(), BUSY, GOOD)
    assert world.pauses == pytest.approx([0.0, 0.05])


def test_only_public_calls_go_unsigned() -> None:
    assert not _call(RateLimit.PUBLIC).signed
    assert _call(RateLimit.READ).signed
    assert _call(RateLimit.BALANCE).signed


def test_a_driver_that_brings_no_result_is_no_answer() -> None:
    with pytest.raises(SourceUnavailable, match="no answer"):
        World(jitter=0.0).run(_call(), None, None, None, None)


def _busy(status: int, seconds: float) -> HttpAnswer:
    return HttpAnswer(status, b'{"error":"too many requests"}', seconds, "2026-12-01T00:00:30Z")


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for_where_there_is_time(status: int) -> None:
    world = World(seconds=60, jitter=0.0)
    assert world.run(_call(), _busy(status, 30.0), GOOD) == "good"
    assert sum(world.pauses) == pytest.approx(30.0, abs=0.1)
    assert world.now >= 30.0


@pytest.mark.parametrize(("status", "kind"), [(429, SourceRateLimited), (503, SourceUnavailable)])
def test_a_caller_without_that_time_fails_at_once_and_says_until_when(status: int, kind: type[SourceError]) -> None:
    world = World(seconds=15)
    with pytest.raises(kind, match="refuses every call until 2026-12-01T00:00:30Z") as caught:
        world.run(_call(), _busy(status, 30.0))
    assert (world.sent, world.pauses, caught.value.retry_after_seconds) == (1, [], 30.0)


def test_no_other_call_of_the_client_is_made_before_it_ended() -> None:
    world = World(seconds=15)
    for limit in RateLimit:
        with pytest.raises(SourceRateLimited):
            world.run(_call(limit), _busy(429, 30.0))
    assert world.sent == 1
    with pytest.raises(SourceRateLimited, match="until 2026-12-01T00:00:30Z, 30 s from now") as caught:
        world.run(_call(RateLimit.PUBLIC))
    assert (caught.value.code, caught.value.retry_after_seconds) == ("retry_after", 30.0)


def test_retry_after_of_other_statuses_is_no_rule() -> None:
    world = World(seconds=15, jitter=0.0)
    assert world.run(_call(), HttpAnswer(500, b"", 3600.0, "later"), GOOD) == "good"


def test_an_outage_with_an_answer_blocks_the_next_call_all_the_same() -> None:
    world = World(seconds=15)
    assert world.run(_call(also_read=frozenset({503})), _busy(503, 30.0)).startswith("{")
    with pytest.raises(SourceRateLimited, match="not asked"):
        world.run(_call())


def test_no_message_speaks_of_negative_seconds() -> None:
    world = World(seconds=0)
    world.now = 5.0
    world.conditions.rate_limiter.drain(RateLimit.READ)
    with pytest.raises(SourceError) as caught:
        world.run(_call())
    assert "-" not in str(caught.value)
