from __future__ import annotations

import json
from typing import Any

import pytest

from coliseum.json_objects import MAX_DEPTH, RepeatedKey, json_problem, strict_json, unique_keys


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '[{"b":{"a":1,"c":2,"a":3}}]', b'{"a":1,"\\u0061":2}'])
def test_a_repeated_key_is_refused_at_every_depth(text: str | bytes) -> None:
    with pytest.raises(RepeatedKey, match=r'^the key "a" occurs twice, with 1 and [123]$'):
        strict_json(text)


def test_other_texts_are_read_like_json() -> None:
    text = '{"a": [1, 2.5, null, true, {"a": "x"}], "b": {}}'

    assert strict_json(text) == json.loads(text)
    with pytest.raises(ValueError):
        strict_json("{")


def test_long_values_are_cut_in_the_message() -> None:
    with pytest.raises(RepeatedKey) as caught:
        unique_keys([("a", "x" * 99), ("a", None)])

    assert str(caught.value) == f'the key "a" occurs twice, with "{"x" * 36}... and null'


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize("value", [None, True, 1, 0.5, "é\u202e", [], {"a": [1, "b"]}, nested(MAX_DEPTH)])
def test_plain_values_have_no_problem(value: Any) -> None:
    assert json_problem(value) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "finite"),
        ([1, {"a": float("-inf")}], "finite"),
        ("a\x00b", "NUL"),
        ({"\x00": 1}, "NUL"),
        (["\ud800"], "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        (nested(MAX_DEPTH + 1), "levels"),
    ],
)
def test_values_that_the_database_would_refuse_are_named(value: Any, said: str) -> None:
    assert said in str(json_problem(value))
