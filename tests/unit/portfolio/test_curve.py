"""A thinned equity curve keeps its ends and its extremes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.portfolio.curve import CurveSampler
from coliseum.portfolio.records import BalanceSnapshot
from coliseum.trading.money import ZERO

CURVES = st.lists(st.tuples(st.integers(1, 5000), st.integers(-500, 500)), min_size=1, max_size=80)


def curve(steps: list[tuple[int, int]]) -> list[BalanceSnapshot]:
    """Snapshots, each so many seconds after the one before, with an equity in cents."""
    at, rows = 1_795_262_400, []
    for seconds, cents in steps:
        at += seconds
        equity = Decimal(cents) / 100
        rows.append(
            BalanceSnapshot(
                taken_at=datetime.fromtimestamp(at, UTC),
                cash=equity,
                portfolio_value=ZERO,
                equity=equity,
                source="kalshi",
            )
        )
    return rows


def sampled(rows: list[BalanceSnapshot], points: int, page: int = 1000) -> list[BalanceSnapshot]:
    sampler = CurveSampler(rows[0].taken_at.timestamp(), rows[-1].taken_at.timestamp(), points)
    for start in range(0, len(rows), page):
        sampler.add(rows[start : start + page])
    return sampler.result()


@given(CURVES, st.integers(4, 40))
def test_ends_and_extremes_stay_and_every_point_is_a_snapshot(steps: list[tuple[int, int]], points: int) -> None:
    rows = curve(steps)
    kept = sampled(rows, points)
    assert len(kept) <= points
    assert (kept[0], kept[-1]) == (rows[0], rows[-1])
    for extreme in (min, max):
        assert extreme(row.equity for row in kept) == extreme(row.equity for row in rows)
    times = [row.taken_at for row in kept]
    assert times == sorted(set(times))
    assert {id(row) for row in kept} <= {id(row) for row in rows}


@given(CURVES, st.integers(4, 40), st.integers(1, 9))
def test_the_size_of_the_pages_changes_nothing(steps: list[tuple[int, int]], points: int, page: int) -> None:
    rows = curve(steps)
    assert sampled(rows, points, page) == sampled(rows, points)


def test_a_curve_with_few_snapshots_stays_whole() -> None:
    rows = curve([(300, cents) for cents in range(20)])
    assert sampled(rows, 20) == rows
    assert len(sampled(rows, 19)) < 20


def test_three_points_cannot_hold_a_piece() -> None:
    with pytest.raises(ValueError, match="at least 4"):
        CurveSampler(0.0, 1.0, 3)
