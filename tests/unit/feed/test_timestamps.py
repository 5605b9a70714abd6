from __future__ import annotations

from coliseum.feed.timestamps import rfc3339


def test_times_are_in_utc_with_milliseconds() -> None:
    assert rfc3339(1_700_000_000_123) == "2023-11-14T22:13:20.123Z"
    assert rfc3339(1_700_000_000_000) == "2023-11-14T22:13:20.000Z"


def test_no_time_has_no_text() -> None:
    assert rfc3339(None) is None
