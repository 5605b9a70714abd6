"""Ticks and reports against a clock that only moves when told to."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from coliseum.polling.schedule import ReportOutcome, Step, fresh_seconds, lease_seconds, steps, ticks


class Clock:
    def __init__(self, *, late: float = 0.0) -> None:
        self.now = 100.0
        self.late = late
        """How much longer each sleep takes than asked."""

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds + self.late


def tick_times(clock: Clock, *, interval: float, length: float, work: Callable[[int], float]) -> list[float]:
    times = []
    start = clock.now
    for number, _ in enumerate(ticks(interval=interval, until=start + length, clock=clock, sleep=clock.sleep)):
        times.append(clock.now - start)
        clock.now += work(number)
    return times


def test_ticks_come_at_every_interval_until_the_end() -> None:
    assert tick_times(Clock(), interval=3, length=10, work=lambda _: 0.5) == [0, 3, 6, 9]


def test_ticks_do_not_drift_when_sleep_is_late() -> None:
    times = tick_times(Clock(late=0.1), interval=3, length=58, work=lambda _: 0.2)

    assert len(times) == 20
    assert times[-1] == pytest.approx(57.1)


def test_a_slow_tick_skips_the_ones_it_covered_and_shifts_none() -> None:
    assert tick_times(Clock(), interval=3, length=20, work=lambda n: 7.0 if n == 1 else 0.1) == [0, 3, 12, 15, 18]


def test_a_tick_that_takes_exactly_its_interval_skips_nothing() -> None:
    assert tick_times(Clock(), interval=3, length=9, work=lambda _: 3.0) == [0, 3, 6]


def test_no_tick_begins_when_the_time_is_over() -> None:
    assert tick_times(Clock(), interval=3, length=0, work=lambda _: 0.0) == []


Taken = list[tuple[int, Step]]


def course(answers: dict[int, ReportOutcome], *, interval: float = 3.0, length: float = 58.0) -> Taken:
    """The steps with their second, given what a report hears from a second on."""
    clock = Clock()
    going = steps(interval=interval, until=clock.now + length, clock=clock, sleep=clock.sleep)
    taken: Taken = []
    heard: ReportOutcome | None = None
    while True:
        try:
            step = going.send(heard)
        except StopIteration:
            return taken
        second = round(clock.now - 100)
        taken.append((second, step))
        heard = answers[max(at for at in answers if at <= second)] if step is Step.REPORT else None


def seconds(taken: Taken, step: Step) -> list[int]:
    return [second for second, one in taken if one is step]


def test_a_minute_reports_behind_its_first_tick_and_every_twenty_seconds() -> None:
    taken = course({0: ReportOutcome()})

    assert taken[:2] == [(0, Step.TICK), (0, Step.REPORT)]
    assert seconds(taken, Step.TICK) == list(range(0, 58, 3))
    assert seconds(taken, Step.REPORT) == [0, 21, 42]


def test_a_poller_rests_while_another_one_works_and_then_takes_over() -> None:
    taken = course({0: ReportOutcome(rest_seconds=23.0), 20: ReportOutcome()})

    assert seconds(taken, Step.TICK) == [0, *range(24, 58, 3)]
    assert seconds(taken, Step.REPORT) == [0, 24, 45]


def test_a_poller_that_always_finds_another_one_at_work_looks_seldom() -> None:
    taken = course({0: ReportOutcome(rest_seconds=30.0)})

    assert seconds(taken, Step.TICK) == [0, 30]


def test_a_poller_looks_on_while_its_reports_are_not_heard() -> None:
    taken = course({0: ReportOutcome(failed=True), 30: ReportOutcome()})

    assert seconds(taken, Step.TICK) == list(range(0, 58, 3))
    assert seconds(taken, Step.REPORT) == [0, 3, 15, 27, 39]


@pytest.mark.parametrize("interval", [0.2, 3.0, 15.0, 60.0])
def test_reports_follow_one_another_while_the_last_one_speaks(interval: float) -> None:
    """Across two minutes, as the readers see them."""
    minute = seconds(course({0: ReportOutcome()}, interval=interval), Step.REPORT)
    reports = [*minute, *(60 + second for second in minute)]

    silence = max(later - earlier for earlier, later in itertools.pairwise(reports))
    assert silence < fresh_seconds(interval)
    assert silence < lease_seconds(interval)
