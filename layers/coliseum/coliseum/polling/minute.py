"""A minute of ticks without drift or overlap, and the rhythm of lease and report in it. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from enum import Enum

REPORT_SECONDS = 20.0
"""Between two reports to the readers: three a minute, two commands each."""
SOON_SECONDS, LATER_SECONDS = 3.0, 10.0
"""When to ask for a lease that another poller holds: once soon (its minute may be ending), then at leisure."""


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

    ASK = "ask"
    """Ask for the lease; answered with an Answer."""
    TICK = "tick"
    REPORT = "report"
    LEAVE = "leave"
    """Report for the last time in this minute, and give the lease back."""


class Answer(Enum):
    """What became of asking for the lease."""

    OURS = "ours"
    """Handed on: the last report still speaks."""
    FREE = "free"
    """Ours, and nobody had it: readers think that no poller is at work, so they are told after the first tick."""
    HELD = "held"
    """By another poller: wait for it to end."""
    UNKNOWN = "unknown"
    """Redis did not answer. Looking on does no harm, and what is seen now cannot be lost."""


def fresh_seconds(interval: float) -> float:
    """How long a report speaks for: until the next one is due, and three ticks or a pause between minutes beyond."""
    return REPORT_SECONDS + max(5.0, 3 * interval)


def lease_seconds(interval: float) -> float:
    return REPORT_SECONDS + max(10.0, 2 * interval)


def steps(
    *,
    interval: float,
    until: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Generator[Step, Answer | None, None]:
    """The steps of one minute, in time. An Answer is sent in for ASK, after which a report must lie in Redis."""
    answer, holding = None, False
    asked = reported = -math.inf
    refusals = 0
    for _ in ticks(interval=interval, until=until, clock=clock, sleep=sleep):
        if not holding and clock() - asked >= _patience(refusals):
            asked = clock()
            answer = yield Step.ASK
            holding = answer in {Answer.OURS, Answer.FREE}
            refusals += 1
            reported = -math.inf if answer is Answer.FREE else asked
        if answer is Answer.HELD:
            continue
        yield Step.TICK
        if holding and clock() - reported >= REPORT_SECONDS:
            reported = clock()
            yield Step.REPORT
    if holding:
        yield Step.LEAVE


def _patience(refusals: int) -> float:
    return 0.0 if refusals == 0 else SOON_SECONDS if refusals == 1 else LATER_SECONDS
