from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.kalshi.headers import MAX_PAUSE_SECONDS, clock_ahead_seconds, retry_after_seconds

NOW = datetime(2026, 12, 1, 0, 0, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        (" 30 ", 30.0),
        ("3.5", 3.5),
        ("Tue, 01 Dec 2026 00:01:00 GMT", 15.0),
        ("Tue, 01 Dec 2026 00:01:00 -0000", 15.0),
        ("86400", MAX_PAUSE_SECONDS),
        ("9" * 400, MAX_PAUSE_SECONDS),
        ("Fri, 01 Dec 2096 00:00:00 GMT", MAX_PAUSE_SECONDS),
        (None, None),
        ("", None),
        ("0", None),
        ("-5", None),
        ("1.", 1.0),
        ("soon", None),
        ("Tue, 01 Dec 2026 00:00:00 GMT", None),
        ("\u0663\u0660", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_ten_minutes(text: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(text, now=NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Tue, 01 Dec 2026 00:00:00 GMT", 45.0),
        ("Tue, 01 Dec 2026 00:01:00 GMT", -15.0),
        ("Tue, 01 Dec 1926 00:01:00 GMT", None),
        ("today", None),
        (None, None),
    ],
)
def test_our_clock_is_compared_with_the_date_of_the_answer(text: str | None, seconds: float | None) -> None:
    assert clock_ahead_seconds(text, now=NOW) == seconds


@given(st.text())
def test_any_header_is_read_or_ignored(text: str) -> None:
    pause = retry_after_seconds(text, now=NOW)
    assert pause is None or 0 < pause <= MAX_PAUSE_SECONDS
    clock_ahead_seconds(text, now=NOW)
