"""Ticks and reports, on a clock that moves only when something sleeps or works."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from coliseum.polling.schedule import ReportOutcome, Step, fresh_seconds, lease_seconds, steps, ticks


class Clock:
    def __init__(self, *, late: float = 0.0) -> None:
        self.now = 100.0
        self.late = late
        """How much longer each sleep takes than requested."""

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


def test_a_slow_tick_skips_overlapped_ticks_and_shifts_none() -> None:
    assert tick_times(Clock(), interval=3, length=20, work=lambda n: 7.0 if n == 1 else 0.1) == [0, 3, 12, 15, 18]


def test_a_tick_that_takes_exactly_its_interval_skips_nothing() -> None:
    assert tick_times(Clock(), interval=3, length=9, work=lambda _: 3.0) == [0, 3, 6]


def test_no_tick_begins_after_the_end() -> None:
    assert tick_times(Clock(), interval=3, length=0, work=lambda _: 0.0) == []


TimedSteps = list[tuple[int, Step]]


def course(outcomes: dict[int, ReportOutcome], *, interval: float = 3.0, length: float = 58.0) -> TimedSteps:
    """The steps with their second, given the outcome of each report from a second on."""
    clock = Clock()
    going = steps(interval=interval, until=clock.now + length, clock=clock, sleep=clock.sleep)
    timed: TimedSteps = []
    outcome: ReportOutcome | None = None
    while True:
        try:
            step = going.send(outcome)
        except StopIteration:
            return timed
        second = round(clock.now - 100)
        timed.append((second, step))
        outcome = outcomes[max(at for at in outcomes if at <= second)] if step is Step.REPORT else None


def seconds(timed: TimedSteps, step: Step) -> list[int]:
    return [second for second, one in timed if one is step]


def test_a_minute_reports_after_its_first_tick_and_every_twenty_seconds() -> None:
    timed = course({0: ReportOutcome()})

    assert timed[:2] == [(0, Step.TICK), (0, Step.REPORT)]
    assert seconds(timed, Step.TICK) == list(range(0, 58, 3))
    assert seconds(timed, Step.REPORT) == [0, 21, 42]


def test_a_poller_rests_while_another_one_works_and_then_takes_over() -> None:
    timed = course({0: ReportOutcome(rest_seconds=23.0), 20: ReportOutcome()})

    assert seconds(timed, Step.TICK) == [0, *range(24, 58, 3)]
    assert seconds(timed, Step.REPORT) == [0, 24, 45]


def test_a_poller_that_always_finds_another_one_at_work_polls_seldom() -> None:
    timed = course({0: ReportOutcome(rest_seconds=30.0)})

    assert seconds(timed, Step.TICK) == [0, 30]


def test_a_poller_goes_on_while_its_reports_fail() -> None:
    timed = course({0: ReportOutcome(failed=True), 30: ReportOutcome()})

    assert seconds(timed, Step.TICK) == list(range(0, 58, 3))
    assert seconds(timed, Step.REPORT) == [0, 3, 15, 27, 39]


@pytest.mark.parametrize("interval", [0.2, 3.0, 15.0, 60.0])
def test_each_report_comes_while_the_last_one_is_still_fresh(interval: float) -> None:
    """Across two minutes, as the readers see them."""
    minute = seconds(course({0: ReportOutcome()}, interval=interval), Step.REPORT)
    reports = [*minute, *(60 + second for second in minute)]

    silence = max(later - earlier for earlier, later in itertools.pairwise(reports))
    assert silence < fresh_seconds(interval)
    assert silence < lease_seconds(interval)
