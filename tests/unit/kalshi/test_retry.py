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
from coliseum.kalshi.pacing import Lane, Pace
from coliseum.kalshi.retry import MAX_ATTEMPTS, Answer, Call, Failure, Outcome, Pause, Send, Step, Terms, attempts

T = TypeVar("T")


class World:
    """Time passes only in pauses and while requests are under way."""

    def __init__(self, *, seconds: float = 15.0, jitter: float = 1.0, per_request: float = 0.0) -> None:
        self.now = 0.0
        self.steps: list[Step] = []
        self._per_request = per_request
        self.terms = Terms(Pace(lambda: self.now), lambda: seconds - self.now, lambda: jitter)

    def run(self, call: Call[T], *outcomes: Outcome) -> T:
        answers = iter(outcomes)
        steps = attempts(call, self.terms)
        outcome: Outcome = None
        try:
            while True:
                step = steps.send(outcome)
                self.steps.append(step)
                if isinstance(step, Send):
                    self.now += self._per_request
                    outcome = next(answers)
                else:
                    self.now += step.seconds
                    outcome = None
        except StopIteration as end:
            answer: T = end.value
            return answer

    @property
    def sent(self) -> int:
        return sum(isinstance(step, Send) for step in self.steps)

    @property
    def pauses(self) -> list[float]:
        return [step.seconds for step in self.steps if isinstance(step, Pause)]


def _call(lane: Lane = Lane.READ, read: Callable[[bytes], str] = bytes.decode, **changes: object) -> Call[str]:
    values: dict[str, object] = {"missing": None, "also_read": frozenset()}
    return Call(endpoint="GET /things", path="/things", query=(), read=read, lane=lane, **(values | changes))  # type: ignore[arg-type]  # a table of optional parts


GOOD = Answer(200, b"good")
BUSY = Answer(429, b'{"error":"too many requests"}')
BROKEN = Answer(500, b"<html>")


def test_a_good_answer_is_read_at_once() -> None:
    world = World()
    assert world.run(_call(), GOOD) == "good"
    assert world.steps == [Send("/things", (), signed=True, seconds=5.0)]


@pytest.mark.parametrize("trouble", [BUSY, BROKEN, Answer(503, b""), Answer(408, b""), Failure("ReadTimeout")])
def test_passing_trouble_is_tried_again_after_a_doubling_pause(trouble: Answer | Failure) -> None:
    world = World()
    assert world.run(_call(), trouble, trouble, GOOD) == "good"
    assert world.pauses == [0.4, 0.8]


def test_jitter_draws_the_pause_from_nothing_to_the_ceiling() -> None:
    world = World(jitter=0.25)
    world.run(_call(), BROKEN, BROKEN, GOOD)
    assert world.pauses == [0.1, 0.2]


def test_the_last_error_comes_out_after_the_last_attempt() -> None:
    world = World()
    with pytest.raises(SourceUnavailable, match="GET /things answered 500"):
        world.run(_call(), *[BROKEN] * MAX_ATTEMPTS)
    assert world.sent == MAX_ATTEMPTS


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 418])
def test_a_refusal_is_final(status: int) -> None:
    world = World()
    with pytest.raises(SourceRefused) as caught:
        world.run(_call(), Answer(status, b'{"code":"no","message":"no","details":""}'))
    assert (world.sent, caught.value.status, caught.value.code) == (1, status, "no")


def test_what_cannot_be_read_is_not_asked_again() -> None:
    def read(body: bytes) -> str:
        raise SourceMalformed("kalshi", "GET /things: x: missing", field="x")

    world = World()
    with pytest.raises(SourceMalformed):
        world.run(_call(read=read), GOOD)
    assert world.sent == 1


def test_a_404_names_what_is_missing_where_one_thing_was_asked_for() -> None:
    with pytest.raises(NotFound, match="no market named 'KXNO'"):
        World().run(_call(missing=("market", "KXNO")), Answer(404, b"{}"))


def test_an_outage_with_a_readable_body_is_an_answer_and_one_without_is_not() -> None:
    def read(body: bytes) -> str:
        if body != b"good":
            raise SourceMalformed("kalshi", "no", field="x")
        return "paused"

    call = _call(read=read, also_read=frozenset({503}))
    assert World().run(call, Answer(503, b"good")) == "paused"
    assert World().run(call, Answer(503, b"<html>"), Answer(200, b"good")) == "paused"


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
    seconds = [step.seconds for step in world.steps if isinstance(step, Send)]
    assert seconds == pytest.approx([3.0, 1.6])


def test_a_turn_that_comes_too_late_is_refused_at_once_and_given_back() -> None:
    world = World(seconds=0.5)
    world.run(_call(Lane.BALANCE), GOOD)
    for _ in range(3):
        with pytest.raises(SourceRateLimited, match="our own pace asks for"):
            world.run(_call(Lane.BALANCE))
    assert world.sent == 1


def test_a_second_balance_waits_for_its_second() -> None:
    world = World()
    world.run(_call(Lane.BALANCE), GOOD)
    world.run(_call(Lane.BALANCE), GOOD)
    assert world.pauses == [1.0]


def test_a_429_empties_the_bucket_for_everybody() -> None:
    world = World(jitter=0.0)
    world.run(_call(), BUSY, GOOD)
    assert world.pauses == pytest.approx([0.0, 0.05])


def test_only_public_calls_go_unsigned() -> None:
    assert not _call(Lane.PUBLIC).signed
    assert _call(Lane.READ).signed
    assert _call(Lane.BALANCE).signed


def test_a_driver_that_brings_no_outcome_is_no_answer() -> None:
    with pytest.raises(SourceUnavailable, match="no answer"):
        World(jitter=0.0).run(_call(), None, None, None, None)
