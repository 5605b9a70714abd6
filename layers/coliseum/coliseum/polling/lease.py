"""The poller's heartbeat, which is also its lease: while it lasts, other pollers rest.

A report is the sending of a heartbeat.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from coliseum.errors import LogError, SourceError
from coliseum.feed.feed import Feed
from coliseum.feed.protocol import PollerHeartbeat
from coliseum.observability import logger
from coliseum.polling.checkpoint import Checkpoint
from coliseum.polling.schedule import ReportOutcome, fresh_seconds, lease_seconds


class Lease:
    """This process' claim to poll until the end of its minute.

    Invariant: of two pollers at work at the same time, exactly one goes on: the one whose minute ends first. Two
    pollers at once do no harm, because the log's fence refuses the one with the older checkpoint.
    """

    def __init__(self, feed: Feed, *, owner: str, interval: float, clock: Callable[[], int]) -> None:
        """`owner` is unique to this process, `interval` the seconds between ticks; `clock` gives unix ms."""
        self._feed, self._owner, self._clock = feed, owner, clock
        self._fresh_ms = round(fresh_seconds(interval) * 1000)
        self._lease_ms = round(lease_seconds(interval) * 1000)
        self._until_ms = 0

    def begin(self, *, seconds: float) -> None:
        """A minute begins that lasts `seconds` from now. Nothing is sent yet."""
        self._until_ms = self._clock() + round(seconds * 1000)

    @property
    def remaining_ms(self) -> int:
        """Time to the end of the minute."""
        return self._until_ms - self._clock()

    def report(self, memory: Checkpoint) -> ReportOutcome:
        """Send the heartbeat to the readers, and see whether another poller has precedence."""
        heartbeat = self._build_report(memory)
        try:
            other = self._feed.send_heartbeat(heartbeat, ttl_ms=self._lease_ms)
        except (SourceError, LogError) as error:
            logger().warning("redis did not take the heartbeat", problem=str(error))
            return ReportOutcome(failed=True)
        if other is None or other.owner == self._owner or other.until <= heartbeat.at or not other.precedes(heartbeat):
            return ReportOutcome()
        return ReportOutcome(rest_seconds=min(other.until - heartbeat.at, self._lease_ms) / 1000)

    def release(self, memory: Checkpoint) -> None:
        """End the minute now, so that the next poller need not wait for its planned end."""
        self._until_ms = self._clock()
        with suppress(SourceError):  # the lease ends by itself a little later
            self._feed.send_heartbeat(self._build_report(memory), ttl_ms=self._lease_ms, notify=False)

    def _build_report(self, memory: Checkpoint) -> PollerHeartbeat:
        return PollerHeartbeat(
            owner=self._owner,
            until=self._until_ms,
            at=self._clock(),
            fresh_for=self._fresh_ms,
            bot_ok_at=memory.answered_ms,
            bot=memory.status,
        )
