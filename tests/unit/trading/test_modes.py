from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from coliseum.trading.modes import BotMode, last_mode


def test_the_mode_of_a_published_status_is_stale_and_has_its_age() -> None:
    status = {"status": "online", "mode": "live", "mode_as_of": "2026-11-21T08:00:00.000Z"}

    assert last_mode(status) == BotMode("live", datetime(2026, 11, 21, 8, tzinfo=UTC), True)


@pytest.mark.parametrize(
    "status", [None, {}, {"mode": None, "mode_as_of": None}, {"mode": "paper"}, {"mode": "paper", "mode_as_of": "now"}]
)
def test_what_nobody_said_is_no_mode(status: dict[str, Any] | None) -> None:
    assert last_mode(status) is None
