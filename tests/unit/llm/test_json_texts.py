from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coliseum.llm.json_texts import LONGEST_TEXT, BrokenJson, DoubledName, json_values, letters, parse, wrapped_answers

OBJECT = {"a": 1, "b": ["{", '"', "}"]}
TEXT = json.dumps(OBJECT)
NAMES = frozenset({"forecast", "arguments", "finalresult"})


@pytest.mark.parametrize(
    ("text", "repairs"),
    [
        (TEXT, ()),
        (f"\ufeff \n{TEXT}\n", ()),
        (f"```json\n{TEXT}\n```", ("code_fence",)),
        (f"Well:\n```\n{TEXT}\n```\nthat is all", ("code_fence",)),
        (f"<think>{{}} or not</think>{TEXT}", ("thoughts",)),
        (f"{{}} or not</think>{TEXT}", ("thoughts",)),
        (f"<Reasoning>x</Reasoning>\n```json\n{TEXT}\n```", ("thoughts", "code_fence")),
        (f"So {TEXT} it is", ("text_around",)),
        (f"I use {{braces}} here: {TEXT}", ("text_around",)),
        (TEXT.replace('"', '\\"') if "\\" not in TEXT else '{\\"a\\": 1}', ("encoded_twice",)),
        ('{"a": "x\ny"}', ("control_characters",)),
        ("{'a': 1, /* one */ b: [1,],}", ("relaxed_json",)),
    ],
)
def test_a_value_is_found_whatever_stands_around_it(text: str, repairs: tuple[str, ...]) -> None:
    (found,) = json_values(text)
    assert found.repairs == repairs
    assert isinstance(found.value, dict)


def test_every_outermost_value_is_found() -> None:
    found = json_values(f"first {TEXT}, then {{}} and no more")
    assert [value.value for value in found] == [OBJECT, {}]
    assert [value.last for value in found] == [False, False]
    assert json_values(f"last: {TEXT}.")[0].last


@pytest.mark.parametrize(
    "text",
    [
        "",
        "likely",
        "{",
        f'{{"draft": {TEXT}, "a": 0.',
        f'"draft": {TEXT}, "a": 2}}',
        f': {TEXT}, "a": 2',
        f"[{TEXT}, {{",
        f"```json\n{TEXT[:-1]}\n```\n```json\n{TEXT}\n```",
        f"<think>{TEXT}",
        "[" * 100_000,
        "{" * 10_000,
        '{"a": ' + "9" * 5000 + "}",
        "x" * (LONGEST_TEXT + 1),
        "{'a': True}",
        "\x00",
    ],
)
def test_of_a_broken_text_no_part_is_taken(text: str) -> None:
    with pytest.raises(BrokenJson):
        json_values(text)


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', 'so {"a": 1, "a": 2}', "{'a': 1, 'a': 2}", '```\n{"b": {"a": 1, "a": 2}}\n```']
)
def test_two_values_under_one_name_are_refused(text: str) -> None:
    with pytest.raises(DoubledName, match="two different values"):
        json_values(text)


def test_one_value_twice_is_one_value() -> None:
    assert parse('{"a": 1, "a": 1}') == {"a": 1}


def _wanted(value: Any) -> bool:
    return "a" in value


@pytest.mark.parametrize(
    ("value", "repairs"),
    [
        (OBJECT, ()),
        (TEXT, ("encoded_twice",)),
        (json.dumps(TEXT), ("encoded_twice", "encoded_twice")),
        ([OBJECT], ("one_element_array",)),
        ({"Forecast": OBJECT, "other": {"a": 3}}, ("wrapped",)),
        ({"name": "final_result", "arguments": TEXT}, ("wrapped", "encoded_twice")),
        ({"final_result": [f"```\n{TEXT}\n```"]}, ("wrapped", "one_element_array", "code_fence")),
    ],
)
def test_wrappers_are_taken_off(value: Any, repairs: tuple[str, ...]) -> None:
    (found,) = wrapped_answers(value, _wanted, NAMES)
    assert found.value == OBJECT
    assert found.repairs == repairs or set(found.repairs) == set(repairs)


@pytest.mark.parametrize("value", [{"market": OBJECT}, [OBJECT, OBJECT], "words", 3, None, {"forecast": "words"}])
def test_other_objects_are_not_looked_into(value: Any) -> None:
    assert wrapped_answers(value, _wanted, NAMES) == []


def test_answers_in_two_wrappers_are_both_found() -> None:
    value = {"forecast": {"a": 1}, "arguments": json.dumps({"a": 2})}
    assert [found.value for found in wrapped_answers(value, _wanted, NAMES)] == [{"a": 1}, {"a": 2}]


def test_names_are_compared_by_letters() -> None:
    assert letters("Final_Result-2") == "finalresult2"


@given(st.text() | st.text('{}[]":,\\ab1 `\n<think>/', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert json_values(text) == json_values(text)
    except BrokenJson:
        return
