"""Time zones of callers, and where their days begin."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from coliseum.errors import InvalidInput
from coliseum.http.time_zones import day_start, zone_from


@pytest.mark.parametrize(
    "text",
    [
        "",
        "America",
        "../UTC",
        "/etc/passwd",
        "UTC\n",
        "UTC\0",
        "x" * 300,
        "+02:00",
        "Nowhere/City",
        "localtime",
        "posix/UTC",
        "right/UTC",
    ],
)
def test_a_name_that_is_no_zone_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match="America/New_York"):
        zone_from(text)


@pytest.mark.parametrize(
    ("at", "zone", "start"),
    [
        ("2026-11-21T12:00:00Z", "UTC", "2026-11-21T00:00:00Z"),
        ("2026-11-21T03:00:00Z", "America/New_York", "2026-11-20T05:00:00Z"),
        ("2026-11-21T03:00:00Z", "Asia/Kolkata", "2026-11-20T18:30:00Z"),
        # Clocks go back at 02:00 local time, so this day begins in summer time and has 25 hours.
        ("2026-11-01T23:00:00Z", "America/New_York", "2026-11-01T04:00:00Z"),
        # On this day clocks went from 00:00 to 01:00: it begins where the skipped midnight would have been.
        ("2018-11-04T12:00:00Z", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ],
)
def test_a_day_begins_at_midnight_in_its_zone(at: str, zone: str, start: str) -> None:
    began = day_start(datetime.fromisoformat(at).timestamp(), zone_from(zone))
    assert datetime.fromtimestamp(began, UTC) == datetime.fromisoformat(start)
