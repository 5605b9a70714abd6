from __future__ import annotations

import json

import pytest

from coliseum.json_objects import RepeatedKey, strict_json, unique_keys


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
