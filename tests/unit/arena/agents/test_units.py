from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.agents.units import WrittenOdds, read_odds
from coliseum.arena.agents.written_numbers import written

D = Decimal


def odds(low: Any, probability: Any, high: Any) -> WrittenOdds:
    number = written(probability)
    assert number is not None
    return read_odds(number, written(low), written(high))


@pytest.mark.parametrize(
    ("low", "probability", "high", "meant"),
    [
        (0.2, 0.5, 2, "0.005"),
        (0.2, 0.37, 0.5, "0.37"),
        (20, 37, 50, "0.37"),
        (0.8, 0.9, 1, "0.9"),
        (0, 0, 1, "0"),
        (1, 1, 3, "0.01"),
        (90, 1, 100, "1"),
        (50, 0.62, 70, "0.62"),
        ("50 %", 0.62, "70 %", "0.62"),
        (0.5, "62 %", 0.7, "0.62"),
        ("0.2%", 0.5, "2%", "0.005"),
        (None, 0.5, 2, "0.005"),
        (None, 1.5, None, None),
        (None, 2, None, "0.02"),
        (None, 0.37, None, "0.37"),
        (1, 1.5, 2, "0.015"),
        (0.25, "62 %", 0.5, "0.62"),
    ],
)
def test_the_range_decides_the_unit(low: Any, probability: Any, high: Any, meant: str | None) -> None:
    if meant is None:
        with pytest.raises(ValueError, match="names no unit"):
            odds(low, probability, high)
    else:
        assert odds(low, probability, high).probability == D(meant)


@pytest.mark.parametrize(
    ("low", "probability", "high", "reason"),
    [
        (0.7, 0.6, 0.8, "not between"),
        (0.6, 0.55, 0.5, "not between"),
        (0.2, 0.1, 2, "not between"),
        (0.25, 1.7, 0.5, "not between"),
        (70, 60, 80, "not between"),
        (0.1, 0.5, 60, "both fit"),
        (0, 1, 100, "both fit"),
        (0.9, 1, 1, "certainty or 1 %"),
        (None, 1, None, "certainty or 1 %"),
        (None, "70 - 60 %", None, "not in order"),
        (None, "0.65 - 70%", None, "both fit"),
    ],
)
def test_no_unit_or_two_units_are_refused(low: Any, probability: Any, high: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        odds(low, probability, high)


PERCENTS = st.lists(st.decimals(0, 100, places=1), min_size=3, max_size=3).map(sorted)


@given(PERCENTS)
def test_named_units_mean_the_same_however_they_are_written(numbers: list[Decimal]) -> None:
    low, middle, high = (f"{number} %" for number in numbers)
    assert odds(low, middle, high).probability == numbers[1] / 100


@given(PERCENTS)
def test_a_number_is_read_in_one_of_the_two_units_or_refused(numbers: list[Decimal]) -> None:
    low, middle, high = numbers
    try:
        read = odds(low, middle, high)
    except ValueError:
        return
    assert read.probability in {middle, middle / 100}
    assert read.low is not None
    assert read.high is not None
    assert read.low <= read.probability <= read.high
