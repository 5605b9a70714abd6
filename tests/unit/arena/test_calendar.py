from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.calendar import horizon_label, season_of, season_span, slot_at


@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1)), st.integers(60, 90_000))  # noqa: DTZ001 - made aware below
def test_a_moment_belongs_to_one_slot_and_its_seed_follows_from_it(moment: datetime, seconds: int) -> None:
    every, now = timedelta(seconds=seconds), moment.replace(tzinfo=UTC)
    slot = slot_at(now, every=every)
    assert slot.starts_at <= now < slot.starts_at + every
    assert slot_at(slot.starts_at, every=every) == slot
    assert slot_at(slot.starts_at + every, every=every).round_id != slot.round_id
    assert 0 <= slot.seed < 2**48  # a bigint, and exact in JSON


@pytest.mark.parametrize(
    ("moment", "season"),
    [("2026-01-01T00:00:00", "2026Q1"), ("2026-09-30T23:59:59", "2026Q3"), ("2026-12-31T23:59:59", "2026Q4")],
)
def test_a_season_is_a_quarter_and_follows_on_the_one_before(moment: str, season: str) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert season_of(now) == season
    start, end = season_span(season)
    assert start <= now < end
    assert season_of(end) != season
    assert season_span(season_of(end))[0] == end


@pytest.mark.parametrize(("hours", "label"), [(0, "0-3h"), (2.99, "0-3h"), (3, "3-12h"), (95.9, "2-4d"), (1e6, ">4d")])
def test_the_horizon_is_the_time_that_is_left(hours: float, label: str) -> None:
    assert horizon_label(hours) == label
