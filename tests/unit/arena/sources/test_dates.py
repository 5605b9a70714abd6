from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.sources.dates import published_date

FETCHED = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("Tue, 01 Dec 2026 08:30:00 GMT", "2026-12-01T08:30:00+00:00"),
        ("Mon, 30 Nov 2026 08:30:00 EST", "2026-11-30T13:30:00+00:00"),
        ("Thu, 30 Jul 2026 08:30:00 EDT", "2026-07-30T12:30:00+00:00"),
        ("1 Dec 2026 03:30 PST", "2026-12-01T11:30:00+00:00"),
        ("Tuesday, 1 December 26 9:05 +0100", "2026-12-01T08:05:00+00:00"),
        ("Tue, 01 Dec 2026 13:00:00 CET", "2026-12-01T12:00:00+00:00"),
        ("Tue, 01 Dec 2026 06:00:00 -0530", "2026-12-01T11:30:00+00:00"),
        ("2026-12-01T11:59:60Z", "2026-12-01T11:59:59+00:00"),
        ("2026-12-01T08:30:00-03:00", "2026-12-01T11:30:00+00:00"),
        (" 2026-12-01 08:30:00.123 +0000 ", "2026-12-01T08:30:00+00:00"),
    ],
)
def test_a_date_with_time_and_zone_means_its_moment(text: str, means: str) -> None:
    found = published_date(text, fetched_at=FETCHED)
    assert found is not None
    assert (found.at.isoformat(), found.date_only) == (means, False)


@pytest.mark.parametrize("text", ["2026-11-30", "Mon, 30 Nov 2026", "30 Nov 2026"])
def test_a_date_alone_means_the_end_of_its_day_where_that_ends_last(text: str) -> None:
    found = published_date(text, fetched_at=FETCHED)
    assert found is not None
    assert (found.at.isoformat(), found.date_only) == ("2026-12-01T12:00:00+00:00", True)


def test_a_date_alone_of_today_is_kept_until_its_day_is_over() -> None:
    found = published_date("2026-12-01", fetched_at=FETCHED)
    assert found is not None
    assert found.at > FETCHED


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2026", "1 Dec", "12/01/2026", "2026-12-01T08:30:00", "Tue, 01 Dec 2026 08:30:00"),
        *("Tue, 01 Dec 2026 08:30:00 BST", "Tue, 01 Dec 2026 08:30:00 IST", "Tue, 01 Dec 2026 08:30:00 A"),
        *("32 Dec 2026", "2026-02-30", "0000-01-01", "2026-13-01T00:00:00Z", "2026-12-01T25:00:00Z"),
        *("2026-12-01T08:30:00+99:00", "0001-01-01T00:00:00+23:59", "1 Foo 2026", "١ Dec 2026", "1 Dec 2026\n\n" * 99),
    ],
)
def test_a_date_without_a_sure_meaning_does_not_count(text: str) -> None:
    assert published_date(text, fetched_at=FETCHED) is None


@pytest.mark.parametrize(
    "text", ["Tue, 01 Dec 2026 12:00:01 GMT", "2026-12-01T07:00:01-05:00", "2027-01-01", "2026-12-03"]
)
def test_what_was_read_before_its_date_does_not_count(text: str) -> None:
    assert published_date(text, fetched_at=FETCHED) is None


@given(st.integers(631_152_000, 1_796_169_600), st.integers(-14 * 60, 14 * 60))
def test_both_forms_of_a_moment_mean_that_moment(seconds: int, minutes: int) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    there = at.astimezone(timezone(timedelta(minutes=minutes)))
    forms = (there.isoformat(), there.strftime("%a, %d %b %Y %H:%M:%S %z"))
    found = [published_date(form, fetched_at=FETCHED) for form in forms]
    assert [each and each.at for each in found] == [at if at <= FETCHED else None] * 2


@given(st.text(max_size=50))
def test_any_text_is_a_date_that_was_read_in_time_or_none(text: str) -> None:
    found = published_date(text, fetched_at=FETCHED)
    assert found is None or found.at <= FETCHED + timedelta(hours=50 * found.date_only)
