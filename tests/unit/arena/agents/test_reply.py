from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.openrouter.server import FORECAST

from coliseum.arena.agents.reply import LARGEST_STAKE, ForecastReply

D = Decimal


def reply(**changes: Any) -> ForecastReply:
    return ForecastReply.model_validate({**FORECAST, **changes})


ALONE: dict[str, Any] = {"low": None, "high": None}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (0.62, 0.62),
        ("0.62", 0.62),
        ("62%", 0.62),
        (" 62 % ", 0.62),
        (62, 0.62),
        ("62", 0.62),
        (100, 0.99),
        (0, 0.01),
        ("0.5%", 0.01),
        ("1%", 0.01),
        (2, 0.02),
    ],
)
def test_a_probability_may_be_a_number_or_a_percentage(written: Any, meant: float) -> None:
    assert reply(probability=written, **ALONE).probability == pytest.approx(meant)


@pytest.mark.parametrize(
    "written", [1, 1.0, 1.7, -0.2, 101, "likely", None, True, [], {}, "nan", float("inf"), "1.7", "1", 10**400, "n/a"]
)
def test_an_ambiguous_or_meaningless_probability_is_refused(written: Any) -> None:
    for more in (ALONE, {}):
        with pytest.raises(ValidationError):
            reply(probability=written, **more)


@pytest.mark.parametrize(
    ("low", "written", "high", "meant"),
    [(1, 1, 3, 0.01), (1, 3, 6, 0.03), (1, 1.5, 2, 0.015), (90, 1, 100, 0.99), (50, 0.62, 70, 0.62)],
)
def test_a_one_is_a_percent_where_its_range_is_in_percents(
    low: float, written: float, high: float, meant: float
) -> None:
    assert reply(low=low, probability=written, high=high).probability == pytest.approx(meant)


def test_a_range_that_contradicts_a_named_unit_is_left_out() -> None:
    made = reply(probability="62%", low=0.25, high=0.5)
    assert (made.probability, made.low, made.high) == (0.62, None, None)


def test_only_the_number_is_needed() -> None:
    made = ForecastReply.model_validate({"probability": 0.37}).forecast()
    assert (made.probability, made.low, made.high, made.rationale) == (D("0.3700"), None, None, "")


@pytest.mark.parametrize("name", ["Probability", "PROBABILITY", "prob ability"])
def test_names_differ_in_letters_only(name: str) -> None:
    assert ForecastReply.model_validate({name: 0.37}).probability == 0.37


@pytest.mark.parametrize(
    ("written", "text"),
    [(None, ""), (["a", "b"], "a\nb"), (3, "3"), ({"a": 1}, '{"a": 1}'), ("a\ud800\0", "a\ufffd\ufffd")],
)
def test_a_text_may_be_anything(written: Any, text: str) -> None:
    assert reply(rationale=written).rationale == text


def test_what_was_repaired_is_noted() -> None:
    noted: list[str] = []
    ForecastReply.model_validate({"probability": "60-70%", "Rationale": "x" * 901}, context=noted)
    assert {"range_middle:probability", "percent:probability", "name:rationale", "cut:rationale", "missing:low"} <= {
        *noted
    }


def test_an_answer_as_asked_needs_no_repair() -> None:
    noted: list[str] = []
    ForecastReply.model_validate(FORECAST, context=noted)
    assert noted == []


def test_long_texts_are_cut_and_not_refused() -> None:
    wordy = reply(rationale="x" * 5000, yes_factors=["y" * 500] * 9, no_factors="one", key_uncertainty="z" * 999)
    assert (len(wordy.rationale), len(wordy.key_uncertainty)) == (900, 200)
    assert [len(factor) for factor in wordy.yes_factors] == [160] * 4
    assert wordy.no_factors == ["one"]


@pytest.mark.parametrize(
    ("written", "meant"), [(None, None), ("n/a", None), ("", None), ("30%", 0.3), (0.3, 0.3), ("3 of 10", None)]
)
def test_a_base_rate_may_be_missing(written: Any, meant: float | None) -> None:
    assert reply(base_rate=written).base_rate == (None if meant is None else pytest.approx(meant))


@pytest.mark.parametrize(
    ("written", "meant"),
    [(50, 50), ("$50", 50), ("1,000", LARGEST_STAKE), (-5, 0), (9e9, 500), ("lots", 0), (None, 0), (10**400, 0)],
)
def test_a_stake_is_cut_to_what_is_allowed(written: Any, meant: float) -> None:
    assert reply(stake_usd=written).stake_usd == meant


def test_a_forecast_has_four_places_and_a_range_around_it() -> None:
    made = reply(probability=0.37123, low=0.25, high=0.5, stake_usd=12.345).forecast()
    assert (made.probability, made.low, made.high) == (D("0.3712"), D("0.2500"), D("0.5000"))
    assert made.stake == D("12.34")
    assert made.rationale == FORECAST["rationale"]


def test_an_abstention_has_no_probability() -> None:
    made = reply(abstain=True).forecast()
    assert made.abstain
    assert made.low is made.high is made.probability is None


UNITS = st.floats(0, 0.999)


@given(st.tuples(UNITS, UNITS, UNITS).map(sorted), st.floats(-1e6, 1e6))
def test_every_valid_reply_becomes_a_forecast_within_bounds(numbers: list[float], stake: float) -> None:
    low, p, high = numbers
    made = reply(probability=p, low=low, high=high, stake_usd=stake).forecast()
    assert made.probability is not None
    assert made.low is not None
    assert made.high is not None
    assert made.stake is not None
    assert D("0.01") <= made.low <= made.probability <= made.high <= D("0.99")
    assert 0 <= made.stake <= LARGEST_STAKE


def _dumped(values: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return ForecastReply.model_validate(values).model_dump(mode="json")
    except ValidationError:
        return None


NUMBERS = st.one_of(
    st.none(),
    st.floats(0, 100),
    st.integers(0, 100),
    st.decimals(0, 100, places=1).map(lambda number: f"{number} %"),
    st.tuples(st.integers(0, 100), st.integers(0, 100)).map(lambda ends: f"{ends[0]}-{ends[1]}%"),
)


@given(st.fixed_dictionaries({"probability": NUMBERS, "low": NUMBERS, "high": NUMBERS, "base_rate": NUMBERS}))
def test_reading_what_was_read_changes_nothing(values: dict[str, Any]) -> None:
    """The library validates the values again."""
    read = _dumped(values)
    assert read == _dumped(values)
    if read is not None:
        assert _dumped(read) == read


@given(st.dictionaries(st.sampled_from(list(FORECAST)), st.none() | st.text() | st.integers() | st.booleans()))
def test_a_hostile_reply_is_a_forecast_or_refused(changes: dict[str, Any]) -> None:
    try:
        reply(**changes).forecast()
    except ValidationError:
        return


def test_the_schema_is_flat_and_asks_for_reasons_before_the_number() -> None:
    schema = ForecastReply.model_json_schema()
    text = json.dumps(schema)
    assert "$ref" not in text
    assert "exclusiveM" not in text
    names = list(schema["properties"])
    assert schema["properties"]["low"] == {
        "description": "Low end of your 80 % range.",
        "maximum": 1,
        "minimum": 0,
        "title": "Low",
        "type": "number",
    }
    assert schema["required"] == [name for name in names if name not in {"stake_usd", "abstain"}]
    assert names.index("rationale") < names.index("probability") < names.index("low")
