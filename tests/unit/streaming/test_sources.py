"""When a source must be called stale."""

from __future__ import annotations

import pytest

from coliseum.feed.protocol import PollerHeartbeat
from coliseum.streaming.sources import stale_sources

NOW = 1_000_000


def report(**changes: object) -> PollerHeartbeat:
    values: dict[str, object] = {"owner": "p", "at": NOW, "fresh_for": 30_000, "bot_ok_at": NOW, "bot": None}
    return PollerHeartbeat(**(values | changes))  # type: ignore[arg-type]  # a table of fields


@pytest.mark.parametrize(
    ("heartbeat", "down", "stale"),
    [
        (report(), None, set()),
        (report(at=NOW - 30_000, bot_ok_at=NOW - 30_000), None, set()),
        (report(at=NOW - 30_001), None, {"poller"}),
        (report(bot_ok_at=NOW - 30_001), None, {"bot"}),
        (report(bot_ok_at=None), None, set()),
        (report(bot_ok_at=None, bot={"status": "offline"}), None, {"bot"}),
        (None, None, {"poller", "bot"}),
        (report(at=NOW + 3_600_000), None, set()),
        (report(), 5.0, set()),
        (report(), 5.1, {"redis"}),
    ],
)
def test_a_source_is_stale_beyond_its_threshold_and_not_before(
    heartbeat: PollerHeartbeat | None, down: float | None, stale: set[str]
) -> None:
    """SSE-060, SSE-061, SSE-063."""
    found = stale_sources(heartbeat, now_ms=NOW, redis_ok_ms=NOW, redis_down_seconds=down)
    assert set(found) == stale


def test_stale_holds_the_last_time_that_was_fine() -> None:
    found = stale_sources(report(at=5, bot_ok_at=4), now_ms=NOW, redis_ok_ms=3, redis_down_seconds=9)
    assert {name: each.since_ms for name, each in found.items()} == {"poller": 5, "bot": 4, "redis": 3}
