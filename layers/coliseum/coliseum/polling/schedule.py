"""A minute of ticks without drift or overlap, and the rhythm of reports in it. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from enum import Enum

REPORT_SECONDS = 20.0
"""Between two reports to the readers: three a minute, two commands each."""
SOON_SECONDS, LATER_SECONDS = 3.0, 10.0
"""After a report that Redis did not take: the next one soon, then at leisure."""


def ticks(
    *, interval: float, until: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[float]:
    """The seconds since the start, at 0 and at each multiple of `interval`, while a tick begins before `until`.

    A tick that took longer than the interval skips the ones it covered; it never shifts the others.
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
    """To the readers and to other pollers; answered with a Heard."""


@dataclass(frozen=True, slots=True)
class ReportOutcome:
    """What became of a report. Without a `rest` it is the readers' newest word."""

    failed: bool = False
    """Redis did not take it. Looking on does no harm, and what is seen now cannot be lost."""
    rest: float | None = None
    """Seconds in which another poller does the work."""


def fresh_seconds(interval: float) -> float:
    """How long a report speaks for: until the next one is due, and three ticks or a pause between minutes beyond."""
    return REPORT_SECONDS + max(5.0, 3 * interval)


def lease_seconds(interval: float) -> float:
    """How long a report keeps other pollers away, where the minute it speaks of does not end before."""
    return REPORT_SECONDS + max(10.0, 2 * interval)


def steps(
    *,
    interval: float,
    until: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Generator[Step, ReportOutcome | None, None]:
    """The steps of one minute, in time: a report behind the first tick, and then every `REPORT_SECONDS`."""
    due = resting = -math.inf
    failures = 0
    for _ in ticks(interval=interval, until=until, clock=clock, sleep=sleep):
        if clock() < resting:
            continue
        yield Step.TICK
        if clock() < due:
            continue
        now = clock()
        heard = (yield Step.REPORT) or ReportOutcome()
        failures = failures + 1 if heard.failed else 0
        due = now + _patience(failures)
        if heard.rest is not None:
            due = resting = now + heard.rest


def _patience(failures: int) -> float:
    return REPORT_SECONDS if failures == 0 else SOON_SECONDS if failures == 1 else LATER_SECONDS
