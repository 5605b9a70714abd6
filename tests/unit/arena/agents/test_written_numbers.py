from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.arena.agents.written_numbers import written

D = Decimal


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (0.62, "0.62"),
        (D("0.62"), "0.62"),
        ("0.62", "0.62"),
        (".62", "0.62"),
        ("0,62", "0.62"),
        ("62,5 %", "0.625"),
        ("+62%", "0.62"),
        ("62 percent", "0.62"),
        ("62 Per Cent", "0.62"),
        ("62 pct.", "0.62"),
        ("６２％", "0.62"),
        ("about 62%", "0.62"),
        ("~0.62", "0.62"),
        ("6.2e-1", "0.62"),
        ([0.62], "0.62"),
        ({"value": "62%"}, "0.62"),
        ("0.60 - 0.64", "0.62"),
        ("0,60–0,64", "0.62"),
        ("60-64%", "0.62"),
        ("60% to 64%", "0.62"),
        ("from 60 to 64 percent", "0.62"),
        ("between 60% and 64%", "0.62"),
        ("60..64 %", "0.62"),
        ("60 - 64", "0.62"),
        ("0.5 - 2 %", "0.0125"),
    ],
)
def test_one_number_or_the_middle_of_one_range(value: Any, meant: str) -> None:
    number = written(value)
    assert number is not None
    assert number.fraction(small_as_percent=value == "0.5 - 2 %") == D(meant)


@pytest.mark.parametrize("value", [None, "", " null ", "N/A", "none"])
def test_nothing_is_written(value: Any) -> None:
    assert written(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "likely", "62% YES", "35% NO", "0.6 or 0.7", "0.6, 0.7", "0.6 0.7", "60-70-80", "1/3", "3 of 10", "-0.2", "101",
        "0.6.2", "1,000", "62,500", "1.234,5", "6_2", "0x1", "nan", "inf", "1e999", "6" * 100_000,
        True, False, float("nan"), float("inf"), -1, 10**400, 1e300, object(),
        [], [0.6, 0.7], {}, {"low": 0.6}, {"value": 0.6, "other": 1}, {"probability": {"value": "x"}},
    ],
)  # fmt: skip
def test_what_is_not_one_number_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"expected|is not one|is neither|could have"):
        written(value)


@given(st.text() | st.text("0123456789.,-% eE+to", max_size=12))
def test_a_reading_is_a_number_of_the_text_or_the_middle_of_two(text: str) -> None:
    import re
    import unicodedata

    try:
        number = written(text)
    except ValueError:
        return
    if number is None:
        return
    plain = unicodedata.normalize("NFKC", text).replace(",", ".")
    there = {D(found) for found in re.findall(r"(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?", plain)}
    assert {end.value for end in number.ends} <= there
    assert number.repairs or text.strip() == ""
