"""The published schemas and the parser say the same."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from coliseum.bot.parse import health_from, status_from, trades_from
from coliseum.bot.schemas import HEALTH, SCHEMAS, STATUS, TRADES

ROW: dict[str, Any] = {
    "trade_id": "abc123",
    "ticker": "PRES24-GOP",
    "side": "BUY",
    "quantity": 50,
    "price": 0.65,
    "timestamp": 1698676800.123,
}
FIELDS = TRADES["$defs"]["trade"]["properties"]
REQUIRED = TRADES["$defs"]["trade"]["required"]


def as_javascript(schema: Any) -> Any:
    """The schema for Python's `re`: in JSON Schema `$` is the end of the text, there also before a last line break."""
    if isinstance(schema, list):
        return [as_javascript(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: re.sub(r"\$$", r"\\Z", value) if name == "pattern" else as_javascript(value)
        for name, value in schema.items()
    }


CHECKER = FormatChecker(["date-time"])


def validator(schema: Any) -> Draft202012Validator:
    return Draft202012Validator(as_javascript(schema), format_checker=CHECKER)


def accepts(schema: Any, value: Any) -> bool:
    return bool(validator(schema).is_valid(value))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NUMBERS = (
    st.integers(-(10**19), 10**19)
    | st.floats(allow_nan=False)
    | st.floats(0, 1)
    | st.floats(900_000_000, 4_200_000_000)
    | st.integers(0, 10**6).map(float)
    | st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str)
    | st.from_regex(r"-?[0-9]{1,17}(\.[0-9]{0,32})?", fullmatch=True)
)
TIMES = st.integers(900_000_000, 4_200_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat())
WORDS = st.sampled_from(
    ["BUY", "sell", "Sell", "buy\n", "yes", "NO", "No", "paper", "LIVE", "x" * 201, "..", "a b", " "]
)
VALUES = JSON_VALUES | NUMBERS | TIMES | WORDS


@given(name=st.sampled_from(sorted(FIELDS)), value=VALUES)
def test_a_trade_that_the_schema_accepts_is_read(name: str, value: Any) -> None:
    """So what the parser refuses, the schema refuses."""
    row = {**ROW, name: value}
    if accepts(TRADES, [row]):
        read = trades_from(json.dumps([row]).encode())
        assert [problem.problem for problem in read.rejected] == []
        assert len(read.trades) == 1


@pytest.mark.parametrize("name", sorted(FIELDS))
@given(data=st.data())
def test_what_the_schemas_own_patterns_allow_is_read(name: str, data: st.DataObject) -> None:
    """Texts drawn from the patterns themselves, which random texts never hit."""
    patterns = [form["pattern"] for form in [FIELDS[name], *FIELDS[name].get("anyOf", [])] if "pattern" in form]
    for pattern in patterns:
        text = data.draw(st.from_regex(re.compile(re.sub(r"\$$", r"\\Z", pattern), re.ASCII)))
        row = {**ROW, name: text}
        if accepts(TRADES, [row]):
            assert trades_from(json.dumps([row]).encode()).rejected == ()


@given(name=st.sampled_from(["quantity", "price", "fee"]), value=NUMBERS)
def test_an_accepted_number_is_read_as_it_stands(name: str, value: Any) -> None:
    row = {**ROW, name: value}
    if accepts(TRADES, [row]):
        (trade,) = trades_from(json.dumps([row]).encode()).trades
        assert getattr(trade, name) == Decimal(str(value))


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, "missing"])
def test_a_field_that_the_parser_needs_is_required(name: str, value: str | None) -> None:
    row = {key: content for key, content in ROW.items() if key != name} | ({} if value else {name: None})
    assert not accepts(TRADES, [row])
    assert len(trades_from(json.dumps([row]).encode()).rejected) == 1


@pytest.mark.parametrize("name", sorted(FIELDS.keys() - set(REQUIRED)))
def test_an_optional_field_may_be_missing_or_null(name: str) -> None:
    row = {**ROW, name: None}
    assert accepts(TRADES, [ROW])
    assert accepts(TRADES, [row])
    assert len(trades_from(json.dumps([row]).encode()).trades) == 1


@pytest.mark.parametrize("body", [[], [ROW], {"trades": [ROW], "more": 1}])
def test_the_list_may_stand_alone_or_in_an_object(body: Any) -> None:
    assert accepts(TRADES, body)
    assert trades_from(json.dumps(body).encode()).rejected == ()


@given(name=st.sampled_from(sorted(HEALTH["properties"])), value=VALUES)
def test_a_health_that_the_schema_accepts_is_read_completely(name: str, value: Any) -> None:
    if accepts(HEALTH, {name: value}):
        health = health_from(json.dumps({name: value}).encode())
        if name == "trade_count":
            assert health.trade_count == value
        if name == "started_at":
            assert (health.started is None) == (value is None)


@given(name=st.sampled_from(sorted(STATUS["properties"])), value=VALUES)
def test_a_status_that_the_schema_accepts_is_read(name: str, value: Any) -> None:
    if accepts(STATUS, {name: value}):
        status = status_from(json.dumps({name: value}).encode())
        if name == "mode":
            assert status.mode == (value and value.lower())
        if name == "positions":
            assert list(status.positions) == value
        if name == "idle_reasons":
            assert len(status.idle_reasons) <= len(value)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_each_schema_is_valid_and_its_examples_fit(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    for one in [*FIELDS.values(), *HEALTH["properties"].values(), *STATUS["properties"].values()]:
        assert all(accepts(one, example) for example in one.get("examples", []))
