"""Which of two pollers goes on, and what the heartbeat says."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from coliseum.errors import SourceUnavailable
from coliseum.feed.feed import Feed
from coliseum.feed.protocol import PollerHeartbeat
from coliseum.polling.checkpoint import EMPTY_CHECKPOINT
from coliseum.polling.lease import Lease
from coliseum.polling.schedule import ReportOutcome

NOW = 1_700_000_000_000
MEMORY = replace(EMPTY_CHECKPOINT, answered_ms=NOW - 500, status={"status": "online"})


class HeartbeatSlot:
    """A feed that holds one heartbeat."""

    def __init__(self, stored: PollerHeartbeat | None = None, *, down: bool = False) -> None:
        self.stored, self.down = stored, down
        self.sent: list[tuple[PollerHeartbeat, bool]] = []

    def send_heartbeat(self, heartbeat: PollerHeartbeat, *, ttl_ms: int, notify: bool = True) -> PollerHeartbeat | None:
        if self.down:
            raise SourceUnavailable("redis", "down")
        previous, self.stored = self.stored, heartbeat
        self.sent.append((heartbeat, notify))
        return previous


def lease(slot: HeartbeatSlot, *, seconds: float = 58.0) -> Lease:
    made = Lease(cast(Feed, slot), owner="me", interval=3.0, clock=lambda: NOW)
    made.begin(seconds=seconds)
    return made


def heartbeat_of_another(*, until: int, owner: str = "other") -> PollerHeartbeat:
    return PollerHeartbeat(owner=owner, at=NOW, fresh_for=29_000, bot_ok_at=None, bot=None, until=until)


def test_the_heartbeat_says_how_fresh_the_data_is_and_when_the_minute_ends() -> None:
    slot = HeartbeatSlot()
    lease(slot).report(MEMORY)

    assert slot.stored == PollerHeartbeat(
        owner="me", at=NOW, fresh_for=29_000, bot_ok_at=NOW - 500, bot={"status": "online"}, until=NOW + 58_000
    )


@pytest.mark.parametrize(
    ("stored", "outcome"),
    [
        (None, ReportOutcome()),
        (heartbeat_of_another(until=NOW + 10_000, owner="me"), ReportOutcome()),
        (heartbeat_of_another(until=NOW), ReportOutcome()),
        (heartbeat_of_another(until=NOW + 59_000), ReportOutcome()),
        (heartbeat_of_another(until=NOW + 10_000), ReportOutcome(rest_seconds=10.0)),
        (heartbeat_of_another(until=NOW + 57_000), ReportOutcome(rest_seconds=30.0)),
    ],
    ids=["no other", "our own", "minute is over", "its minute ends later", "its minute ends first", "at most a lease"],
)
def test_a_poller_rests_only_for_another_one_whose_minute_ends_first(
    stored: PollerHeartbeat | None, outcome: ReportOutcome
) -> None:
    assert lease(HeartbeatSlot(stored)).report(MEMORY) == outcome


def test_a_report_that_redis_does_not_take_has_failed() -> None:
    assert lease(HeartbeatSlot(down=True)).report(MEMORY) == ReportOutcome(failed=True)


def test_a_released_lease_ends_now_without_a_notification() -> None:
    slot = HeartbeatSlot()
    held = lease(slot)
    assert held.remaining_ms == 58_000
    held.release(MEMORY)

    ((heartbeat, notified),) = slot.sent
    assert (heartbeat.until, notified, held.remaining_ms) == (NOW, False, 0)


def test_a_release_without_redis_is_no_error() -> None:
    lease(HeartbeatSlot(down=True)).release(MEMORY)
