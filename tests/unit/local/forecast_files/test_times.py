from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum_local.forecast_files.times import moment

NOON = 1795262400


@pytest.mark.parametrize(
    ("text", "seconds", "unit"),
    [
        ("1795262400", NOON, "seconds"), ("1795262400.5", NOON + 0.5, "seconds"),
        ("1795262400000", NOON, "milliseconds"), ("1795262400500", NOON + 0.5, "milliseconds"),
        ("1795262400000000", NOON, "microseconds"),
        ("1795262400000000000", NOON, "nanoseconds"), ("1.7952624e12", NOON, "milliseconds"),
        ("2026-11-21T12:00:00Z", NOON, None), ("2026-11-21 12:00:00+00:00", NOON, None),
        ("2026-11-21T12:00", NOON, None),
        ("2026-11-21 12:00:00 UTC", NOON, None), ("2026-11-21T13:00:00+01:00", NOON, None),
        ("2026-11-21T12:00:00.000000000", NOON, None), ("2026-11-21", NOON - 43200, None),
    ],
)  # fmt: skip
def test_a_time_is_read_in_the_unit_that_its_size_shows(text: str, seconds: float, unit: str | None) -> None:
    found = moment(text)

    assert (found.seconds, found.unit) == (seconds, unit)


@pytest.mark.parametrize("text", ["today", "inf", "nan", "1_0", "11/21/2026", "9" * 30, "2026-13-01", "12:00", "-"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a time as 2026-11-21T12:00:00Z, or unix seconds"):
        moment(text)


def test_a_day_without_dashes_is_no_number_of_seconds() -> None:
    with pytest.raises(ValueError, match=r"write the day as 2026-11-21$"):
        moment("20261121")


@given(st.integers(10**8, 10**11 - 1), st.sampled_from([(3, "milliseconds"), (6, "microseconds"), (9, "nanoseconds")]))
def test_every_unit_gives_the_same_seconds(seconds: int, unit: tuple[int, str]) -> None:
    digits, name = unit
    found = moment(f"{seconds}{'0' * digits}")

    assert (found.seconds, found.unit) == (seconds, name)
