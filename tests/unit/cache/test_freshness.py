from __future__ import annotations

import pytest

from coliseum.cache import freshness
from coliseum.cache.freshness import Freshness, Tier


@pytest.mark.parametrize(
    ("age", "means"),
    [(-5, "fresh"), (0, "fresh"), (14.9, "fresh"), (15, "stale"), (300, "stale"), (300.1, "gone")],
)
def test_an_age_is_fresh_then_stale_then_gone(age: float, means: str) -> None:
    assert Tier(15, 300).freshness_at(age) is Freshness(means)


def test_the_ceilings_are_the_documented_ones() -> None:
    assert freshness.MARKETS.ceiling_seconds == 300
    assert freshness.BALANCE.ceiling_seconds == freshness.POSITIONS.ceiling_seconds == 3600
    assert freshness.FILLS.ceiling_seconds == 86_400
