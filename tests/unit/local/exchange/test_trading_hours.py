from __future__ import annotations

from datetime import UTC, datetime

import pytest

from coliseum_local.exchange.trading_hours import pause_end


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-10-08T07:00:00", "2026-10-08T09:00:00"),  # summer: UTC-4
        ("2026-10-08T08:59:59", "2026-10-08T09:00:00"),
        ("2026-11-26T08:00:00", "2026-11-26T10:00:00"),  # winter: UTC-5
        ("2027-03-11T08:00:00", "2027-03-11T10:00:00"),  # the last winter Thursday
        ("2027-03-18T07:00:00", "2027-03-18T09:00:00"),  # the first of summer
    ],
)
def test_the_weekly_pause_has_its_end(at: str, end: str) -> None:
    assert pause_end(_unix(at)) == _unix(end)


@pytest.mark.parametrize(
    "at",
    [
        "2026-10-08T06:59:59",
        "2026-10-08T09:00:00",
        "2026-11-26T07:59:59",
        "2026-11-26T10:00:00",
        "2026-10-07T08:00:00",
        "2026-10-09T08:00:00",
    ],
)
def test_outside_of_it_trading_goes_on(at: str) -> None:
    assert pause_end(_unix(at)) is None
