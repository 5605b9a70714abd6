"""When a poller ticks and reports within one minute. Ticks neither drift nor overlap. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from enum import Enum

REPORT_SECONDS = 20.0
"""Between two reports to the readers: three a minute, two Redis commands each."""
FIRST_RETRY_SECONDS, LATER_RETRY_SECONDS = 3.0, 10.0
"""Time until the next report after one that Redis did not take: the first retry comes soon, later ones seldom."""


def ticks(
    *, interval: float, until: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[float]:
    """The seconds since the start, at 0 and at each multiple of `interval`, while a tick begins before `until`.

    A tick that takes longer than the interval skips the ticks that it overlapped. It never shifts later ones.
    """
    start = clock()
    index = 0
    while start + index * interval < until:
        ahead = start + index * interval - clock()
        if ahead > 0:
            sleep(ahead)
        yield index * interval
        index = max(index + 1, math.ceil((clock() - start) / interval))


class Step(Enum):
    """What a poller does next."""

    TICK = "tick"
    REPORT = "report"
    """Send the heartbeat to the readers and to other pollers. The poller answers with a ReportOutcome."""


@dataclass(frozen=True, slots=True)
class ReportOutcome:
    """What became of a report. Without `rest_seconds` it is the newest one that the readers have."""

    failed: bool = False
    """Redis did not take it. The poller goes on, because looking at the bot does no harm."""
    rest_seconds: float | None = None
    """For this long another poller does the work."""


def fresh_seconds(interval: float) -> float:
    """How long a report counts as fresh: until the next one is due, and three ticks or 5 s more.

    The margin covers the pause between two minutes.
    """
    return REPORT_SECONDS + max(5.0, 3 * interval)


def lease_seconds(interval: float) -> float:
    """How long a report keeps other pollers from working, unless the minute that it names ends before."""
    return REPORT_SECONDS + max(10.0, 2 * interval)


def steps(
    *,
    interval: float,
    until: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Generator[Step, ReportOutcome | None, None]:
    """The steps of one minute: a tick per interval, and a report after the first tick and every `REPORT_SECONDS`.

    The caller sends the outcome of each report back. While another poller works, there is no step at all.
    """
    due = resting_until = -math.inf
    failures = 0
    for _ in ticks(interval=interval, until=until, clock=clock, sleep=sleep):
        if clock() < resting_until:
            continue
        yield Step.TICK
        if clock() < due:
            continue
        now = clock()
        outcome = (yield Step.REPORT) or ReportOutcome()
        failures = failures + 1 if outcome.failed else 0
        due = now + _seconds_to_next_report(failures)
        if outcome.rest_seconds is not None:
            due = resting_until = now + outcome.rest_seconds


def _seconds_to_next_report(failures: int) -> float:
    if failures == 0:
        return REPORT_SECONDS
    return FIRST_RETRY_SECONDS if failures == 1 else LATER_RETRY_SECONDS
