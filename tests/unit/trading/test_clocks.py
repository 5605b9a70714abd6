from __future__ import annotations

import pytest

from coliseum.trading.clocks import TOLERANCE_SECONDS, seconds_ahead

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("stamp", "ahead"),
    [
        (NOW - 86_400, None),
        (NOW, None),
        (NOW + TOLERANCE_SECONDS, None),
        (NOW + TOLERANCE_SECONDS + 0.5, 10.5),
        (NOW + 18_000.04, 18_000.0),
        (NOW + 31_536_000, 31_536_000.0),
    ],
)
def test_only_a_time_beyond_the_tolerance_shows_that_a_clock_is_ahead(stamp: float, ahead: float | None) -> None:
    assert seconds_ahead(stamp, now=NOW) == ahead
